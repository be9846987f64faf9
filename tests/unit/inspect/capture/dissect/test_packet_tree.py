"""One packet in full: every field with the bytes that hold it, and no bytes that could upset it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.capture.decode import decode_frame
from dnet_tui.inspect.capture.dissect.field_reader import PacketField
from dnet_tui.inspect.capture.dissect.packet_tree import field_at, hex_lines, packet_tree, tree_lines
from dnet_tui.inspect.capture.packet import ETHERNET, RAW_IP
from unit.builders.packets import A, B, dns_answer, dns_name, ethernet, icmp, ipv4, ipv6, tcp, udp

ROUTE = b"\x07\x0b\x08" + socket.inet_aton("192.0.2.1") + bytes(4) + b"\x00"
ALERT6 = b"\x3a\x00\x05\x02\x00\x00\x01\x00"
EXAMPLE = dns_name(b"example", b"org")
TCP_OPTIONS = b"\x02\x04\x05\xb4\x04\x02\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07"
HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"
HTTP = b"GET /x HTTP/1.1\r\nHost: example.org\r\n\r\nbody"
FRAMES = {
    "tcp": ethernet(ipv4(6, tcp(0x02, options=TCP_OPTIONS))),
    "http": ethernet(ipv4(6, tcp(0x18, data=HTTP))),
    "tls": ethernet(ipv4(6, tcp(0x18, data=HELLO, dport=443))),
    "options": ethernet(ipv4(17, udp(b"hello"), options=ROUTE)),
    "vlan": ethernet(ipv4(17, udp(b"hello")), 0x0800, 5),
    "dns": ethernet(ipv4(17, udp(dns_answer(EXAMPLE, "203.0.113.7"), sport=53))),
    "error": ethernet(ipv4(1, icmp(3, 4, ipv4(17, udp(b"hello")), low=1400))),
    "fragment": ethernet(ipv4(17, b"x" * 24, fragment=0x2005)),
    "ipv6": ethernet(ipv6(0, ALERT6 + icmp(128, 0, b"x" * 8, 5, 1)), 0x86DD),
    "vxlan": ethernet(ipv4(17, udp(b"\x08\0\0\0\0\0\x2a\0" + ethernet(ipv4(1, icmp(8, 0))), dport=4789))),
    "arp": ethernet(
        struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, b"a" * 6, socket.inet_aton(A), bytes(6), socket.inet_aton(B)),
        0x0806,
    ),
}


def every(fields: Sequence[PacketField]) -> Iterator[PacketField]:
    for item in fields:
        yield item
        yield from every(item.fields)


def shown(name: str) -> str:
    return "\n".join(tree_lines(packet_tree(FRAMES[name], ETHERNET)))


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("tcp", ["TCP: 40000 > 80 SYN", "    maximum segment size: 1460", "    window scale: 7 (times 128)"]),
        ("http", ["HTTP: HTTP GET /x host example.org", "  Host: example.org", "payload: 4 bytes: 62 6f 64 79"]),
        ("tls", ["TLS: TLS client hello", "    type: 22 (handshake)"]),
        ("options", ["    record route: pointer 8: 192.0.2.1, 0.0.0.0"]),
        ("vlan", ["VLAN: id 5", "  VLAN id: 5"]),
        ("dns", ["  question: A example.org", "  answer: A example.org 203.0.113.7", "    address: 203.0.113.7"]),
        ("error", ["  MTU: 1400", f"quoted IPv4: {A} > {B}", "quoted UDP: 40000 > 9"]),
        ("fragment", [f"IPv4: {A} > {B}, fragment at 40", "  more fragments: yes", "  offset: 40 bytes"]),
        ("ipv6", ["  hop-by-hop options", "    router alert: 00 00", "ICMPv6: echo request"]),
        ("vxlan", ["VXLAN: VNI 42", "ICMP: echo request"]),
        ("arp", [f"ARP: who has {B}, tell {A}"]),
    ],
)
def test_a_packet_is_shown_layer_by_layer(name: str, lines: list[str]) -> None:
    text = shown(name)
    assert all(line in text.splitlines() for line in lines), text
    assert "[cut off]" not in text


@pytest.mark.parametrize("name", FRAMES)
def test_every_byte_belongs_to_a_field_and_every_field_to_its_bytes(name: str) -> None:
    frame = FRAMES[name]
    tree = packet_tree(frame, ETHERNET)
    for at in range(len(frame)):
        assert field_at(tree, at), (name, at)
    for item in every(tree):
        assert 0 <= item.start <= item.end <= len(frame)
        assert all(item.start <= inner.start <= inner.end <= item.end for inner in item.fields), item


def test_a_field_is_found_by_its_byte() -> None:
    tree = packet_tree(FRAMES["tcp"], ETHERNET)
    assert [item.name for item in field_at(tree, 14 + 8)] == ["IPv4", "time to live"]
    assert [item.name for item in field_at(tree, 14 + 20 + 20)] == ["TCP", "options", "maximum segment size"]
    assert field_at(tree, 10_000) == ()


@pytest.mark.parametrize("name", FRAMES)
def test_what_is_cut_off_is_said_and_what_came_before_is_shown(name: str) -> None:
    frame = FRAMES[name]
    for size in range(len(frame)):
        for item in every(packet_tree(frame[:size], ETHERNET)):
            assert item.end <= size
    assert "[cut off]" in "\n".join(tree_lines(packet_tree(frame[:30], ETHERNET)))


@given(st.binary(max_size=400), st.sampled_from((ETHERNET, RAW_IP)), st.sampled_from(tuple(FRAMES)), st.integers(0, 60))
def test_no_bytes_upset_it_or_reach_the_terminal(noise: bytes, linktype: int, name: str, kept: int) -> None:
    for data in (noise, FRAMES[name][:kept] + noise):
        text = "\n".join((*tree_lines(packet_tree(data, linktype)), *hex_lines(data)))
        assert all(line.isprintable() for line in text.split("\n"))
        decode_frame(data, linktype)


def test_a_header_s_name_is_the_packet_s_and_made_harmless() -> None:
    answer = b"HTTP/1.1 200 OK\r\nX-\x1b[2J: \x1b[31mred\r\n\r\n"
    text = "\n".join(tree_lines(packet_tree(ethernet(ipv4(6, tcp(0x18, data=answer, sport=80))), ETHERNET)))
    assert "red" in text
    assert "\x1b" not in text


def test_hex_is_laid_out_as_tcpdump_does() -> None:
    assert list(hex_lines(b"0123456789abcdefg\x1b")) == [
        "0x0000:  3031 3233 3435 3637 3839 6162 6364 6566  0123456789abcdef",
        "0x0010:  671b                                     g.",
    ]


def test_options_are_in_a_packet_s_line() -> None:
    assert decode_frame(FRAMES["options"], ETHERNET).info == "length 5, options [record route]"
    assert decode_frame(FRAMES["ipv6"], ETHERNET).info.endswith(", hop-by-hop options [router alert]")
