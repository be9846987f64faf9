"""One packet in full, beneath its row: its fields as a tree, and its bytes.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from dnet_tui.inspect.capture.dissect.field_reader import PacketField
from dnet_tui.inspect.capture.dissect.packet_tree import hex_lines, packet_tree, tree_lines
from dnet_tui.inspect.capture.packet import CapturedPacket
from dnet_tui.tui.reports.capture.packet_json import FieldData, PacketData
from dnet_tui.tui.reports.wrapping import paragraph

_WIDE_HEX = 66  # cells of 16 bytes


def detail_lines(packet: CapturedPacket, width: int | None) -> Iterator[str]:
    """The tree and the bytes as lines of at most ``width`` cells (None: any)."""
    for line in tree_lines(packet_tree(packet.data, packet.linktype)):
        text = line.lstrip()
        indent = " " * (len(line) - len(text) + 2)
        yield from paragraph(text, width, indent, indent + "  ")
    yield from hex_lines(packet.data, 16 if width is None or width >= _WIDE_HEX else 8)


def detail_data(data: PacketData, packet: CapturedPacket) -> PacketData:
    """The same as JSON."""
    layers = _fields(packet_tree(packet.data, packet.linktype))
    return msgspec.structs.replace(data, layers=layers, bytes=packet.data.hex())


def _fields(fields: Sequence[PacketField]) -> list[FieldData]:
    return [
        FieldData(name=item.name, value=item.value or None, start=item.start, end=item.end, fields=_fields(item.fields))
        for item in fields
    ]
