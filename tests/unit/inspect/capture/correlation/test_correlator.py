"""One packet at several points is one row, and no other packet is on it."""

from __future__ import annotations

import random
import struct

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.capture.correlation.correlator import MOST_ROWS, WAIT_NS, Correlator, correlate
from dnet_tui.inspect.capture.correlation.flow_table import FlowTable
from dnet_tui.inspect.capture.correlation.packet_identity import FlowEnds, PacketIdentity, identify
from dnet_tui.inspect.capture.correlation.packet_row import PacketRow
from dnet_tui.inspect.capture.correlation.row_budget import ROW_BYTES
from dnet_tui.inspect.capture.correlation.row_text import row_remarks
from dnet_tui.inspect.capture.packet import OUTGOING, RAW_IP, CapturedPacket
from unit.builders.packets import A6, B6, TIME, ethernet, icmp, ipv4, ipv6, packet, tcp, udp

WEB, OTHER, HOST, SERVER = "172.17.0.2", "172.17.0.3", "203.0.113.2", "198.51.100.10"
MICRO = 1000


def ip(
    payload: bytes,
    proto: int = 17,
    *,
    src: str = WEB,
    dst: str = SERVER,
    ident: int = 77,
    ttl: int = 64,
    fragment: int = 0,
) -> bytes:
    data = bytearray(ipv4(proto, payload, src=src, dst=dst, ttl=ttl, fragment=fragment))
    struct.pack_into("!H", data, 4, ident)
    return ethernet(bytes(data))


def at(frame: bytes, point: int, after_us: int, *, out: bool = False) -> CapturedPacket:
    return packet(frame, point=point, time_ns=TIME + after_us * MICRO, reception=OUTGOING if out else 0)


def shape(packets: list[CapturedPacket], points: int = 3) -> list[list[int]]:
    """The points of every row, in the rows' order."""
    return [[item.point for item in row.sightings] for row in correlate(packets, points)]


def identified(number: int) -> tuple[CapturedPacket, PacketIdentity]:
    seen = at(ip(udp(b"%d" % number), src=f"172.17.0.{number + 2}"), 0, number)
    return seen, identify(seen)


QUESTION = b"a question that is told apart"


def test_a_masqueraded_packet_is_one_row_with_both_tuples() -> None:
    (row,) = correlate(
        [
            at(ip(udp(QUESTION)), 0, 0),
            at(ip(udp(QUESTION)), 1, 5),
            at(ip(udp(QUESTION, sport=61001), src=HOST, ttl=63), 2, 9, out=True),
        ],
        3,
    )
    assert [item.time_ns - TIME for item in row.sightings] == [0, 5000, 9000]
    assert [item.ends and item.ends.sport for item in row.sightings] == [40000, 40000, 61001]


def test_different_payloads_are_different_packets() -> None:
    assert shape([at(ip(udp(b"one that is long")), 0, 0), at(ip(udp(b"two that is long"), src=HOST), 1, 5)]) == [
        [0],
        [1],
    ]


def test_a_different_identification_is_a_different_packet() -> None:
    assert shape([at(ip(udp(QUESTION)), 0, 0), at(ip(udp(QUESTION), ident=78), 1, 5)]) == [[0], [1]]


def test_a_packet_that_comes_again_is_a_row_of_its_own() -> None:
    assert shape([at(ip(udp(QUESTION)), 0, 0), at(ip(udp(QUESTION)), 0, 50), at(ip(udp(QUESTION)), 1, 60)]) == [
        [0, 1],
        [0],
    ]


def test_a_hairpin_passes_one_point_in_both_directions() -> None:
    assert shape(
        [at(ip(udp(QUESTION)), 0, 0), at(ip(udp(QUESTION, dport=80), src=HOST, dst=OTHER, ttl=63), 0, 4, out=True)]
    ) == [[0, 0]]


def test_a_growing_hop_count_is_not_the_same_packet() -> None:
    assert shape([at(ip(udp(QUESTION), ttl=63), 0, 0), at(ip(udp(QUESTION), ttl=64), 1, 4)]) == [[0], [1]]


def two_askers(**options: object) -> list[list[int]]:
    """Two containers send the very same bytes; one packet leaves."""
    correlator = Correlator(2, **options)  # type: ignore[arg-type]
    for item in (
        at(ip(udp(QUESTION), ident=0), 0, 0),
        at(ip(udp(QUESTION), src=OTHER, ident=0), 0, 1),
        at(ip(udp(QUESTION, sport=61001), src=HOST, ident=0), 1, 5),
    ):
        correlator.feed(item)
    return [[item.point for item in row.sightings] for row in correlator.finished(0, everything=True)]


