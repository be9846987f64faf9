"""Packets that are one frame at one point and several at another: fragments, and segments of an offloaded frame.  Pure.

Connection tracking puts fragments together (so a bridge shows one packet
where its port showed three), and a device cuts TCP's large frames only when
it sends them.  A piece that comes after the whole is counted at the whole's
row; a whole that comes after its pieces is seen at the row of each.
"""

from __future__ import annotations

from dnet_tui.inspect.capture.correlation.flow_table import FlowTable
from dnet_tui.inspect.capture.correlation.packet_identity import TCP, FlowEnds, PacketIdentity
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow, Sighting
from dnet_tui.inspect.capture.packet import CapturedPacket

_RANGE = 1 << 32
_MOST = 128
"""Rows that are looked at for one packet: a hostile sender can make many that have much in common."""


class PieceIndex:
    """The unfinished rows by what their pieces have in common."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, ...], list[PacketRow]] = {}

    def add(self, row: PacketRow) -> None:
        """Take a new row into the index."""
        for key in _keys(row.identity):
            self._rows.setdefault(key, []).append(row)

    def remove(self, row: PacketRow) -> None:
        """Forget a row that is finished."""
        for key in _keys(row.identity):
            rows = self._rows[key]
            rows.remove(row)
            if not rows:
                del self._rows[key]

    def join(self, packet: CapturedPacket, identity: PacketIdentity, flows: FlowTable) -> PacketRow | None:
        """The row of which this is the whole or a piece, if there is one."""
        ends = identity.ends
        if ends is None:
            return None
        joined: PacketRow | None = None
        sighting = Sighting(packet.point, packet.time_ns, packet.reception, packet.length, ends)
        for key in _keys(identity):
            for row in tuple(self._rows.get(key, ())[:_MOST]):
                relation = _relation(row.identity, identity)
                if not relation or not _akin(row, ends, flows):
                    continue
                if relation == "piece":
                    if not _add_piece(row, sighting):
                        continue
                elif sighting.passage in row.passages:
                    continue
                else:
                    row.sightings.append(sighting._replace(whole=True))
                    row.passages.add(sighting.passage)
                if row.flow is not None and ends not in row.flow.tuples and _same_kind(row, ends):
                    flows.relate(row.flow, ends)
                joined = joined or row
                if relation == "piece":
                    return row
        return joined


def _keys(identity: PacketIdentity) -> tuple[tuple[int, ...], ...]:
    ends = identity.ends
    if ends is None:
        return ()
    if ends.proto == TCP and identity.size and not identity.later:
        # A frame holds less than 64 KiB: it lies in one or two of such stretches.
        first, last = identity.seq >> 16, (identity.seq + identity.size - 1) % _RANGE >> 16
        keys = ((TCP, identity.ack, first), (TCP, identity.ack, last))
        return keys[:1] if first == last else keys
    return ((ends.proto, identity.ident, 1),) if identity.ident else ()


def _relation(row: PacketIdentity, new: PacketIdentity) -> str:
    """``piece``: the new one is a part of the row's; ``whole``: the other way round; empty for neither."""
    if row.size == new.size:
        return ""
    if new.ends is not None and new.ends.proto == TCP and not new.later:
        shift = (new.seq - row.seq) % _RANGE
        if shift + new.size <= row.size:
            return "piece"
        shift = (row.seq - new.seq) % _RANGE
        return "whole" if shift + row.size <= new.size else ""
    if row.fragment == new.fragment:
        return ""
    if not row.fragment:
        return "piece"
    return "whole" if not new.fragment else ""


def _same_kind(row: PacketRow, ends: FlowEnds) -> bool:
    mine = row.identity.ends
    return mine is not None and bool(mine.sport) == bool(ends.sport)


def _akin(row: PacketRow, ends: FlowEnds, flows: FlowTable) -> bool:
    """Whether the ends fit: the same connection's, or one address of each unchanged."""
    if row.flow is not None and flows.get(ends) is row.flow:
        return True
    last = row.sightings[-1].ends
    if last is None:
        return False
    if ends.sport and last.sport and ends.proto == TCP:
        return (ends.src, ends.sport) == (last.src, last.sport) or (ends.dst, ends.dport) == (last.dst, last.dport)
    return ends.src == last.src or ends.dst == last.dst


def _add_piece(row: PacketRow, sighting: Sighting) -> bool:
    """Count a piece at its point; whether it fits there."""
    for index, item in enumerate(row.sightings):
        if item.passage == sighting.passage:
            if index == 0 or item.whole or item.length == row.sightings[0].length:
                return False  # the whole was seen here
            row.sightings[index] = item._replace(pieces=item.pieces + 1, length=item.length + sighting.length)
            return True
    row.sightings.append(sighting)
    row.passages.add(sighting.passage)
    return True
