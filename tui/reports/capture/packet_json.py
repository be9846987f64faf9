"""A packet as one JSON object with its sightings.  Pure.  ``docs/capture.schema.json`` describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dnet_tui.inspect.capture.correlation.packet_row import PacketRow, Sighting
from dnet_tui.inspect.capture.decode import PacketSummary, summarise, timestamp
from dnet_tui.inspect.capture.packet import OUTGOING
from dnet_tui.tui.reports.capture.missing_points import MissingPoint
from dnet_tui.tui.reports.capture.packet_table import address_text


def summary_fields(shown: PacketSummary) -> dict[str, Any]:
    """The fields that every packet has, its time as UTC text with nanoseconds."""
    return {
        "time": timestamp(shown.time),
        "point": shown.point,
        "direction": shown.direction,
        "src": shown.src,
        "dst": shown.dst,
        "proto": shown.proto,
        "sport": shown.sport,
        "dport": shown.dport,
        "length": shown.length,
        "info": shown.info,
    }


def packet_fields(
    row: PacketRow, labels: Sequence[str], names: Mapping[str, str], missing: Sequence[MissingPoint], wait_ms: int
) -> dict[str, Any]:
    """One packet; the plain fields are those of its first sighting."""
    shown = summarise(row.packet, labels[row.packet.point])
    data = summary_fields(shown)
    first = row.packet.time_ns
    ports = shown.sport is not None or shown.dport is not None
    data |= {
        "number": row.number,
        "src_name": names.get(shown.src),
        "dst_name": names.get(shown.dst),
        "sightings": [_sighting(item, labels, first, ports=ports) for item in row.sightings],
        "not_at": [
            {
                "point": labels[item.point],
                "waited_ms": wait_ms,
                "reason": item.reason or None,
                "rule": item.rule or None,
            }
            for item in missing
        ],
        "answers": row.answer_to or None,
        "round_trips": [{"point": labels[point], "ns": took} for point, took in row.round_trips],
        "remarks": [
            *row.words,
            *(["alike"] if row.alike else []),
            *(["apart"] if row.apart else []),
        ],
    }
    return data


def _sighting(item: Sighting, labels: Sequence[str], first: int, *, ports: bool) -> dict[str, Any]:
    ends = item.ends
    return {
        "point": labels[item.point],
        "delay_ns": item.time_ns - first,
        "direction": "out" if item.reception == OUTGOING else "in",
        "src": address_text(ends.src) if ends is not None else None,
        "sport": ends.sport if ends is not None and ports else None,
        "dst": address_text(ends.dst) if ends is not None else None,
        "dport": ends.dport if ends is not None and ports else None,
        "length": item.length,
        "pieces": item.pieces,
    }
