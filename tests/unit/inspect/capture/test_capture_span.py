"""A packet is inside a capture's span at every point or at none."""

from __future__ import annotations

from dnet_tui.inspect.capture.capture_span import GRACE_NS, CaptureSpan
from dnet_tui.inspect.capture.packet import CapturedPacket
from unit.builders.packets import TIME, ethernet, ipv4, packet, udp

HOP = 30_000
"""Nanoseconds from one point to the next."""


def traffic(count: int, spacing: int = 40_000) -> list[CapturedPacket]:
    """Packets that pass three points, one every ``spacing`` nanoseconds: several are on their way at any moment."""
    frames = [ethernet(ipv4(17, udp(b"packet %06d" % number))) for number in range(count)]
    seen = [
        packet(frame, point=point, time_ns=TIME + number * spacing + point * HOP)
        for number, frame in enumerate(frames)
        for point in range(3)
    ]
    return sorted(seen, key=lambda item: item.time_ns)


def counts(packets: list[CapturedPacket]) -> list[int]:
    return [sum(item.point == point for item in packets) for point in range(3)]


def test_what_is_on_its_way_at_the_beginning_is_left_out_at_every_point() -> None:
    span = CaptureSpan(3)
    span.begin(TIME + 100 * 40_000 + HOP // 2)
    inside = span.inside(traffic(200))
    assert counts(inside) == [99, 99, 99]


def test_what_is_on_its_way_at_the_end_is_let_in_at_every_point() -> None:
    span = CaptureSpan(3)
    span.end(TIME + 100 * 40_000 + HOP // 2)
    inside = span.inside(traffic(200))
    assert counts(inside) == [101, 101, 101]


def test_long_after_the_beginning_nothing_is_looked_at() -> None:
    span = CaptureSpan(3)
    span.begin(TIME)
    late = [packet(b"", point=1, time_ns=TIME + GRACE_NS + number) for number in range(5)]
    assert span.inside(late) == late


def test_without_a_beginning_and_an_end_everything_is_inside() -> None:
    every = traffic(5)
    assert CaptureSpan(3).inside(every) == every
