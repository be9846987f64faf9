"""Packets of several points that are only written: each is its block of a pcapng file already.  Pure.

They are put in the order of their time, and into the capture's span, as any
others; only what is looked at for the span's sake becomes a packet again.
"""

from __future__ import annotations

import struct

import msgspec

from dnet_tui.inspect.capture.files.pcapng_blocks import reception_of
from dnet_tui.inspect.capture.packet import CapturedPacket
from dnet_tui.inspect.capture.ring_blocks import PacketBlocks

_HEAD = struct.Struct("=4xI4xII")  # the block's length, the halves of the time
_LENGTHS = struct.Struct("=II")
_LENGTHS_AT, _DATA_AT = 20, 28
_FLAGS_FROM_END = 12


class WrittenPacket(msgspec.Struct, frozen=True, gc=False):
    """As :class:`CapturedPacket`, but ``data`` is its enhanced packet block."""

    time_ns: int
    point: int
    linktype: int
    data: bytes

    def captured(self) -> CapturedPacket:
        """The packet itself."""
        size, length = _LENGTHS.unpack_from(self.data, _LENGTHS_AT)
        (flags,) = struct.unpack_from("=I", self.data, len(self.data) - _FLAGS_FROM_END)
        content = self.data[_DATA_AT : _DATA_AT + size]
        return CapturedPacket(self.time_ns, self.point, reception_of(flags), self.linktype, length, content)


def written_packets(blocks: PacketBlocks, point: int, linktype: int) -> list[WrittenPacket]:
    """The packets of one point's blocks."""
    found: list[WrittenPacket] = []
    data, unpack = bytes(blocks.data), _HEAD.unpack_from
    at = 0
    for _ in range(blocks.packets):
        total, high, low = unpack(data, at)
        found.append(WrittenPacket(high << 32 | low, point, linktype, data[at : at + total]))
        at += total
    return found
