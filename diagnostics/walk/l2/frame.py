"""A frame on its way: for whom it is, by which MAC address, in which VLAN.  Pure data."""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.walk.l2.answering import answers
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.inspect.model import Link

_FADING = frozenset({"STALE", "DELAY", "PROBE"})


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame for the owner of ``next_hop``, sent to ``mac`` where the sender has it in mind already."""

    next_hop: str
    mac: str = ""
    state: str = ""
    """The state of the sender's neighbour entry with that MAC."""
    asker: str = ""
    """The address by which the sender asks, where it has to."""
    unanswered: bool = False
    """Nobody that was seen answers: only somebody out of sight may have it."""
    tags: tuple[int, ...] = ()
    """The VLAN tags it carries, the outermost last."""
    vlan: int = 0
    """The VLAN that it belongs to inside a bridge that filters by VLAN; 0: in none such."""

    @property
    def is_fading(self) -> bool:
        """Whether the sender makes sure of its entry soon: a wrong one fails its probes, and is asked for anew.

        neigh_event_send and neigh_timer_handler of net/core/neighbour.c:
        STALE becomes DELAY with the first packet, then PROBE, then FAILED.
        """
        return bool(self.mac) and self.state in _FADING

    def asked(self) -> Frame:
        """The frame as it would be had the sender to ask."""
        return msgspec.structs.replace(self, mac="", state="")

    def tagged(self, *tags: int, vlan: int = 0) -> Frame:
        """The frame with these tags instead, in a VLAN of a bridge."""
        return msgspec.structs.replace(self, tags=tags, vlan=vlan)

    def is_for(self, index: NamespaceIndex, link: Link) -> bool:
        """Whether a link takes the frame: it has the MAC, or would have answered."""
        return not self.unanswered and (
            self.mac == link.mac.lower() if self.mac and link.mac else answers(index, link, self.next_hop, self.asker)
        )
