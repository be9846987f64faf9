"""From a ring's memory straight to pcapng packet blocks: what is only written is never made a packet of.  Pure.

The work for each packet, and every copy of its bytes, is what decides how
fast a capture may be.  Blocks are therefore built in one buffer that is used
again and again.  Frames that are all alike but for their content (a flood, a
transfer's segments) are copied column by column, a stretch at a time, as long
as it is in the processor's cache; any others by one plain loop, which makes
what is the same for all packets of a size once.
"""

from __future__ import annotations

import struct
import sys
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
_LANE = 1 << 32

_RUN: Final = 24
"""Frames that must be alike for columns to be faster than the loop."""

_STRETCH: Final = 512
"""Frames that are looked at together."""

_SMALL: Final = 256
"""Above so many bytes the loop is faster: it copies a frame at once."""

# What must be the same for all frames of a run. In eights: next and sec, len and status; in fours: snaplen, mac and
# net, hatype and pkttype.
_ALIKE_EIGHTS: Final = (0, 2)
_ALIKE_FOURS: Final = (3, 6, 14)
_NSEC: Final = 2


class PacketBlocks(NamedTuple):
    """Whole packet blocks, one behind the other: how many, and the times of the first and the last in nanoseconds.

    ``data`` holds until the next packet is taken.
    """

    data: memoryview
    packets: int
    first_ns: int
    last_ns: int


_Shape = tuple[Callable[[bytearray, int, bytes, int, int, int, bytes, bytes], None], bytes, bytes, int, int]
"""For the packets of one length: what puts a block in place, what stands before the packet and behind it, both sizes.

A plain tuple: one with names takes the loop a quarter longer.
"""


class BlockMaker:
    """Makes the blocks of one point: :meth:`add` frames, then :meth:`take` their blocks.

    ``block_bytes``: the size of a ring's block.
    """

    def __init__(self, point: int, snaplen: int, block_bytes: int, *, skip_outgoing: bool) -> None:
        self._point = point
        self._snaplen = snaplen
        self._block_bytes = block_bytes
        self._skip_outgoing = skip_outgoing
        self._shapes: dict[int, dict[int, _Shape]] = {}  # by reception, then by both lengths
        self._room = bytearray(2 * block_bytes)
        self._used = 0
        self.packets = 0
        """The packets whose blocks wait to be taken."""
        self._last = 0  # where the last block begins

    @property
    def size(self) -> int:
        """Bytes of the blocks that wait to be taken."""
        return self._used

    def add(self, memory: mmap, at: int, count: int, enough: int = sys.maxsize) -> tuple[int, int]:
        """Make the blocks of ``count`` frames, which begin at ``at``, until there are ``enough`` bytes.

        Where the next frame is, and how many there are from there on.
        """
        if len(self._room) - self._used < self._block_bytes:  # a frame is always larger in the ring
            self._room = self._room.ljust(2 * len(self._room), b"\0")
        with memoryview(memory) as seen, seen.cast("I") as fours, seen.cast("Q") as eights:
            while count and self._used < enough:
                done = min(count - 1, _STRETCH)  # the last frame of a block has no next one
                if done >= _RUN and self._columns(seen, fours, eights, at, done):
                    at += fours[at >> 2] * done
                else:
                    done = min(count, _STRETCH >> 1)
                    at = self._loop(memory, at, done)
                count -= done
        return at, count

    def take(self) -> PacketBlocks | None:
        """The blocks made since the last time; None when there are none."""
        used, packets = self._used, self.packets
        self._used = self.packets = 0
        if not packets:
            return None
        room = self._room
        return PacketBlocks(memoryview(room)[:used], packets, _time_at(room, 0), _time_at(room, self._last))

    def _loop(self, memory: mmap, at: int, count: int) -> int:
        """Add the blocks of any frames; where the next frame is."""
        unpack, skip, room = _HEADER.unpack_from, self._skip_outgoing, self._room
        second = kind = usual = -1
        mac = high = base = offset = made = total = 0
        used = self._used
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
                mac = FRAME_HEADER.unpack_from(memory, at)[6]
                tagged = bool(FRAME_HEADER.unpack_from(memory, at)[5] & VLAN_VALID)
            start = at + mac
            try:
                if tagged:
                    data, lengths = self._tagged(memory, at)
                    put, head, tail, _, total = shapes[lengths]
                    put(room, used, head, high, offset + nsec, lengths, data, tail)
                else:
                    put, head, tail, size, total = shapes[lengths]
                    put(room, used, head, high, offset + nsec, lengths, memory[start : start + size], tail)
            except (KeyError, struct.error):  # a new length, or a time whose upper half is another one
                if skip and kind == OUTGOING:
                    at += step
                    continue
                data, lengths = self._tagged(memory, at)
                put, head, tail, _, total = shapes.get(lengths) or self._shape(lengths, kind)
                high = base + nsec >> 32
                offset = base - (high << 32)
                put(room, used, head, high, offset + nsec, lengths, data, tail)
            used += total
            made += 1
            at += step
        if made:
            self._used, self._last = used, used - total
            self.packets += made
        return at

    def _tagged(self, memory: mmap, at: int) -> tuple[bytes, int]:
        """A frame with its tag, if it had one, put back; and both its lengths in one number."""
        _, _, _, size, length, status, mac, tci, tpid, _ = FRAME_HEADER.unpack_from(memory, at)
        data = memory[at + mac : at + mac + size]
        if status & VLAN_VALID and size >= 12:
            data, length = with_tag(data, status, tci, tpid)[: self._snaplen], length + 4
        return data, int.from_bytes(struct.pack("=II", len(data), length), sys.byteorder)

    def _columns(self, seen: memoryview, fours: memoryview, eights: memoryview, at: int, count: int) -> bool:
        """Add the blocks of frames that are alike; False, and nothing is done, where they aren't."""
        step, sec, nsec, size, _, status, mac, _, _, reception = FRAME_HEADER.unpack_from(seen, at)
        end = at + step * count
        if not step or step % 8 or mac % 4 or size > _SMALL or status & VLAN_VALID or end > len(seen):
            return False
        if not _alike(fours, eights, at, end, step):
            return False
        if self._skip_outgoing and reception == OUTGOING:
            return True
        base = sec * _SECOND
        high = base + nsec >> 32
        lows = _added(fours[(at >> 2) + _NSEC : end >> 2 : step >> 2].tobytes(), base - (high << 32))
        if lows is None:
            return False
        (lengths,) = struct.unpack_from("=Q", seen, at + 12)
        shapes = self._shapes.setdefault(reception, {})
        _, head, tail, _, each = shapes.get(lengths) or self._shape(lengths, reception)
        used, final = self._used, self._used + each * count
        self._room[used:final] = (head + struct.pack("=IIQ", high, 0, lengths) + bytes(size) + tail) * count
        with memoryview(self._room)[used:final] as blocks:
            blocks.cast("I")[4 :: each >> 2] = memoryview(lows).cast("I")
            _copy_content(seen, (fours, eights), blocks, range(at + mac, end, step), size, each)
        self._used, self._last = final, final - each
        self.packets += count
        return True

    def _shape(self, lengths: int, reception: int) -> _Shape:
        """Make, and keep, what stands around the packets of one length (both its numbers in one)."""
        size, _ = struct.unpack("=II", lengths.to_bytes(8, sys.byteorder))
        padding = -size % 4
        total = _HEAD_SIZE + size + padding + _TAIL.size
        head = _HEAD.pack(PACKET, total, self._point)
        tail = b"\0" * padding + _TAIL.pack(2, 4, epb_flags(reception), 0, 0, total)
        shape = struct.Struct(f"=12sIIQ{size}s{len(tail)}s").pack_into, head, tail, size, total
        shapes = self._shapes[reception]
        if len(shapes) >= _MOST_KEPT:
            shapes.clear()
        shapes[lengths] = shape
        return shape


