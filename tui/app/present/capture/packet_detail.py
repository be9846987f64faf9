"""One packet in full: where it was seen, its layers as a tree of fields, its bytes.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dnet_tui.inspect.capture.board.capture_board import BoardRow
from dnet_tui.inspect.capture.decode import clock
from dnet_tui.inspect.capture.dissect.field_reader import PacketField
from dnet_tui.inspect.capture.dissect.packet_tree import hex_lines, packet_tree
from dnet_tui.tui.app.present.capture.packets import delay
from dnet_tui.tui.app.present.styled_text import BLANK, CROSS, Paragraph, bullet, fact, heading, line, say

MOST_BYTES = 4096
"""Bytes that are shown in hex: a frame that was offloaded has up to 64 KiB."""

NOTHING = (
    Paragraph(line(say("Of the packet under the cursor its way, its fields and its bytes are shown here.", "dim"))),
)

_WAYS = {"in": "received", "out": "sent"}


def detail(row: BoardRow, points: Sequence[str]) -> tuple[Paragraph, ...]:
    """Return everything that is known of a packet; ``points`` are the capture's labels."""
    packet = row.packet
    size = f"{packet.length} bytes on the wire"
    if len(packet.data) < packet.length:
        size += f", {len(packet.data)} captured"
    return (
        fact("packet", say(row.proto, "head"), f" {row.info}"),
        fact("time", clock(packet.time_ns), say(f"  number {row.number}, {size}", "dim")),
        *_sightings(row, points),
        *(fact("answers", f"packet {row.answers}") for _ in range(row.answers > 0)),
        *(fact("round trip", f"{delay(time)[1:]} at ", say(points[at], "info")) for at, time in row.round_trips),
        *(fact("remark", say(word, "warn")) for word in row.remarks),
        BLANK,
        heading("Fields"),
        *_tree(packet_tree(packet.data, packet.linktype), 0),
        BLANK,
        heading(f"Bytes at {points[packet.point]}"),
        *(Paragraph(line(text)) for text in hex_lines(packet.data[:MOST_BYTES])),
        *([bullet(f"{len(packet.data) - MOST_BYTES} bytes more")] if len(packet.data) > MOST_BYTES else []),
    )


def _sightings(row: BoardRow, points: Sequence[str]) -> Iterator[Paragraph]:
    for item in row.sightings:
        yield fact(
            f"{item.point + 1} {delay(item.delay_ns)}",
            say(points[item.point], "info"),
            f" {_WAYS[item.direction]} ",
            say(item.src, "name"),
            " → ",
            say(item.dst, "name"),
            f" in {item.pieces} pieces" if item.pieces > 1 else "",
        )
    for point, reason in row.missed:
        where = "went no further" if point is None else f"not seen at {points[point]}"
        yield fact("", say(f"{CROSS} {where}", "bad"), f": {reason}" if reason else "")


def _tree(fields: Sequence[PacketField], depth: int) -> Iterator[Paragraph]:
    for item in fields:
        name = say(item.name, "name" if depth == 0 else "key")
        indent = "  " * depth
        yield Paragraph(line(indent, name, f": {item.value}" if item.value else ""), hang=len(indent) + 2)
        yield from _tree(item.fields, depth + 1)
