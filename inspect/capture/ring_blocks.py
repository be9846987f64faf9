"""From a ring's memory straight to pcapng packet blocks: what is only written is never made a packet of.  Pure.

The work for each packet is what decides how fast a capture may be, so this is
one plain loop, and what is the same for all packets of a size is made once.
"""

from __future__ import annotations

import struct
from mmap import mmap
from typing import Final, NamedTuple

from dnet_tui.inspect.capture.files.pcapng_blocks import PACKET, epb_flags
from dnet_tui.inspect.capture.packet import OUTGOING

# tpacket3_hdr: next, sec, nsec, snaplen, len, status, mac … vlan_tci, vlan_tpid; then sockaddr_ll's sll_pkttype
FRAME_HEADER: Final = struct.Struct("=6IH6xIH20xB")
VLAN_VALID: Final = 0x10
_TPID_VALID, _TPID_8021Q = 0x40, 0x8100
_TAG = struct.Struct("!HH")
_HEAD = struct.Struct("=III")
_MIDDLE = struct.Struct("=IIII")
_TAIL = struct.Struct("=HHIHHI")
_MOST_KEPT = 8192


class PacketBlocks(NamedTuple):
    """Whole packet blocks, one behind the other: how many, and the times of the first and the last in nanoseconds."""

    data: bytes
    packets: int
    first_ns: int
    last_ns: int


class BlockMaker:
    """Makes the blocks of one point."""

    def __init__(self, point: int, snaplen: int, *, skip_outgoing: bool) -> None:
        self._point = point
        self._snaplen = snaplen
        self._skip_outgoing = skip_outgoing
        self._kept: dict[tuple[int, int], tuple[bytes, bytes]] = {}

    def make(self, memory: mmap, at: int, count: int) -> PacketBlocks | None:
        """The blocks of ``count`` frames that begin at ``at``; None when there is nothing to write."""
        unpack, middle, kept = FRAME_HEADER.unpack_from, _MIDDLE.pack, self._kept
        skip = self._skip_outgoing
        pieces: list[bytes] = []
        made = first = 0
        second = -1
        high = low = base = 0
        for _ in range(count):
            step, sec, nsec, size, length, status, mac, tci, tpid, reception = unpack(memory, at)
            start = at + mac
            at += step
            if skip and reception == OUTGOING:
                continue
            data = memory[start : start + size]
            if status & VLAN_VALID and size >= 12:
                data = with_tag(data, status, tci, tpid)[: self._snaplen]
                size, length = len(data), length + 4
            if sec != second:
                second = sec
                base = sec * 1_000_000_000
            high, low = divmod(base + nsec, 0x1_0000_0000)
            ends = kept.get((size, reception)) or self._ends(size, reception)
            pieces += (ends[0], middle(high, low, size, length), data, ends[1])
            if not made:
                first = base + nsec
            made += 1
        if not made:
            return None
        return PacketBlocks(b"".join(pieces), made, first, high << 32 | low)

    def _ends(self, size: int, reception: int) -> tuple[bytes, bytes]:
        """What stands before and behind the packets of one size."""
        padding = -size % 4
        total = 28 + size + padding + 16
        head = _HEAD.pack(PACKET, total, self._point)
        tail = b"\0" * padding + _TAIL.pack(2, 4, epb_flags(reception), 0, 0, total)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[size, reception] = head, tail
        return head, tail


def with_tag(data: bytes, status: int, tci: int, tpid: int) -> bytes:
    """A frame with its VLAN tag, which the kernel keeps beside it, back where it was on the wire."""
    return data[:12] + _TAG.pack(tpid if status & _TPID_VALID else _TPID_8021Q, tci) + data[12:]