def _alike(fours: memoryview, eights: memoryview, at: int, end: int, step: int) -> bool:
    """Whether frames differ in their time and content alone."""
    for items, width, columns in ((eights, 3, _ALIKE_EIGHTS), (fours, 2, _ALIKE_FOURS)):
        first, last, stride = at >> width, end >> width, step >> width
        for column in columns:
            if items[first + column : last - stride : stride] != items[first + column + stride : last : stride]:
                return False
    return True


def _added(numbers: bytes, more: int) -> bytes | None:
    """Nanoseconds of a second, four bytes each, with something added to each; None where one has no room for it."""
    if 0 <= more <= _LANE - _SECOND:  # as one long number: nothing is carried from one to the next
        every = int.from_bytes(b"\1\0\0\0" * (len(numbers) >> 2), "little")
        if sys.byteorder == "big":
            every = int.from_bytes(b"\0\0\0\1" * (len(numbers) >> 2), "big")
        return (int.from_bytes(numbers, sys.byteorder) + more * every).to_bytes(len(numbers), sys.byteorder)
    try:
        return array("I", [more + item for item in memoryview(numbers).cast("I")]).tobytes()
    except OverflowError:
        return None


def _copy_content(
    seen: memoryview, items: tuple[memoryview, memoryview], blocks: memoryview, places: range, size: int, each: int
) -> None:
    """Copy what frames of ``size`` bytes at ``places`` hold into their blocks of ``each`` bytes, by columns."""
    fours, eights = items
    at, end, step = places.start, places.stop, places.step
    done = 0
    if at % 8 == 0:
        # Blocks are a multiple of 4 long: where it is none of 8, every second one is.
        turns = 1 if each % 8 == 0 else 2
        done = size & ~7
        for turn in range(turns):
            start = _HEAD_SIZE + each * turn
            aim = blocks[start : start + (len(blocks) - start & ~7)].cast("Q")
            stride, skip = each * turns >> 3, step * turns >> 3
            first = at + step * turn >> 3
            number = (len(places) - turn + turns - 1) // turns
            for column in range(done >> 3):
                aim[column : column + stride * (number - 1) + 1 : stride] = eights[
                    first + column : first + column + skip * (number - 1) + 1 : skip
                ]
    aim = blocks.cast("I")
    for column in range(done >> 2, size >> 2):
        aim[(_HEAD_SIZE >> 2) + column :: each >> 2] = fours[(at >> 2) + column : (end >> 2) + column : step >> 2]
    for column in range(size & ~3, size):
        blocks[_HEAD_SIZE + column :: each] = seen[at + column : end + column : step]


def _time_at(room: bytearray, at: int) -> int:
    high, low = _TIME.unpack_from(room, at + _HEAD.size)
    return int(high << 32 | low)


def with_tag(data: bytes, status: int, tci: int, tpid: int) -> bytes:
    """A frame with its VLAN tag, which the kernel keeps beside it, back where it was on the wire."""
    return data[:12] + _TAG.pack(tpid if status & _TPID_VALID else _TPID_8021Q, tci) + data[12:]
