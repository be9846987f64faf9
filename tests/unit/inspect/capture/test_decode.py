from __future__ import annotations

import struct
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.capture.decode import PacketSummary, decode_frame, summarise, timestamp
from dnet_tui.inspect.capture.packet import ETHERNET, RAW_IP
from unit.builders.packets import (
    A6,
    B6,
    MAC_A,
    MAC_B,
    TIME,
    A,
    B,
    dns_answer,
    dns_name,
    dns_query,
    ethernet,
    icmp,
    ipv4,
    ipv6,
    packet,
    tcp,
    udp,
)

MSS = bytes.fromhex("020405b40101")  # mss 1460, two no-operations
NAME = dns_name(b"api", b"example")


def shown(frame: bytes) -> PacketSummary:
    return summarise(packet(frame), "web:eth0")


def info(frame: bytes) -> str:
    return shown(frame).info


def test_a_syn_shows_flags_ports_window_and_mss() -> None:
    summary = shown(ethernet(ipv4(6, tcp(0x02, options=MSS + b"\0\0"))))
    assert (summary.src, summary.sport, summary.dst, summary.dport, summary.proto) == (A, 40000, B, 80, "TCP")
    assert summary.info == "Flags [S], seq 1000, win 64240, mss 1460, length 0"


def test_a_segment_shows_its_payload_length_and_acknowledgement() -> None:
    assert info(ethernet(ipv4(6, tcp(0x18, data=b"x" * 11)))) == "Flags [P.], seq 1000, ack 2000, win 64240, length 11"


def test_padding_of_a_short_frame_is_not_taken_for_payload() -> None:
    assert info(ethernet(ipv4(6, tcp(0x10))) + b"\0" * 6).endswith("length 0")


def test_a_tcp_header_longer_than_the_packet_is_malformed() -> None:
    segment = bytearray(tcp(0x10))
    segment[12] = 0xF0
    assert info(ethernet(ipv4(6, bytes(segment)))).endswith("[malformed]")


@pytest.mark.parametrize(
    "options", [b"\x02\x00\x05\xb4", b"\x01\x02\x04\x05", b"\x03\xff\x00\x00", b"\x01\x01\x01\x02"]
)
def test_bad_tcp_options_show_no_mss(options: bytes) -> None:
    assert "mss" not in info(ethernet(ipv4(6, tcp(0x02, options=options))))


def test_line_is_local_time_point_direction_ends_and_what() -> None:
    summary = summarise(packet(ethernet(ipv4(17, udp(b"abc"))), reception=4), "web:eth0")
    clock = time.strftime("%H:%M:%S", time.localtime(TIME // 10**9))
    assert summary.line() == f"{clock}.123456789 web:eth0 out {A}:40000 > {B}:9 UDP length 3"


def test_ipv6_ends_with_ports_are_bracketed() -> None:
    assert f"[{A6}]:40000 > [{B6}]:9 UDP" in shown(ethernet(ipv6(17, udp()), 0x86DD)).line()


def test_timestamp_is_utc_with_nanoseconds() -> None:
    assert timestamp(TIME) == "2026-09-21T14:13:20.123456789Z"


def test_received_packets_of_others_are_still_inward() -> None:
    assert summarise(packet(b"", reception=3), "x").direction == "in"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (icmp(8, 0, b"x" * 56, 5, 2), "echo request, id 5, seq 2, length 64"),
        (icmp(0, 0, b"x" * 56, 5, 2), "echo reply, id 5, seq 2, length 64"),
        (icmp(3, 3, ipv4(17, udp(dport=53))), f"port unreachable, about {A}:40000 > {B}:53 UDP"),
        (icmp(3, 4, ipv4(6, tcp(0x10)), 0, 1400), f"fragmentation needed (mtu 1400), about {A}:40000 > {B}:80 TCP"),
        (icmp(3, 13, ipv4(1, icmp(8, 0))), f"administratively prohibited, about {A} > {B} ICMP"),
        (icmp(11, 0, ipv4(17, udp())[:28]), f"time exceeded in transit, about {A}:40000 > {B}:9 UDP"),
        (icmp(5, 1, ipv4(17, udp()), 0x0A00, 0x0001), f"redirect to 10.0.0.1, about {A}:40000 > {B}:9 UDP"),
        (icmp(3, 1, b"\x45\0"), "host unreachable, about [truncated]"),
        (icmp(200, 3), "type 200 code 3, length 8"),
    ],
)
def test_icmp_says_what_and_about_which_packet(message: bytes, expected: str) -> None:
    assert info(ethernet(ipv4(1, message))) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (icmp(128, 0, b"", 5, 2), "echo request, id 5, seq 2, length 8"),
        (icmp(1, 4, ipv6(17, udp(dport=53))), f"port unreachable, about [{A6}]:40000 > [{B6}]:53 UDP"),
        (icmp(2, 0, ipv6(6, tcp(0x10)), 0, 1280), f"packet too big (mtu 1280), about [{A6}]:40000 > [{B6}]:80 TCP"),
        (icmp(135, 0, b"\xfe\x80" + b"\0" * 13 + b"\1"), "neighbour solicitation, who has fe80::1"),
        (
            icmp(136, 0, b"\xfe\x80" + b"\0" * 13 + b"\1" + b"\2\1" + MAC_A),
            "neighbour advertisement, fe80::1 is at 02:42:0a:00:00:02",
        ),
    ],
)
def test_icmpv6_says_what_and_about_which_packet(message: bytes, expected: str) -> None:
    assert info(ethernet(ipv6(58, message), 0x86DD)) == expected


