"""A packet as one JSON object with its sightings.  Pure.

The contract is these types; ``docs/capture.schema.json`` is generated from them.  They only grow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from dnet_tui.inspect.capture.correlation.packet_row import PacketRow, Sighting
from dnet_tui.inspect.capture.correlation.row_text import address_text
from dnet_tui.inspect.capture.decode import PacketSummary, summarise, timestamp
from dnet_tui.inspect.capture.packet import OUTGOING
from dnet_tui.tui.reports.capture.missing_point import MissingPoint


class PointPacketData(msgspec.Struct, frozen=True, kw_only=True):
    """A packet at one point: what a capture at a single point prints.

    ``time`` is UTC with nanoseconds; ``src`` and ``dst`` are MAC addresses where there are no others.
    """

    time: str
    point: str
    direction: Literal["in", "out"]
    src: str
    dst: str
    proto: str
    sport: int | None
    dport: int | None
    length: int
    info: str


class SightingData(msgspec.Struct, frozen=True, kw_only=True):
    """The packet at one point, ``delay_ns`` after it was seen first, with its tuple as it is there.

    ``pieces``: in how many frames it was there (fragments, segments).
    """

    point: str
    delay_ns: int
    direction: Literal["in", "out"]
    src: str | None
    sport: int | None
    dst: str | None
    dport: int | None
    length: int
    pieces: int


class NotAtData(msgspec.Struct, frozen=True, kw_only=True):
    """A point that the packet should have come to and didn't in ``waited_ms``; ``rule``: the text of what stops it.

    ``point`` is null where it got no further and where it would have gone can't be said (there is no route).
    """

    point: str | None
    waited_ms: int
    reason: str | None
    rule: str | None


class RoundTripData(msgspec.Struct, frozen=True, kw_only=True):
    """Nanoseconds from the question to this answer, at one point."""

    point: str
    ns: int


class FieldData(msgspec.Struct, frozen=True, kw_only=True):
    """A field: ``start`` and ``end`` (excluded) are its bytes in the frame, ``fields`` those within it."""

    name: str
    value: str | None
    start: int
    end: int
    fields: list[FieldData]


class PacketData(PointPacketData, frozen=True, kw_only=True):
    """A packet of a capture at several points; the plain fields are those of its first sighting.

    ``answers`` is the ``number`` of the packet that it answers.  ``remarks``:
    ``retransmission``, ``keep-alive``, ``reset``; ``alike`` (only their order
    tells several packets apart), ``apart`` (it may be a packet of another
    row, which could not be decided), ``not-followed`` (memory ran short: at
    other points it was not waited for).  A capture at a single point prints the
    plain fields alone.  With ``--detail`` or ``--packet`` there are ``layers``,
    outermost first, and ``bytes``: what was captured of the frame, in hex.
    """

    number: int
    src_name: str | None
    dst_name: str | None
    sightings: list[SightingData]
    not_at: list[NotAtData]
    answers: int | None
    round_trips: list[RoundTripData]
    remarks: list[str]
    layers: list[FieldData] | msgspec.UnsetType = msgspec.UNSET
    bytes: str | msgspec.UnsetType = msgspec.UNSET


def point_packet(shown: PacketSummary) -> PointPacketData:
    """A packet of a capture at one point."""
    return PointPacketData(
        time=timestamp(shown.time),
        point=shown.point,
        direction=shown.direction,
        src=shown.src,
        dst=shown.dst,
        proto=shown.proto,
        sport=shown.sport,
        dport=shown.dport,
        length=shown.length,
        info=shown.info,
    )


def packet_data(
    row: PacketRow, labels: Sequence[str], names: Mapping[str, str], missing: Sequence[MissingPoint], wait_ms: int
) -> PacketData:
    """A packet of a capture at several points."""
    shown = summarise(row.packet, labels[row.packet.point])
    first = row.packet.time_ns
    ports = shown.sport is not None or shown.dport is not None
    return PacketData(
        **msgspec.structs.asdict(point_packet(shown)),
        number=row.number,
        src_name=names.get(shown.src),
        dst_name=names.get(shown.dst),
        sightings=[_sighting(item, labels, first, ports=ports) for item in row.sightings],
        not_at=[
            NotAtData(
                point=labels[item.point] if item.point is not None else None,
                waited_ms=wait_ms,
                reason=item.reason or None,
                rule=item.rule or None,
            )
            for item in missing
        ],
        answers=row.answer_to or None,
        round_trips=[RoundTripData(point=labels[point], ns=took) for point, took in row.round_trips],
        remarks=[*row.words, *(word for word, said in _remarks(row) if said)],
    )


def _remarks(row: PacketRow) -> tuple[tuple[str, bool], ...]:
    return ("alike", row.alike), ("apart", row.apart), ("not-followed", row.hurried)


def _sighting(item: Sighting, labels: Sequence[str], first: int, *, ports: bool) -> SightingData:
    ends = item.ends
    return SightingData(
        point=labels[item.point],
        delay_ns=item.time_ns - first,
        direction="out" if item.reception == OUTGOING else "in",
        src=address_text(ends.src) if ends is not None else None,
        sport=ends.sport if ends is not None and ports else None,
        dst=address_text(ends.dst) if ends is not None else None,
        dport=ends.dport if ends is not None and ports else None,
        length=item.length,
        pieces=item.pieces,
    )
