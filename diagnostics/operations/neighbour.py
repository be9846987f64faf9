"""ARP and neighbour discovery entries.  Pure."""

from __future__ import annotations

from functools import partial
from typing import Self

import msgspec

from dnet_tui.diagnostics.operations.base import Argv
from dnet_tui.diagnostics.operations.namespace_edit import link_named
from dnet_tui.diagnostics.operations.netns_scope import NetnsScope, ScopedOperation, changed, ip_command, place
from dnet_tui.inspect.model import Namespace, Neighbour, Snapshot


class NeighbourOperation(ScopedOperation, frozen=True, kw_only=True):
    """A change of one entry.  ``state`` as in ``ip neigh``, such as PERMANENT; the rest is the model's."""

    link: str
    address: str
    mac: str
    state: str
    flags: tuple[str, ...] = ()
    protocol: str = ""


class DeleteNeighbour(NeighbourOperation, frozen=True, kw_only=True, tag="delete-neighbour"):
    """Deletes an entry; the rest is what it says, for putting it back."""

    @classmethod
    def of(cls, entry: Neighbour, link: str, inside: NetnsScope | None = None) -> Self:
        """The deletion of an entry, which its inverse puts back whole."""
        return cls(
            link=link,
            address=entry.address,
            mac=entry.mac,
            state=entry.state,
            flags=entry.flags,
            protocol=entry.protocol,
            inside=inside or NetnsScope(),
        )

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"delete the neighbour entry of {self.address} on {self.link}{place(self.inside)}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (ip_command(self.inside, "neigh", "del", self.address, "dev", self.link),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return changed(snapshot, self.inside, partial(_without, link=self.link, address=self.address))

    def inverse(self) -> SetNeighbour:
        """See :class:`Operation`."""
        return SetNeighbour(
            link=self.link,
            address=self.address,
            mac=self.mac,
            state=self.state,
            flags=self.flags,
            protocol=self.protocol,
            inside=self.inside,
        )


class SetNeighbour(NeighbourOperation, frozen=True, kw_only=True, tag="set-neighbour"):
    """Writes an entry, in the place of one that is there."""

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"set the neighbour entry of {self.address} on {self.link}{place(self.inside)} to {self.mac}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        words = (self.address, "lladdr", self.mac, "dev", self.link, "nud", self.state.lower(), *self.flags)
        origin = ("protocol", self.protocol) if self.protocol else ()
        return (ip_command(self.inside, "neigh", "replace", *words, *origin),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return changed(snapshot, self.inside, self._written)

    def _written(self, ns: Namespace) -> Namespace:
        entry = Neighbour(
            ifindex=link_named(ns, self.link).ifindex,
            family="ip6" if ":" in self.address else "ip",
            address=self.address,
            mac=self.mac,
            state=self.state,
            flags=self.flags,
            protocol=self.protocol,
        )
        others = _without(ns, self.link, self.address).neighbours
        return msgspec.structs.replace(ns, neighbours=(*others, entry))


def _without(ns: Namespace, link: str, address: str) -> Namespace:
    ifindex = link_named(ns, link).ifindex
    kept = tuple(item for item in ns.neighbours if (item.address, item.ifindex) != (address, ifindex))
    return msgspec.structs.replace(ns, neighbours=kept)
