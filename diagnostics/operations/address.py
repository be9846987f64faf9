"""Addresses of links.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.operations.base import Argv
from dnet_tui.diagnostics.operations.namespace_edit import link_named, with_address, without_address
from dnet_tui.diagnostics.operations.netns_scope import ScopedOperation, changed, ip_command, place
from dnet_tui.inspect.model import Snapshot


class AddAddress(ScopedOperation, frozen=True, kw_only=True, tag="add-address"):
    """Puts an address (CIDR) on a link.

    ``as_gateway``: as engines give one to a bridge, with the subnet's broadcast
    address (IPv4) or without duplicate address detection (IPv6).  ``replace``:
    also where it is there already.  ``label``, ``broadcast`` and ``more``,
    further words of ip-address(8), are for putting one back as it was.
    """

    link: str
    cidr: str
    as_gateway: bool = False
    replace: bool = False
    scope: str = ""
    label: str = ""
    broadcast: str = ""
    more: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"put {self.cidr} on {self.link}{place(self.inside)}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        words = [self.cidr, *self.more]
        if self.as_gateway:
            words += ["nodad"] if ":" in self.cidr else ["brd", "+"]
        words += ["brd", self.broadcast] if self.broadcast else []
        words += ["dev", self.link]
        words += ["label", self.label] if self.label else []
        words += ["scope", self.scope] if self.scope not in {"", "global"} else []
        return (ip_command(self.inside, "address", "replace" if self.replace else "add", *words),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        if self.replace:  # whether it is there yet is what isn't known
            return super().effect(snapshot)
        return changed(
            snapshot, self.inside, lambda ns: with_address(ns, link_named(ns, self.link), self.cidr, self.scope)
        )

    def inverse(self) -> DeleteAddress:
        """See :class:`Operation`."""
        return DeleteAddress(link=self.link, cidr=self.cidr, inside=self.inside, scope=self.scope)


class DeleteAddress(ScopedOperation, frozen=True, kw_only=True, tag="delete-address"):
    """Takes an address (CIDR) from a link; ``scope`` is kept for putting it back."""

    link: str
    cidr: str
    scope: str = ""

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"take {self.cidr} from {self.link}{place(self.inside)}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (ip_command(self.inside, "address", "del", self.cidr, "dev", self.link),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return changed(snapshot, self.inside, lambda ns: without_address(ns, link_named(ns, self.link), self.cidr))

    def inverse(self) -> AddAddress:
        """See :class:`Operation`."""
        return AddAddress(link=self.link, cidr=self.cidr, inside=self.inside, scope=self.scope)