def test_an_error_about_an_error_does_not_quote_further() -> None:
    inner = ipv4(1, icmp(3, 3, ipv4(17, udp())))
    assert info(ethernet(ipv4(1, icmp(3, 1, inner)))) == f"host unreachable, about {A} > {B} ICMP"


def test_fragments_after_the_first_have_no_ports() -> None:
    summary = shown(ethernet(ipv4(17, b"\0\x35\0\x35" + b"x" * 20, fragment=0x2000 | 185)))
    assert (summary.sport, summary.proto) == (None, "UDP")
    assert summary.info == "fragment id 77 offset 1480 length 24"


def test_the_first_fragment_is_decoded_and_marked() -> None:
    assert info(ethernet(ipv4(17, udp(b"abc"), fragment=0x2000))) == "length 3, first fragment id 77"


def test_dont_fragment_is_no_fragment() -> None:
    assert info(ethernet(ipv4(17, udp(b"abc"), fragment=0x4000))) == "length 3"


def test_ip_options_are_skipped() -> None:
    assert shown(ethernet(ipv4(17, udp(), options=b"\1" * 8))).sport == 40000


def test_a_low_ttl_is_shown() -> None:
    assert info(ethernet(ipv4(17, udp(), ttl=1))) == "length 0, ttl 1"


def test_ipv6_extension_headers_are_skipped() -> None:
    options = bytes([44, 0]) + b"\1\4" + b"\0" * 4
    fragment = struct.pack("!BBHI", 17, 0, 1, 99)
    summary = shown(ethernet(ipv6(0, options + fragment + udp(b"abc")), 0x86DD))
    assert (summary.sport, summary.info) == (40000, "length 3, first fragment id 99")


def test_a_later_ipv6_fragment_has_no_ports() -> None:
    fragment = struct.pack("!BBHI", 17, 0, 1448, 99)
    summary = shown(ethernet(ipv6(44, fragment + udp(b"abc")), 0x86DD))
    assert (summary.sport, summary.info) == (None, "fragment id 99 offset 1448 length 11, last")


def test_offloaded_packets_without_a_length_are_decoded() -> None:
    datagram = bytearray(ipv4(6, tcp(0x10, data=b"x" * 100)))
    datagram[2:4] = b"\0\0"
    assert info(ethernet(bytes(datagram))).endswith("length 100")


def test_vlan_tags_are_named() -> None:
    assert info(ethernet(ipv4(17, udp()), 0x0800, 10, 20)) == "vlan 10, vlan 20, length 0"


@pytest.mark.parametrize(
    ("operation", "sender", "target", "expected"),
    [
        (1, A, B, f"who-has {B} tell {A}"),
        (2, A, B, f"{A} is-at 02:42:0a:00:00:02"),
        (1, A, A, f"announces {A} is-at 02:42:0a:00:00:02"),
    ],
)
def test_arp(operation: int, sender: str, target: str, expected: str) -> None:
    ends = [bytes(int(part) for part in text.split(".")) for text in (sender, target)]
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + MAC_A + ends[0] + b"\0" * 6 + ends[1]
    assert info(ethernet(body, 0x0806)) == expected