def test_what_may_belong_to_two_packets_is_left_apart() -> None:
    assert two_askers() == [[0], [0], [1]]


def test_connection_tracking_decides_between_two() -> None:
    def second(one: FlowEnds, _: FlowEnds) -> bool:
        return one.src[-1] == 3

    assert two_askers(same_connection=second) == [
        [0],
        [0, 1],
    ]


def test_connection_tracking_refuses_what_only_looks_alike() -> None:
    correlator = Correlator(2, same_connection=lambda *_: False)
    for item in (at(ip(udp(QUESTION)), 0, 0), at(ip(udp(QUESTION), src=HOST), 1, 5)):
        correlator.feed(item)
    assert len(correlator.finished(0, everything=True)) == 2


def test_a_known_connection_joins_what_says_little() -> None:
    first = [at(ip(udp(QUESTION)), 0, 0), at(ip(udp(QUESTION, sport=61001), src=HOST), 1, 5)]
    bare = [at(ip(udp(b""), ident=0), 0, 20), at(ip(udp(b"", sport=61001), src=HOST, ident=0), 1, 25)]
    assert shape(first + bare) == [[0, 1], [0, 1]]
    assert shape(bare) == [[0], [1]]


def test_an_echo_is_answered_at_every_point() -> None:
    body = b"x" * 48
    request, reply = icmp(8, 0, body, 5, 1), icmp(0, 0, body, 5, 1)
    moved, back = icmp(8, 0, body, 9, 1), icmp(0, 0, body, 9, 1)
    rows = correlate(
        [
            at(ip(request, 1), 0, 0),
            at(ip(moved, 1, src=HOST), 1, 10),
            at(ip(back, 1, src=SERVER, dst=HOST, ident=5), 1, 110),
            at(ip(reply, 1, src=SERVER, dst=WEB, ident=5), 0, 130),
        ],
        2,
    )
    assert [row.answer_to for row in rows] == [0, 1]
    assert sorted(rows[1].round_trips) == [(0, 130_000), (1, 100_000)]


def test_a_segment_is_answered_by_what_acknowledges_it() -> None:
    syn = struct.pack("!HHIIBBHHH", 40000, 80, 999, 0, 0x50, 2, 100, 0, 0)
    synack = struct.pack("!HHIIBBHHH", 80, 40000, 5000, 1000, 0x50, 0x12, 100, 0, 0)
    rows = correlate([at(ip(syn, 6), 0, 0), at(ip(synack, 6, src=SERVER, dst=WEB), 0, 90)], 1)
    assert (rows[1].answer_to, rows[1].round_trips) == (1, [(0, 90_000)])


def test_a_retransmission_is_told_from_the_first_sending() -> None:
    data = struct.pack("!HHIIBBHHH", 40000, 80, 1000, 7, 0x50, 0x18, 100, 0, 0) + b"hello"
    rows = correlate([at(ip(data, 6), 0, 0), at(ip(data, 6, ident=78), 0, 300)], 1)
    assert [row.words for row in rows] == [[], ["retransmission"]]


def test_an_error_is_joined_to_what_it_is_about() -> None:
    asked = ip(udp(QUESTION))
    error = icmp(3, 3, asked[14 : 14 + 28])
    rows = correlate([at(asked, 0, 0), at(ip(error, 1, src=SERVER, dst=WEB), 0, 40)], 1)
    assert rows[1].answer_to == 1


def test_fragments_stay_with_the_whole_packet_that_tracking_makes_of_them() -> None:
    whole = udp(QUESTION * 3)
    first, last = whole[:48], whole[48:]
    parts = [ip(first, fragment=0x2000), ip(last, fragment=6)]
    sent = [at(parts[0], 0, 0), at(parts[1], 0, 1), at(ip(whole), 1, 10)]
    leaving = [at(ip(first, fragment=0x2000, src=HOST), 2, 20), at(ip(last, fragment=6, src=HOST), 2, 21)]
    assert shape(sent + leaving) == [[0, 1, 2], [0, 1, 2]]


def test_segments_are_counted_at_the_frame_they_were_cut_from() -> None:
    def segment(seq: int, data: bytes, src: str) -> bytes:
        head = struct.pack("!HHIIBBHHH", 40000, 80, seq, 7, 0x50, 0x10, 100, 0, 0)
        return ip(head + data, 6, src=src, ident=seq & 0xFF)

    (row,) = correlate(
        [
            at(segment(1000, b"a" * 90, WEB), 0, 0),
            *(at(segment(1000 + cut * 30, b"a" * 30, HOST), 1, 10 + cut) for cut in range(3)),
        ],
        2,
    )
    assert [(item.point, item.pieces) for item in row.sightings] == [(0, 1), (1, 3)]


