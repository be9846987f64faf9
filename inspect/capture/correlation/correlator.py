"""Joins the sightings of one packet at several points into one row.  Pure: no clock, no I/O, bounded memory.

Packets come in the order of their time.  A sighting joins the row that has
its key (:mod:`packet_identity`), was not seen at this point in this direction
yet, and whose tuple it may have had: the same; one that is known to be the
same connection; one with one end unchanged; or, where the key itself is no
accident, any.  Where several rows fit equally well and differ, it is left
apart and says so, rather than joined to the wrong one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from dnet_tui.inspect.capture.correlation.alike_rows import AlikeRows
from dnet_tui.inspect.capture.correlation.answers import find_question
from dnet_tui.inspect.capture.correlation.flow_table import FlowTable
from dnet_tui.inspect.capture.correlation.packet_identity import TCP, FlowEnds, PacketIdentity, identify
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow, Sighting
from dnet_tui.inspect.capture.correlation.pieces import PieceIndex
from dnet_tui.inspect.capture.correlation.row_budget import RowBudget
from dnet_tui.inspect.capture.correlation.tcp_words import note_tcp
from dnet_tui.inspect.capture.packet import CapturedPacket

WAIT_NS: Final = 200_000_000
"""How long a packet is waited for at the points that have not seen it."""

_CALM_NS: Final = 5_000_000
"""A row that every point has seen is finished this long after its last sighting: a hairpin passes a point twice."""

MOST_ROWS: Final = 25_000
"""Rows that may be unfinished; above it the oldest are finished early and ``hurried`` counts them."""

MOST_BYTES: Final = 64 << 20
"""The same in bytes of memory."""

_STRETCH = 2000
"""Packets that are joined before rows are finished: a full ring's packets must not all be rows at once."""

_MOST_HOPS = 8
_SAME, _FLOW, _ONE_END, _NO_END = 3, 2, 1, 0

SameConnection = Callable[[FlowEnds, FlowEnds], bool | None]
"""Whether packets with these ends are of one connection's same direction; None when nobody knows."""


def _nobody_knows(_: FlowEnds, __: FlowEnds) -> bool | None:
    return None


