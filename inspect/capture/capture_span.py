"""One beginning and one end for every point of a capture: a packet is inside at all of them or at none.  Pure.

Points are opened one after the other, and a packet takes its time from one to
the next.  So the span begins :data:`GRACE_NS` after the last point was opened
and is judged by where a packet was seen *first*: what was on its way when the
span began is left out everywhere, what was on its way when it ended is let in
everywhere.  A packet that takes longer than that between two points (a queue)
may be counted at one of them only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from dnet_tui.inspect.capture.correlation.correlator import Correlator
from dnet_tui.inspect.capture.packet import CapturedPacket
from dnet_tui.inspect.capture.written_packet import WrittenPacket

T = TypeVar("T", bound=CapturedPacket | WrittenPacket)

GRACE_NS: Final = 20_000_000
"""Longer than a packet is on its way from one point of the host to another."""


class CaptureSpan:
    """The span of a capture at ``points`` points; everything is inside until :meth:`begin` is called."""

    def __init__(self, points: int) -> None:
        self._points = points
        self._begin = 0
        self._end: int | None = None
        self._opening: Correlator | None = None
        self._closing: Correlator | None = None

    def begin(self, moment_ns: int) -> None:
        """The span begins at this moment (nanoseconds since 1970): before the first packet is given."""
        self._begin = moment_ns
        self._opening = Correlator(self._points)

    def end(self, moment_ns: int) -> None:
        """The span ends at this moment, which must not be past for longer than packets are held back."""
        self._end = moment_ns
        self._closing = Correlator(self._points)

    def inside(self, packets: Iterable[T]) -> list[T]:
        """Those of the packets, given in the order of their time, that belong to the span."""
        if self._opening is None and self._closing is None:
            return list(packets)
        return [packet for packet in packets if self._is_inside(packet)]

    def _is_inside(self, packet: CapturedPacket | WrittenPacket) -> bool:
        moment = packet.time_ns
        if self._opening is not None:
            if moment < self._begin + GRACE_NS:
                return self._opening.feed(_looked_at(packet)).packet.time_ns >= self._begin
            self._opening = None
        if self._closing is None or self._end is None or moment < self._end - GRACE_NS:
            return True
        return self._closing.feed(_looked_at(packet)).packet.time_ns <= self._end


def _looked_at(packet: CapturedPacket | WrittenPacket) -> CapturedPacket:
    return packet.captured() if isinstance(packet, WrittenPacket) else packet
