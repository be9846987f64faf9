"""Packets of several rings, put in the order of their time.  Pure.

A ring hands its packets over in blocks, some milliseconds late, so one
point's block may come after a block of another point with later packets in
it.  Every batch is therefore held for a while before it is let go.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Generic, NamedTuple, TypeVar

from dnet_tui.inspect.capture.packet import CapturedPacket
from dnet_tui.inspect.capture.written_packet import WrittenPacket

T = TypeVar("T", bound=CapturedPacket | WrittenPacket)

PENDING_BYTES = 64 << 20
"""Above this, packets are let go before their time: memory matters more than order."""

_TIME = attrgetter("time_ns")


_OBJECT = 250  # bytes that a packet takes besides its data


def _size(packets: Sequence[CapturedPacket | WrittenPacket]) -> int:
    return sum(len(packet.data) for packet in packets) + _OBJECT * len(packets)


class _Batch(NamedTuple, Generic[T]):
    read_at: float
    size: int
    packets: Sequence[T]


class Merger(Generic[T]):
    """Holds batches for ``hold`` seconds after they were read; 0 (one ring) lets them go at once."""

    def __init__(self, hold: float, limit: int = PENDING_BYTES) -> None:
        self._hold = hold
        self._limit = limit
        self._pending: list[_Batch[T]] = []
        self._bytes = 0

    def add(self, now: float, packets: Sequence[T]) -> None:
        """Take a batch of one ring, oldest first, that was read at ``now`` (monotonic seconds)."""
        if packets:
            size = _size(packets) if self._hold else 0
            self._pending.append(_Batch(now, size, packets))
            self._bytes += size

    def next_due(self) -> float | None:
        """When the oldest batch is due; None when nothing is held."""
        return self._pending[0].read_at + self._hold if self._pending else None

    def take(self, now: float, *, everything: bool = False) -> list[T]:
        """The packets that are due, in the order of their time, and with them any held one that is older."""
        if everything or not self._hold or self._bytes > self._limit:
            due, self._pending = self._pending, []
        else:
            count = sum(batch.read_at + self._hold <= now for batch in self._pending)
            due, self._pending = self._pending[:count], self._pending[count:]
        if not due:
            return []
        packets = [packet for batch in due for packet in batch.packets]
        if self._hold:
            packets += self._older_than(max(map(_TIME, packets)))
            packets.sort(key=_TIME)
        self._bytes = sum(batch.size for batch in self._pending)
        return packets

    def _older_than(self, last: int) -> list[T]:
        older: list[T] = []
        kept: list[_Batch[T]] = []
        for batch in self._pending:
            if batch.packets[0].time_ns > last:
                kept.append(batch)
                continue
            older += (packet for packet in batch.packets if packet.time_ns <= last)
            if rest := [packet for packet in batch.packets if packet.time_ns > last]:
                kept.append(_Batch(batch.read_at, _size(rest), rest))
        self._pending = kept
        return older
