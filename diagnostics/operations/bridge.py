"""Bridges of plain-Linux networks.  Pure."""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.operations.base import Argv, Operation, UnknownEffectError, on_host
from dnet_tui.diagnostics.operations.namespace_edit import link_named, raised, with_address
from dnet_tui.inspect.model import BridgeInfo, Link, Namespace, Snapshot


class CreateBridge(Operation, frozen=True, kw_only=True, tag="create-bridge"):
    """Creates a bridge with its addresses (CIDRs) and brings it up.

    ``alias`` carries the network's intention (``ifalias``).  ``mac`` is set
    only when a removed bridge is put back.  ``nf_call_iptables`` (and its like
    for IPv6) makes frames that stay inside this bridge pass iptables, whatever
    the host's default.
    """

    name: str
    addresses: tuple[str, ...] = ()
    alias: str = ""
    mtu: int | None = None
    mac: str = ""
    nf_call_iptables: bool = False
    nf_call_ip6tables: bool = False

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        with_what = f" with {' and '.join(self.addresses)}" if self.addresses else ""
        return f"create bridge {self.name}{with_what}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        add: list[str] = ["ip", "link", "add", "name", self.name]
        add += ["address", self.mac] if self.mac else []
        add += ["mtu", str(self.mtu)] if self.mtu is not None else []
        add += ["type", "bridge"]
        add += ["nf_call_iptables", "1"] if self.nf_call_iptables else []
        add += ["nf_call_ip6tables", "1"] if self.nf_call_ip6tables else []
        lines: list[Argv] = [tuple(add)]
        if self.alias:
            lines.append(("ip", "link", "set", "dev", self.name, "alias", self.alias))
        lines += [("ip", "address", "add", cidr, "dev", self.name) for cidr in self.addresses]
        lines.append(("ip", "link", "set", "dev", self.name, "up"))
        return tuple(lines)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`: with an ifindex above all others, as the kernel counts them."""
        return on_host(snapshot, self._created)

    def _created(self, ns: Namespace) -> Namespace:
        if any(link.name == self.name for link in ns.links):
            msg = f"there is already a link {self.name}"
            raise UnknownEffectError(msg)
        link = Link(
            ifindex=max((item.ifindex for item in ns.links), default=0) + 1,
            name=self.name,
            kind="bridge",
            mac=self.mac,
            mtu=self.mtu if self.mtu is not None else 1500,
            alias=self.alias,
            bridge=BridgeInfo(nf_call_iptables=self.nf_call_iptables, nf_call_ip6tables=self.nf_call_ip6tables),
        )
        ns = msgspec.structs.replace(ns, links=(*ns.links, link))
        for cidr in self.addresses:
            ns = with_address(ns, link, cidr)
        return raised(ns, link)

    def inverse(self) -> DeleteBridge:
        """See :class:`Operation`."""
        return DeleteBridge(name=self.name)


class DeleteBridge(Operation, frozen=True, kw_only=True, tag="delete-bridge"):
    """Deletes a bridge that has no ports; its settings are captured for the undo."""

    name: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"delete bridge {self.name}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("ip", "link", "delete", self.name, "type", "bridge"),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return on_host(snapshot, self._deleted)

    def _deleted(self, ns: Namespace) -> Namespace:
        gone = link_named(ns, self.name)
        if gone.kind != "bridge" or any(link.master == gone.ifindex for link in ns.links):
            msg = f"{self.name} isn't a bridge without ports"
            raise UnknownEffectError(msg)
        return msgspec.structs.replace(
            ns,
            links=tuple(link for link in ns.links if link is not gone),
            addresses=tuple(item for item in ns.addresses if item.ifindex != gone.ifindex),
            routes=tuple(item for item in ns.routes if all(hop.ifindex != gone.ifindex for hop in item.hops)),
            neighbours=tuple(item for item in ns.neighbours if item.ifindex != gone.ifindex),
        )

    def inverse(self) -> CreateBridge:
        """See :class:`Operation`: without the settings that only the captured state knows."""
        return CreateBridge(name=self.name)
