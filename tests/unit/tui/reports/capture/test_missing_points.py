"""Where a packet is missed: by the walk's word, or by that of earlier packets of its flow; else nowhere."""

from __future__ import annotations

from dnet_tui.inspect.capture.correlation.correlator import correlate
from dnet_tui.inspect.capture.points import CapturePoint
from dnet_tui.tui.reports.capture.missing_points import MissingPoints, walk_packet
from unit.builders.packets import TIME, ethernet, icmp, ipv4, packet, tcp, udp

POINTS = [CapturePoint(namespace="n", ifindex=index, interface=f"p{index}", label=f"p{index}") for index in range(2)]
BODY = b"a question that is told apart"


def datagram(number: int, *points: int, dst: str = "10.0.0.3") -> list[object]:
    frame = ethernet(ipv4(17, udp(BODY + bytes([number])), dst=dst))
    return [packet(frame, point=point, time_ns=TIME + number * 1000 + point) for point in points]


def missed(*groups: list[object]) -> list[list[int | None]]:
    finder = MissingPoints(POINTS, None)
    rows = correlate([item for group in groups for item in group], 2)  # type: ignore[misc]
    return [[item.point for item in finder.of(row)] for row in rows]


def test_without_a_walk_a_packet_is_missed_only_where_its_flow_was_seen() -> None:
    assert missed(datagram(1, 0)) == [[]]
    assert missed(datagram(1, 0, 1), datagram(2, 0)) == [[], [1]]


def test_a_packet_is_not_missed_where_the_kernel_dropped_packets_just_then() -> None:
    finder = MissingPoints(POINTS, None)
    first, second = correlate([*datagram(1, 0, 1), *datagram(2, 0)], 2)  # type: ignore[list-item]
    finder.drops.look([0, 0], TIME - 1_000_000_000)
    finder.drops.look([0, 3], TIME)
    assert [finder.of(first), finder.of(second)] == [[], []]
    assert finder.unsure == 1


def test_a_packet_that_was_not_waited_for_is_missed_nowhere() -> None:
    finder = MissingPoints(POINTS, None)
    first, second = correlate([*datagram(1, 0, 1), *datagram(2, 0)], 2)  # type: ignore[list-item]
    second.hurried = True
    assert [finder.of(first), finder.of(second)] == [[], []]


def test_another_flow_says_nothing() -> None:
    assert missed(datagram(1, 0, 1), datagram(2, 0, dst="10.0.0.4")) == [[], []]


def test_a_packet_is_walked_as_what_it_is() -> None:
    (row,) = correlate([packet(ethernet(ipv4(6, tcp(0x12))))], 1)
    assert row.identity.ends is not None
    walked = walk_packet(row.identity.ends, row.identity)
    assert walked is not None
    assert (walked.proto, walked.sport, walked.dport, walked.tcp_flags) == ("tcp", 40000, 80, ("SYN", "ACK"))
    (row,) = correlate([packet(ethernet(ipv4(1, icmp(8, 0, b"", 5, 1))))], 1)
    assert row.identity.ends is not None
    walked = walk_packet(row.identity.ends, row.identity)
    assert walked is not None
    assert (walked.proto, walked.icmp_type, walked.sport, walked.dport) == ("icmp", 8, 0, 0)


def test_multicast_is_not_walked() -> None:
    (row,) = correlate([packet(ethernet(ipv4(17, udp(b"x"), dst="224.0.0.251")))], 1)
    assert row.identity.ends is not None
    assert walk_packet(row.identity.ends, row.identity) is None
