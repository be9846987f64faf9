"""Crafted frames for the capture tests: plain bytes, checksums left at zero."""

from __future__ import annotations

import socket
import struct

from dnet_tui.inspect.capture.packet import ETHERNET, CapturedPacket

A, B = "10.0.0.2", "10.0.0.3"
A6, B6 = "fd00::2", "fd00::3"
MAC_A, MAC_B = bytes.fromhex("02420a000002"), bytes.fromhex("02420a000003")
TIME = 1_790_000_000_123_456_789


def packet(data: bytes, *, reception: int = 0, point: int = 0, time_ns: int = TIME, length: int = 0) -> CapturedPacket:
    return CapturedPacket(time_ns, point, reception, ETHERNET, length or len(data), data)


def ethernet(payload: bytes, kind: int = 0x0800, *tags: int) -> bytes:
    """A frame from A to B; ``tags`` are 802.1Q VLAN ids, outermost first."""
    words = b"".join(struct.pack("!HH", 0x8100, tag) for tag in tags)
    return MAC_B + MAC_A + words + struct.pack("!H", kind) + payload


def ipv4(
    proto: int, payload: bytes, *, fragment: int = 0, options: bytes = b"", ttl: int = 64, src: str = A, dst: str = B
) -> bytes:
    """``fragment`` is the raw field: flags and offset in units of 8 bytes."""
    ends = socket.inet_aton(src) + socket.inet_aton(dst)
    words = (0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), 77, fragment, ttl, proto, 0)
    return struct.pack("!BBHHHBBH", *words) + ends + options + payload


def ipv6(proto: int, payload: bytes, *, src: str = A6, dst: str = B6) -> bytes:
    ends = socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst)
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + ends + payload


def tcp(flags: int, *, data: bytes = b"", options: bytes = b"", sport: int = 40000, dport: int = 80) -> bytes:
    offset = (5 + len(options) // 4) << 4
    return struct.pack("!HHIIBBHHH", sport, dport, 1000, 2000, offset, flags, 64240, 0, 0) + options + data


def udp(data: bytes = b"", *, sport: int = 40000, dport: int = 9) -> bytes:
    return struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data


def icmp(kind: int, code: int, rest: bytes = b"", high: int = 0, low: int = 0) -> bytes:
    return struct.pack("!BBHHH", kind, code, 0, high, low) + rest


def dns_name(*labels: bytes) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def dns_query(name: bytes, kind: int = 1) -> bytes:
    return struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + name + struct.pack("!HH", kind, 1)


def dns_answer(name: bytes, *addresses: str, code: int = 0) -> bytes:
    head = struct.pack("!HHHHHH", 7, 0x8180 | code, 1, len(addresses), 0, 0) + name + struct.pack("!HH", 1, 1)
    return head + b"".join(struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(item) for item in addresses)
