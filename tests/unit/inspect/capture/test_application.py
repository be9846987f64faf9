"""What packets carry, told by their first bytes; hostile bytes tell nothing and break nothing."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.capture.application import tcp_content, udp_content
from dnet_tui.inspect.capture.decode import summarise
from unit.builders.packets import ethernet, ipv4, packet, tcp, udp


def client_hello(name: bytes) -> bytes:
    sni = struct.pack("!HHBH", len(name) + 5, len(name) + 3, 0, len(name)) + name
    other = struct.pack("!HH", 23, 0)
    extensions = other + struct.pack("!H", 0) + sni
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + struct.pack("!H", len(extensions)) + extensions
    hello = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16\3\1" + struct.pack("!H", len(hello)) + hello


def dhcp(kind: int, *options: tuple[int, bytes], yours: str = "0.0.0.0") -> bytes:  # noqa: S104 - no address
    head = bytes(16) + socket.inet_aton(yours) + bytes(8) + bytes.fromhex("02420a000002") + bytes(202)
    every = ((53, bytes([kind])), *options)
    return head + b"\x63\x82\x53\x63" + b"".join(bytes([code, len(value)]) + value for code, value in every) + b"\xff"


INNER = ethernet(ipv4(1, b"\x08\0", src="10.9.0.1", dst="10.9.0.2"))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"GET /a?b HTTP/1.1\r\nAccept: x\r\nHost: web.example\r\n\r\n", "HTTP GET /a?b host web.example"),
        (b"HTTP/1.1 404 Not Found\r\n", "HTTP 404 Not Found"),
        (b"GETTING on", ""),
        (client_hello(b"web.example"), "TLS client hello SNI web.example"),
        (client_hello(b"web.example")[:60], "TLS client hello"),
        (b"\x15\3\3\0\2\2\x28", "TLS alert: handshake failure (fatal)"),
        (b"\x15\3\3\0\x1a" + bytes(26), "TLS alert (encrypted)"),
        (b"\x17\3\3\0\x05hello", "TLS application data"),
        (b"\x17\3\3\xff\xffhello", ""),
        (b"", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else value[:6].hex(),
)
def test_what_a_segment_carries(data: bytes, text: str) -> None:
    assert tcp_content(data) == text


@pytest.mark.parametrize(
    ("data", "ports", "text"),
    [
        (dhcp(1, (12, b"web")), (68, 67), "DHCP discover, client 02:42:0a:00:00:02, host web"),
        (dhcp(5, yours="10.0.0.9"), (67, 68), "DHCP ack, client 02:42:0a:00:00:02, gets 10.0.0.9"),
        (dhcp(1), (68, 69), ""),
        (b"\xc3\0\0\0\1\x08" + bytes(20), (40000, 443), "QUIC version 1"),
        (b"\xc3\0\0\0\1\x08" + bytes(20), (40000, 444), ""),
        (b"\x08\0\0\0\0\0\x2a\0" + INNER, (40000, 4789), "VXLAN vni 42, ICMP 10.9.0.1 > 10.9.0.2"),
        (b"\0\0\x65\x58\0\0\x07\0" + INNER, (40000, 6081), "Geneve vni 7, ICMP 10.9.0.1 > 10.9.0.2"),
        (b"\1\0\0\0" + bytes(144), (51820, 51820), "WireGuard handshake initiation"),
        (b"\1\0\0\0" + bytes(143), (51820, 51820), ""),
        (b"\4\0\0\0" + bytes(28), (51820, 51820), "WireGuard data"),
    ],
)
def test_what_a_datagram_carries(data: bytes, ports: tuple[int, int], text: str) -> None:
    assert udp_content(data, *ports) == text


def test_a_packets_line_has_it() -> None:
    line = summarise(packet(ethernet(ipv4(6, tcp(0x18, data=b"GET / HTTP/1.0\r\n\r\n")))), "web").info
    assert line.endswith("length 18, HTTP GET /")
    assert (
        "VXLAN vni 42"
        in summarise(packet(ethernet(ipv4(17, udp(b"\x08\0\0\0\0\0\x2a\0" + INNER, dport=4789)))), "w").info
    )


def test_a_closed_window_is_said() -> None:
    segment = bytearray(tcp(0x10))
    segment[14:16] = b"\0\0"
    assert summarise(packet(ethernet(ipv4(6, bytes(segment)))), "web").info.endswith("zero window")
    assert "zero" not in summarise(packet(ethernet(ipv4(6, tcp(0x10)))), "web").info


@given(st.binary(max_size=300), st.sampled_from((53, 67, 68, 443, 546, 547, 4789, 6081, 51820)))
def test_any_bytes_are_harmless(data: bytes, port: int) -> None:
    for text in (
        tcp_content(data), tcp_content(b"\x16\3\1" + data), udp_content(data, port, port),
        udp_content(dhcp(1) + data, 68, 67), tcp_content(b"GET " + data + b" HTTP/1.1"),
    ):  # fmt: skip
        assert text.isprintable()
