"""From a ring's memory straight to pcapng packet blocks: what is only written is never made a packet of.  Pure.

The work for each packet is what decides how fast a capture may be.  Frames
that are all alike but for their content (a flood, a transfer's segments) are
copied column by column; any others by one plain loop, which makes what is the
same for all packets of a size once.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from mmap import mmap
from typing import Final, NamedTuple

from dnet_tui.inspect.capture.files.pcapng_blocks import PACKET, epb_flags
from dnet_tui.inspect.capture.packet import OUTGOING

# tpacket3_hdr: next, sec, nsec, snaplen, len, status, mac … vlan_tci, vlan_tpid; then sockaddr_ll's sll_pkttype
FRAME_HEADER: Final = struct.Struct("=6IH6xIH20xB")
VLAN_VALID: Final = 0x10
_TPID_VALID, _TPID_8021Q = 0x40, 0x8100
_TAG = struct.Struct("!HH")
_HEADER = struct.Struct("=IIIQQ30xB")  # next, sec, nsec, both lengths in one, status and mac in one; sll_pkttype
_HEAD = struct.Struct("=III")  # type, total length, interface
_TIME = struct.Struct("=II")
_HEAD_SIZE = 28
_TAIL = struct.Struct("=HHIHHI")
_MOST_KEPT = 8192
_SECOND = 1_000_000_000

_RUN: Final = 24
"""Frames that must be alike for columns to be faster than the loop."""

_STRETCH: Final = 256
"""Frames given to the loop at once."""

_SMALL: Final = 256
"""Above so many bytes the loop is faster: it copies a frame at once."""

# Words of a frame that must be the same for all: next, sec, snaplen, len, status, mac and net; hatype and pkttype.
_ALIKE: Final = (0, 1, 3, 4, 5, 6, 14)
_NSEC: Final = 2


class PacketBlocks(NamedTuple):
    """Whole packet blocks, one behind the other: how many, and the times of the first and the last in nanoseconds."""

    data: bytes
    packets: int
    first_ns: int
    last_ns: int


class _Run(NamedTuple):
    """Blocks that were added: how many, and the times of the first and the last."""

    packets: int
    first_ns: int
    last_ns: int


_NOTHING = _Run(0, 0, 0)


_Shape = tuple[Callable[[bytes, int, int, int, bytes, bytes], bytes], bytes, bytes, int]
"""For the packets of one length: what puts a block together, what stands before the packet and behind it, its size.

