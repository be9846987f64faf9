"""Links: up and down, and the bridge that they are ports of.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from dnet_tui.diagnostics.operations.base import Argv, ProgramOperation, UnknownEffectError, on_host, with_namespaces
from dnet_tui.diagnostics.operations.namespace_edit import link_named, raised, with_carrier, with_link
from dnet_tui.diagnostics.operations.netns_scope import ScopedOperation, changed, ip_command, place
from dnet_tui.inspect.model import BridgePort, Container, LinkRef, Namespace, Snapshot
from dnet_tui.inspect.model.coverage.sections import known_items, with_items


class SetLinkUp(ScopedOperation, frozen=True, kw_only=True, tag="set-link-up"):
    """Brings a link up, or down again.  Routes that the kernel took away with it don't come back by themselves."""

    link: str
    up: bool = True

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"bring {self.link}{place(self.inside)} {'up' if self.up else 'down'}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (ip_command(self.inside, "link", "set", "dev", self.link, "up" if self.up else "down"),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`: of a link that is brought up, with the carrier of a veth's other end."""
        if not self.up:
            return super().effect(snapshot)
        peers: list[LinkRef] = []

        def change(ns: Namespace) -> Namespace:
            link = link_named(ns, self.link)
            if link.peer is not None:
                peers.append(link.peer)
            return raised(ns, link)

        snapshot = changed(snapshot, self.inside, change)
        for peer in peers:
            snapshot = with_namespaces(snapshot, partial(_with_carrier_of, peer))
        return snapshot

    def inverse(self) -> SetLinkUp:
        """See :class:`Operation`."""
        return msgspec.structs.replace(self, up=not self.up)


class SetLinkMaster(ProgramOperation, frozen=True, kw_only=True, tag="set-link-master"):
    """Makes a link of the host a port of a bridge, or (``master`` empty) of none.

    ``before`` is the bridge that it was a port of.
    """

    link: str
    master: str = ""
    before: str = ""

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"attach {self.link} to {self.master}" if self.master else f"detach {self.link} from its bridge"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        to = ("master", self.master) if self.master else ("nomaster",)
        return (("ip", "link", "set", "dev", self.link, *to),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`.  A named namespace whose veth is plugged in becomes a container by it."""
        snapshot = on_host(snapshot, self._attached)
        newcomers = tuple(self._newcomers(snapshot)) if self.master else ()
        return msgspec.structs.replace(
            snapshot, containers=with_items(snapshot.containers, (*known_items(snapshot.containers), *newcomers))
        )

    def _attached(self, ns: Namespace) -> Namespace:
        link = link_named(ns, self.link)
        if not self.master:
            return with_link(ns, msgspec.structs.replace(link, master=None, port=None))
        port = BridgePort(state="forwarding" if link.up else "disabled")
        master = link_named(ns, self.master)
        return with_link(ns, msgspec.structs.replace(link, master=master.ifindex, port=port))

    def _newcomers(self, snapshot: Snapshot) -> Iterator[Container]:
        links = (link for ns in known_items(snapshot.namespaces) if ns.kind == "host" for link in ns.links)
        homes = {link.peer.namespace for link in links if link.name == self.link and link.peer is not None}
        taken = {container.netns for container in known_items(snapshot.containers)}
        for ns in known_items(snapshot.namespaces):
            if ns.id in homes - taken and ns.names:
                name = ns.names[0]
                yield Container(id=f"netns:{name}", name=name, engine="netns", netns=ns.id, mode="bridge")

    def inverse(self) -> SetLinkMaster:
        """See :class:`Operation`."""
        return SetLinkMaster(link=self.link, master=self.before, before=self.master)


class AddVeth(ProgramOperation, frozen=True, kw_only=True, tag="add-veth"):
    """Makes a veth pair: ``link`` on the host, its ``peer`` in the named namespace ``inside``.

    The MAC addresses, aliases, groups and the MTU are for putting one back; empty and 0 leave them to the kernel.
    So are ``more`` and ``peer_more``, further words of ip-link(8) for each end.
    """

    link: str
    peer: str
    inside: str
    mac: str = ""
    peer_mac: str = ""
    mtu: int = 0
    alias: str = ""
    peer_alias: str = ""
    group: int = 0
    peer_group: int = 0
    more: tuple[str, ...] = ()
    peer_more: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"make a veth pair: {self.link} here, {self.peer} in {self.inside}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        own = (*_link_words(self.mac, self.mtu, self.group), *self.more)
        far = (*_link_words(self.peer_mac, self.mtu, self.peer_group), *self.peer_more)
        peer = ("peer", "name", self.peer, *far, "netns", self.inside)
        made: Argv = ("ip", "link", "add", "name", self.link, *own, "type", "veth", *peer)
        # The kernel takes no alias along with a new link (rtnl_create_link).
        one: Argv = ("ip", "link", "set", "dev", self.link, "alias", self.alias)
        two: Argv = ("ip", "-n", self.inside, "link", "set", "dev", self.peer, "alias", self.peer_alias)
        return (made, *((one,) if self.alias else ()), *((two,) if self.peer_alias else ()))

    def inverse(self) -> DeleteVeth:
        """See :class:`Operation`."""
        return DeleteVeth(link=self.link)


class DeleteVeth(ProgramOperation, frozen=True, kw_only=True, tag="delete-veth"):
    """Deletes a veth pair by its end on the host; addresses and routes inside go with it."""

    link: str

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"delete the veth pair of {self.link}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (("ip", "link", "delete", "dev", self.link, "type", "veth"),)


class SetSpanningTree(ProgramOperation, frozen=True, kw_only=True, tag="set-spanning-tree"):
    """Turns a bridge's spanning tree protocol on or off."""

    bridge: str
    on: bool

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"turn spanning tree {'on' if self.on else 'off'} on {self.bridge}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        state = "1" if self.on else "0"
        return (("ip", "link", "set", "dev", self.bridge, "type", "bridge", "stp_state", state),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return on_host(snapshot, self._switched)

    def _switched(self, ns: Namespace) -> Namespace:
        link = link_named(ns, self.bridge)
        if link.bridge is None:
            msg = f"{self.bridge} is not a bridge"
            raise UnknownEffectError(msg)
        return with_link(ns, msgspec.structs.replace(link, bridge=msgspec.structs.replace(link.bridge, stp=self.on)))

    def inverse(self) -> SetSpanningTree:
        """See :class:`Operation`."""
        return msgspec.structs.replace(self, on=not self.on)


def _with_carrier_of(peer: LinkRef, ns: Namespace) -> Namespace:
    return with_carrier(ns, peer.ifindex) if ns.id == peer.namespace else ns


def _link_words(mac: str, mtu: int, group: int) -> tuple[str, ...]:
    given = (("address", mac), ("mtu", str(mtu or "")), ("group", str(group or "")))
    return tuple(word for key, value in given if value for word in (key, value))