def test_ipv6_and_arp_are_joined_too() -> None:
    six = ethernet(ipv6(17, udp(QUESTION), src=A6, dst=B6))
    arp = ethernet(b"\0\1\x08\0\6\4\0\1" + bytes(20), 0x0806)
    assert shape([at(six, 0, 0), at(six, 1, 1), at(arp, 0, 5), at(arp, 1, 6)], 2) == [[0, 1], [0, 1]]


def test_a_row_ends_when_all_points_saw_it_or_the_wait_is_over() -> None:
    correlator = Correlator(2)
    correlator.feed(at(ip(udp(QUESTION)), 0, 0))
    assert correlator.finished(TIME + WAIT_NS - 1) == []
    assert len(correlator.finished(TIME + WAIT_NS)) == 1
    correlator.feed(at(ip(udp(QUESTION)), 0, 0))
    correlator.feed(at(ip(udp(QUESTION)), 1, 1))
    assert len(correlator.finished(TIME + WAIT_NS // 10)) == 1


def test_unfinished_rows_are_bounded() -> None:
    correlator = Correlator(2)
    for number in range(MOST_ROWS + 500):
        correlator.feed(at(ip(udp(b"%08d" % number), ident=number & 0xFFFF), 0, number))
    assert len(correlator.finished(TIME)) == correlator.hurried == 500


def test_unfinished_rows_are_bounded_by_their_bytes_too() -> None:
    correlator = Correlator(2, most_bytes=10 * (ROW_BYTES + 1042))
    for number in range(15):
        correlator.feed(at(ip(udp(bytes([number]) * 1000), ident=number + 1), 0, number))
    rows = correlator.finished(TIME)
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert all(row.hurried for row in rows)
    assert row_remarks(rows[0]) == ["not followed further, for want of memory"]


def test_one_row_may_be_larger_than_the_budget() -> None:
    correlator = Correlator(2, most_bytes=10)
    correlator.feed(at(ip(udp(bytes(1000))), 0, 0))
    assert correlator.finished(TIME) == []


def test_many_packets_at_once_are_finished_on_the_way() -> None:
    correlator = Correlator(2)
    step = WAIT_NS // MICRO // 1000
    packets = [at(ip(udp(b"%08d" % number), ident=number & 0xFFFF), 0, number * step) for number in range(5000)]
    batches = list(correlator.follow(packets, packets[-1].time_ns))
    assert [len(rows) for rows in batches] == [1000, 2000, 1000, 0]
    assert [row.number for rows in batches for row in rows] == list(range(1, 4001))


def test_packets_that_await_an_answer_are_bounded() -> None:
    flows = FlowTable(most_awaiting=3)
    rows = [PacketRow(number, *pair, None) for number in range(5) for pair in [identified(number)]]
    asking = [flows.of(row.identity.ends) for row in rows[:2] if row.identity.ends]
    for number, row in enumerate(rows):
        flows.await_answer(asking[number % 2], row)
    assert [[row.number for row in flow.awaiting] for flow in asking] == [[2, 4], [3]]
    asking[0].awaiting.popleft()  # it is answered
    for row in rows[:3]:
        flows.await_answer(asking[1], row)
    assert [[row.number for row in flow.awaiting] for flow in asking] == [[], [0, 1, 2]]


@given(st.binary(max_size=120), st.sampled_from((0x0800, 0x86DD, 0x0806, 0x8100)))
def test_any_bytes_have_an_identity(data: bytes, kind: int) -> None:
    for seen in (packet(ethernet(data, kind)), msgspec.structs.replace(packet(data), linktype=RAW_IP)):
        assert identify(seen) == identify(seen)


def test_broken_packets_have_an_identity() -> None:
    chance = random.Random(7)  # noqa: S311 - not a secret
    good = [ip(tcp(2), 6), ip(icmp(3, 1, ip(udp(b"x"))[14:]), 1), ethernet(ipv6(58, icmp(1, 0, ipv6(6, tcp(2)))))]
    for _ in range(3000):
        frame = bytearray(chance.choice(good))
        for _ in range(4):
            frame[chance.randrange(14, len(frame))] = chance.randrange(256)
        cut = bytes(frame[: chance.randrange(10, len(frame))])
        correlate([packet(cut, point=0), packet(cut, point=1)], 2)