A plain tuple: one with names takes the loop a quarter longer.
"""


class BlockMaker:
    """Makes the blocks of one point."""

    def __init__(self, point: int, snaplen: int, *, skip_outgoing: bool) -> None:
        self._point = point
        self._snaplen = snaplen
        self._skip_outgoing = skip_outgoing
        self._shapes: dict[int, dict[int, _Shape]] = {}  # by reception, then by both lengths

    def make(self, memory: mmap, at: int, count: int) -> PacketBlocks | None:
        """The blocks of ``count`` frames that begin at ``at``; None when there is nothing to write."""
        pieces: list[bytes] = []
        made = first = last = 0
        with memoryview(memory) as seen, seen.cast("I") as words:
            while count:
                done = _alike(words, at, count)
                if done and (run := self._columns(pieces, memory, at, done)) is not None:
                    at += words[at >> 2] * done
                else:
                    # Frames that are alike may be further on; looking for them at each packet would cost too much.
                    done = min(count, done or _STRETCH)
                    run, at = self._loop(pieces, memory, at, done)
                count -= done
                if run.packets:
                    first = first or run.first_ns
                    last = run.last_ns
                    made += run.packets
        return PacketBlocks(b"".join(pieces), made, first, last) if made else None

    def _loop(self, pieces: list[bytes], memory: mmap, at: int, count: int) -> tuple[_Run, int]:
        """Add the blocks of any frames; and where the next frame is."""
        unpack, skip = _HEADER.unpack_from, self._skip_outgoing
        before = len(pieces)
        add = pieces.append
        second = kind = usual = -1
        mac = high = base = offset = 0
        tagged = False
        shapes: dict[int, _Shape] = {}
        for _ in range(count):
            step, sec, nsec, lengths, state, reception = unpack(memory, at)
            if reception != kind:
                kind = reception
                shapes = self._shapes.setdefault(kind, {})  # nothing is kept of what is left out
            if sec != second:
                second = sec
                base = sec * _SECOND
                high = base + nsec >> 32
                offset = base - (high << 32)
            if state != usual:
                usual = state
                mac = state >> 32 & 0xFFFF
                tagged = bool(state & VLAN_VALID)
            start = at + mac
            try:
                if tagged:
                    data, lengths = self._tagged(memory, at)
                    pack, head, tail, _ = shapes[lengths]
                    add(pack(head, high, offset + nsec, lengths, data, tail))
                else:
                    pack, head, tail, size = shapes[lengths]
                    add(pack(head, high, offset + nsec, lengths, memory[start : start + size], tail))
            except (KeyError, struct.error):  # a new length, or a time whose upper half is another one
                if not (skip and kind == OUTGOING):
                    data, lengths = self._tagged(memory, at)
                    pack, head, tail, _ = shapes.get(lengths) or self._shape(lengths, kind)
                    high = base + nsec >> 32
                    offset = base - (high << 32)
                    add(pack(head, high, offset + nsec, lengths, data, tail))
            at += step
        made = len(pieces) - before
        return (_Run(made, _time_of(pieces[before]), _time_of(pieces[-1])) if made else _NOTHING), at

    def _tagged(self, memory: mmap, at: int) -> tuple[bytes, int]:
        """A frame with its tag, if it had one, put back; and both its lengths in one number."""
        _, _, _, size, length, status, mac, tci, tpid, _ = FRAME_HEADER.unpack_from(memory, at)
        data = memory[at + mac : at + mac + size]
        if status & VLAN_VALID and size >= 12:
            data, length = with_tag(data, status, tci, tpid)[: self._snaplen], length + 4
        return data, len(data) | length << 32

    def _columns(self, pieces: list[bytes], memory: mmap, at: int, count: int) -> _Run | None:
        """Add the blocks of frames that are alike; None where their times don't have their upper half in common."""
        step, sec, nsec, size, _, _, mac, _, _, reception = FRAME_HEADER.unpack_from(memory, at)
        if self._skip_outgoing and reception == OUTGOING:
            return _NOTHING
        base = sec * _SECOND
        high = base + nsec >> 32
        offset = base - (high << 32)
        frames, stride = memory[at : at + step * count], step >> 2
        words = array("I", frames)
        try:
            lows = array("I", [offset + item for item in words[_NSEC::stride]])
        except OverflowError:
            return None
        (lengths,) = struct.unpack_from("=Q", memory, at + 12)
        shapes = self._shapes.setdefault(reception, {})
        _, head, tail, _ = shapes.get(lengths) or self._shape(lengths, reception)
        whole, rest = divmod(size, 4)
        model = head + struct.pack("=IIQ", high, 0, lengths) + bytes(size) + tail
        made = array("I", model * count)
        each = len(model) >> 2
        made[4::each] = lows
        for word in range(whole):
            made[7 + word :: each] = words[(mac >> 2) + word :: stride]
        data = memoryview(made).cast("B")
        for byte in range(whole * 4, whole * 4 + rest):
            data[_HEAD_SIZE + byte :: len(model)] = memoryview(frames)[mac + byte :: step]
        pieces.append(made.tobytes())
        return _Run(count, high << 32 | lows[0], high << 32 | lows[-1])

    def _shape(self, lengths: int, reception: int) -> _Shape:
        """Make, and keep, what stands around the packets of one length (both its numbers in one)."""
        size = lengths & 0xFFFFFFFF
        padding = -size % 4
        total = _HEAD_SIZE + size + padding + _TAIL.size
        head = _HEAD.pack(PACKET, total, self._point)
        tail = b"\0" * padding + _TAIL.pack(2, 4, epb_flags(reception), 0, 0, total)
        shape = struct.Struct(f"=12sIIQ{size}s{len(tail)}s").pack, head, tail, size
        shapes = self._shapes[reception]
        if len(shapes) >= _MOST_KEPT:
            shapes.clear()
        shapes[lengths] = shape
        return shape


def _alike(words: memoryview, at: int, count: int) -> int:
    """How many frames from here on differ in their time and content alone; 0 where they are few, large or tagged."""
    begin = at >> 2
    step = words[begin]
    stride = step >> 2
    if count < _RUN or not step or step % 8 or words[begin + 3] > _SMALL or words[begin + 6] % 4:
        return 0
    if words[begin + 5] & VLAN_VALID or words[begin + stride] != step:
        return 0
    # The last frame of a block has no next one, so that it is left to the loop.
    most = min(count - 1, (len(words) - begin) // stride)
    for word in _ALIKE:
        column = array("I", words[begin + word : begin + stride * most : stride].tobytes())
        most = _leading(column)
        if most < _RUN:
            return 0
    return most


def _leading(column: array[int]) -> int:
    """How many values at the beginning are the same."""
    value = column[0]
    if column == array("I", [value]) * len(column):
        return len(column)
    return next(index for index, item in enumerate(column) if item != value)


def _time_of(piece: bytes) -> int:
    high, low = _TIME.unpack_from(piece, _HEAD.size)
    return int(high << 32 | low)


def with_tag(data: bytes, status: int, tci: int, tpid: int) -> bytes:
    """A frame with its VLAN tag, which the kernel keeps beside it, back where it was on the wire."""
    return data[:12] + _TAG.pack(tpid if status & _TPID_VALID else _TPID_8021Q, tci) + data[12:]