class Correlator:
    """The rows of one capture at ``points`` points."""

    def __init__(
        self,
        points: int,
        *,
        wait_ns: int = WAIT_NS,
        most_rows: int = MOST_ROWS,
        most_bytes: int = MOST_BYTES,
        same_connection: SameConnection = _nobody_knows,
    ) -> None:
        self.flows = FlowTable()
        self.hurried = 0
        self._points = points
        self._wait = wait_ns
        self._budget = RowBudget(most_rows, most_bytes)
        self._same_connection = same_connection
        self._rows: deque[PacketRow] = deque()
        self._by_key: dict[int, AlikeRows] = {}
        self._pieces = PieceIndex()
        self._made = 0

    def widen(self, points: int) -> None:
        """There are more points from now on (a file may tell of them late)."""
        self._points = max(self._points, points)

    def feed(self, packet: CapturedPacket) -> PacketRow:
        """Take one sighting; the row it belongs to."""
        identity = identify(packet)
        row = self._join(packet, identity) if self._points > 1 else None
        return row if row is not None else self._new(packet, identity)

    def finished(self, until_ns: int, *, everything: bool = False) -> list[PacketRow]:
        """The rows that nothing more is awaited for, in the order of their first sighting.

        ``until_ns``: every packet up to this moment has been fed.
        """
        done: list[PacketRow] = []
        rows = self._rows
        while rows and (everything or self._is_due(rows[0], until_ns)):
            done.append(self._finish(rows.popleft()))
        return done

    def follow(self, packets: Sequence[CapturedPacket], until_ns: int) -> Iterator[list[PacketRow]]:
        """Take packets in the order of their time, and give the rows that are finished a few at a time.

        ``until_ns``: with them, every packet up to this moment has been fed.
        """
        for start in range(0, len(packets), _STRETCH):
            for packet in packets[start : start + _STRETCH]:
                self.feed(packet)
            yield self.finished(min(packet.time_ns, until_ns))
        yield self.finished(until_ns)

    def next_due(self) -> int | None:
        """When the oldest row is due at the latest, in nanoseconds; None when there is none."""
        return self._rows[0].packet.time_ns + self._wait if self._rows else None

    # -- joining ------------------------------------------------------------

    def _new(self, packet: CapturedPacket, identity: PacketIdentity) -> PacketRow:
        self._made += 1
        ends = identity.ends
        flow = self.flows.of(ends) if ends is not None else None
        row = PacketRow(self._made, packet, identity, flow)
        self._rows.append(row)
        self._budget.add(row)
        if self._points > 1:
            row.indexed = True
            alike = self._by_key.get(identity.key)
            if alike is None:
                self._by_key[identity.key] = AlikeRows(row)
            else:
                alike.rows.append(row)
        if flow is not None:
            if not flow.packets:
                flow.began = packet.point, packet.reception
            flow.packets += 1
            flow.size += packet.length
            note_tcp(row, flow)
            find_question(row, flow, self.flows)
        if self._points > 1:
            self._pieces.add(row)
        return row

    def _join(self, packet: CapturedPacket, identity: PacketIdentity) -> PacketRow | None:
        candidates = self._by_key.get(identity.key)
        ends = identity.ends
        passage = packet.point << 1 | (packet.reception == 4)
        if candidates:
            fitting = [row for row in candidates.without(passage) if 0 <= row.identity.ttl - identity.ttl <= _MOST_HOPS]
            if fitting:
                row = (
                    fitting[0]
                    if len(fitting) == 1 and self._surely(fitting[0], ends)
                    else self._best(fitting, identity)
                )
                if row is None:
                    made = self._new(packet, identity)
                    made.apart = True
                    return made
                self._see(row, packet, ends)
                row.passages.add(passage)
                return row
        return self._pieces.join(packet, identity, self.flows)

    def _see(self, row: PacketRow, packet: CapturedPacket, ends: FlowEnds | None) -> None:
        row.sightings.append(Sighting(packet.point, packet.time_ns, packet.reception, packet.length, ends))
        if ends is not None and row.flow is not None and ends != row.identity.ends:
            self.flows.relate(row.flow, ends)

    def _surely(self, row: PacketRow, ends: FlowEnds | None) -> bool:
        """Whether the tuple is the row's own, or known to be."""
        return ends == row.identity.ends or (ends is not None and self.flows.get(ends) is row.flow)

    def _best(self, fitting: list[PacketRow], identity: PacketIdentity) -> PacketRow | None:
        """The row that it belongs to; None where that can't be decided."""
        ends = identity.ends
        ranked = [(self._rank(row, ends), row) for row in fitting]
        top = max(rank for rank, _ in ranked)
        best = [row for rank, row in ranked if rank == top]
        if top == _SAME:
            if len(best) > 1:  # just alike: queues keep their order
                for row in best:
                    row.alike = True
            return best[0]
        if ends is None:
            return None
        if len(best) == 1 and (top == _FLOW or (identity.telling and ends.proto == TCP)):
            return best[0]
        verdicts = [self._same_connection(row.sightings[-1].ends or ends, ends) for row in best]
        agreed = [row for row, verdict in zip(best, verdicts, strict=True) if verdict]
        if agreed:
            return agreed[0] if len({row.flow for row in agreed}) == 1 else None
        open_ones = [row for row, verdict in zip(best, verdicts, strict=True) if verdict is None]
        if len(open_ones) != 1 and len({row.flow for row in open_ones}) != 1:
            return None
        if identity.telling or (top == _ONE_END and identity.ident):
            return open_ones[0]
        return None

    def _rank(self, row: PacketRow, ends: FlowEnds | None) -> int:
        if ends is None:
            return _SAME
        known = [item.ends for item in row.sightings]
        if ends in known:
            return _SAME
        flow = self.flows.get(ends)
        if flow is not None and flow is row.flow:
            return _FLOW
        last = known[-1]
        if last is None:
            return _NO_END
        if (ends.src, ends.sport) == (last.src, last.sport) or (ends.dst, ends.dport) == (last.dst, last.dport):
            return _ONE_END
        return _NO_END

    # -- ending -------------------------------------------------------------

    def _is_due(self, row: PacketRow, until_ns: int) -> bool:
        if self._budget.is_exceeded:
            self.hurried += 1
            row.hurried = True
            return True
        if until_ns - row.packet.time_ns >= self._wait:
            return True
        if len(row.passages) < self._points or until_ns - row.sightings[-1].time_ns < _CALM_NS:
            return False
        return len(row.points()) == self._points

    def _finish(self, row: PacketRow) -> PacketRow:
        self._budget.remove(row)
        if row.indexed:
            key = row.identity.key
            if self._by_key[key].forget_oldest():
                del self._by_key[key]
            self._pieces.remove(row)
        row.settle()
        return row


def correlate(packets: Iterable[CapturedPacket], points: int) -> list[PacketRow]:
    """All rows of a capture that has ended."""
    correlator = Correlator(points)
    rows: list[PacketRow] = []
    for packet in packets:
        correlator.feed(packet)
        rows += correlator.finished(packet.time_ns)
    return rows + correlator.finished(0, everything=True)