def test_dns_questions_and_answers() -> None:
    assert info(ethernet(ipv4(17, udp(dns_query(NAME, 28), dport=53)))).startswith("DNS query 7 AAAA api.example")
    answer = dns_answer(NAME, "203.0.113.7", "203.0.113.8")
    assert info(ethernet(ipv4(17, udp(answer, sport=53)))).startswith(
        "DNS answer 7 A api.example 203.0.113.7, 203.0.113.8,"
    )
    refused = dns_answer(NAME, code=3)
    assert "NXDOMAIN" in info(ethernet(ipv4(17, udp(refused, sport=53))))


def test_other_ports_are_not_read_as_dns() -> None:
    assert "DNS" not in info(ethernet(ipv4(17, udp(dns_query(NAME), dport=5300))))


def test_a_name_that_points_at_itself_ends() -> None:
    assert "DNS [truncated]" in info(ethernet(ipv4(17, udp(dns_query(b"\xc0\x0c"), dport=53))))


def test_a_hostile_name_is_neutralised() -> None:
    hostile = dns_name(b"\x1b[2J\r\n[red]", b"\xff.x")
    text = info(ethernet(ipv4(17, udp(dns_query(hostile), dport=53))))
    assert text.isprintable()
    assert r"\x1b[2J\x0d\x0a" in text


def test_a_hostile_label_is_neutralised() -> None:
    assert summarise(packet(b""), "a\x1b[0m").point == r"a\x1b[0m"


def test_unknown_ethertypes_show_macs() -> None:
    summary = shown(ethernet(b"x" * 10, 0x88CC))
    assert (summary.proto, summary.src, summary.dst) == ("LLDP", MAC_A.hex(":"), MAC_B.hex(":"))
    assert shown(ethernet(b"\x42\x42\x03" + b"\0" * 35, 38)).proto == "STP"


def test_raw_ip_needs_no_ethernet_header() -> None:
    assert decode_frame(ipv6(17, udp()), RAW_IP).sport == 40000
    assert decode_frame(ipv4(17, udp()), RAW_IP).src == A


def whole_frames() -> Iterator[bytes]:
    yield ethernet(ipv4(6, tcp(0x02, options=MSS + b"\0\0")), 0x0800, 10)
    yield ethernet(ipv4(1, icmp(3, 3, ipv4(17, udp()))))
    yield ethernet(ipv4(17, udp(dns_answer(NAME, "203.0.113.7"), sport=53)))
    yield ethernet(ipv6(44, struct.pack("!BBHI", 58, 0, 1, 99) + icmp(1, 0, ipv6(6, tcp(2)))), 0x86DD)
    yield ethernet(ipv6(58, icmp(136, 0, b"\0" * 16 + b"\2\1" + MAC_A)), 0x86DD)
    yield ethernet(struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + b"\0" * 20, 0x0806)


def test_every_truncation_of_every_frame_is_shown() -> None:
    for frame in whole_frames():
        for size in range(len(frame) + 1):
            assert shown(frame[:size]).line().isprintable()


def test_a_truncated_header_says_so() -> None:
    assert info(ethernet(ipv4(6, tcp(2))[:30])) == "[truncated]"
    assert shown(ethernet(ipv4(6, tcp(2))[:24])).sport == 40000
    assert info(ethernet(ipv4(6, tcp(2))[:10])) == "[truncated]"
    assert shown(b"abc").proto == "Ethernet"


@given(st.binary(max_size=200), st.sampled_from([ETHERNET, RAW_IP]))
def test_no_bytes_at_all_raise(data: bytes, linktype: int) -> None:
    assert decode_frame(data, linktype).proto


@given(
    st.sampled_from(list(whole_frames())), st.lists(st.tuples(st.integers(12, 120), st.integers(0, 255)), max_size=6)
)
def test_no_damage_to_a_frame_raises_or_prints_what_it_should_not(frame: bytes, damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(frame)
    for at, value in damage:
        damaged[at % len(damaged)] = value
    assert shown(bytes(damaged)).line().isprintable()
