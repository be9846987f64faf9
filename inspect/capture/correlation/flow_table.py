"""Which tuples are one direction of one connection, learnt from joined packets and from conntrack.  Pure, bounded."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from dnet_tui.inspect.capture.correlation.packet_identity import FlowEnds
from dnet_tui.inspect.capture.correlation.row_budget import RowBudget

if TYPE_CHECKING:
    from dnet_tui.inspect.capture.correlation.packet_row import PacketRow

MOST_TUPLES = 65_536
"""Tuples remembered; the oldest are forgotten first."""

MOST_UNANSWERED = 256
"""Packets of one direction that are remembered because they await an answer."""

MOST_AWAITING = 16_384
"""The same of all directions together; above it the oldest are forgotten."""

MOST_AWAITING_BYTES = 32 << 20
"""The same in bytes of memory."""


class CapturedFlow:
    """One direction of a connection: every tuple that its packets were seen with, first as they were sent.

    ``packets`` and ``size`` (bytes on the wire, as first seen) count each
    packet once.  ``lost`` counts packets by why they did not get on;
    ``answered`` those whose answer was seen.  Round trips are in nanoseconds,
    at the first point where both the packet and its answer were seen.
    """

    __slots__ = (
        "answered",
        "awaiting",
        "began",
        "first_seq",
        "lost",
        "next_seq",
        "number",
        "packets",
        "reverse",
        "round_trip_count",
        "round_trip_max",
        "round_trip_min",
        "round_trip_sum",
        "size",
        "syn_only",
        "tuples",
    )

    def __init__(self, number: int, ends: FlowEnds) -> None:
        self.number = number
        self.tuples = [ends]
        self.reverse: CapturedFlow | None = None
        self.began: tuple[int, int] | None = None
        """Point and reception of its first packet."""
        self.packets = 0
        self.size = 0
        self.answered = 0
        self.lost: dict[str, int] = {}
        self.awaiting: deque[PacketRow] = deque(maxlen=MOST_UNANSWERED)
        self.syn_only = False
        """Whether it is TCP of which nothing but SYNs was seen."""
        self.first_seq = -1
        self.next_seq = -1
        self.round_trip_count = self.round_trip_sum = self.round_trip_max = 0
        self.round_trip_min = 1 << 62

    def timed(self, nanoseconds: int) -> None:
        """Take the round trip of one packet and its answer into account."""
        self.round_trip_count += 1
        self.round_trip_sum += nanoseconds
        self.round_trip_min = min(self.round_trip_min, nanoseconds)
        self.round_trip_max = max(self.round_trip_max, nanoseconds)


class FlowTable:
    """Every direction by each of its tuples."""

    def __init__(self, most: int = MOST_TUPLES, most_awaiting: int = MOST_AWAITING) -> None:
        self._most = most
        self._by_ends: dict[FlowEnds, CapturedFlow] = {}
        self._made = 0
        self.forgotten = 0
        """Tuples that had to be forgotten because there were too many."""
        self._awaiting: deque[tuple[CapturedFlow, PacketRow]] = deque()
        self._budget = RowBudget(most_awaiting, MOST_AWAITING_BYTES)

    def get(self, ends: FlowEnds) -> CapturedFlow | None:
        """The direction that packets with these ends belong to, if it was met before."""
        return self._by_ends.get(ends)

    def of(self, ends: FlowEnds) -> CapturedFlow:
        """The same, made when it is new."""
        flow = self._by_ends.get(ends)
        if flow is None:
            self._made += 1
            flow = CapturedFlow(self._made, ends)
            self._enter(ends, flow)
        return flow

    def relate(self, flow: CapturedFlow, ends: FlowEnds) -> None:
        """Note that packets of ``flow`` also show with these ends."""
        other = self._by_ends.get(ends)
        if other is flow:
            return
        if ends not in flow.tuples:
            flow.tuples.append(ends)
            del flow.tuples[1:-7]  # a tuple that is translated anew again and again
        self._enter(ends, flow)

    def await_answer(self, flow: CapturedFlow, row: PacketRow) -> None:
        """Remember that a packet of ``flow`` awaits an answer."""
        flow.awaiting.append(row)
        self._awaiting.append((flow, row))
        self._budget.add(row)
        while self._budget.is_exceeded:
            asker, oldest = self._awaiting.popleft()
            self._budget.remove(oldest)
            if asker.awaiting and asker.awaiting[0] is oldest:  # or else it was answered
                asker.awaiting.popleft()

    def flows(self) -> list[CapturedFlow]:
        """Every direction that is remembered, in the order in which they were met."""
        return sorted({id(flow): flow for flow in self._by_ends.values()}.values(), key=lambda flow: flow.number)

    def _enter(self, ends: FlowEnds, flow: CapturedFlow) -> None:
        back = self._by_ends.get(ends.reverse())
        if back is not None and back is not flow and flow.reverse is None:
            flow.reverse, back.reverse = back, flow
        self._by_ends[ends] = flow
        if len(self._by_ends) > self._most:
            self._by_ends.pop(next(iter(self._by_ends)))
            self.forgotten += 1
