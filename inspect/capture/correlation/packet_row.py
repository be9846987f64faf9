"""One packet with every point it was seen at.  Pure."""

from __future__ import annotations

from typing import NamedTuple

from dnet_tui.inspect.capture.correlation.flow_table import CapturedFlow
from dnet_tui.inspect.capture.correlation.packet_identity import FlowEnds, PacketIdentity
from dnet_tui.inspect.capture.packet import CapturedPacket


class Sighting(NamedTuple):
    """A packet at one point.

    ``time_ns`` as in the packet; ``reception`` the kernel's ``sll_pkttype``;
    ``length`` bytes on the wire; ``pieces``: in how many frames it was there
    (fragments, or segments of a frame that was larger elsewhere), and
    ``whole`` that the frame there held more than this packet.
    """

    point: int
    time_ns: int
    reception: int
    length: int
    ends: FlowEnds | None
    pieces: int = 1
    whole: bool = False

    @property
    def passage(self) -> int:
        """Point and direction: what a packet is seen at once."""
        return self.point << 1 | (self.reception == 4)  # PACKET_OUTGOING


class PacketRow:
    """One packet.  ``packet`` is its first sighting's, whose bytes are what is decoded.

    ``alike``: there were other packets just like it, which only their order
    tells apart.  ``apart``: it may be a packet of an earlier row, which could
    not be decided, so that it stands by itself.
    ``hurried``: memory ran short, so that it was not followed further.  ``answer_to`` is the number
    of the row that it answers (0: none known), ``round_trips`` the nanoseconds
    between the two at each point that saw both.
    """

    __slots__ = (
        "alike",
        "answer_to",
        "apart",
        "flow",
        "hurried",
        "identity",
        "indexed",
        "number",
        "packet",
        "passages",
        "question",
        "round_trips",
        "sightings",
        "words",
    )

    def __init__(
        self, number: int, packet: CapturedPacket, identity: PacketIdentity, flow: CapturedFlow | None
    ) -> None:
        self.number = number
        self.packet = packet
        self.identity = identity
        self.flow = flow
        first = Sighting(packet.point, packet.time_ns, packet.reception, packet.length, identity.ends)
        self.sightings = [first]
        self.passages = {first.passage}
        self.indexed = False
        self.alike = False
        self.apart = False
        self.hurried = False
        self.question: PacketRow | None = None
        self.answer_to = 0
        self.round_trips: list[tuple[int, int]] = []
        self.words: list[str] = []

    def points(self) -> set[int]:
        """The points that saw it."""
        return {sighting.point for sighting in self.sightings}

    def at(self, point: int) -> Sighting | None:
        """Its first sighting at a point."""
        return next((item for item in self.sightings if item.point == point), None)

    def settle(self) -> None:
        """Take the round trips to the question, and let go of it: rows must not hold on to one another."""
        question, self.question = self.question, None
        if question is None:
            return
        for sighting in self.sightings:
            asked = question.at(sighting.point)
            if asked is not None and all(point != sighting.point for point, _ in self.round_trips):
                self.round_trips.append((sighting.point, sighting.time_ns - asked.time_ns))
        if self.round_trips and question.flow is not None:
            # At the point nearest to who asked, where the question was seen first.
            point = next((item.point for item in question.sightings if self.at(item.point)), None)
            question.flow.timed(next(took for where, took in self.round_trips if where == point))
