"""What UDP and TCP carry, in a few words, where its first bytes tell: HTTP, TLS, DHCP, QUIC, tunnels.  Pure.

Only the frame itself is read, never a stream.  Nothing here raises for any
bytes; what doesn't fit is the empty string.  Every text goes through ``clean``.
"""

from __future__ import annotations

import re
import socket
import struct
from contextlib import suppress

from dnet_tui.inspect.model.protocols import protocol_title
from dnet_tui.inspect.text.sanitize import clean

_HTTP_ASK = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE) ([^ \r\n]{1,200}) HTTP/\d")
_HTTP_ANSWER = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?: ([^\r\n]{0,60}))?")
_HOST = re.compile(rb"\r\nhost: *([^\r\n]{1,200})", re.IGNORECASE)
_HEADERS = 2048

_ALERTS = {
    0: "close notify", 10: "unexpected message", 20: "bad record MAC", 22: "record overflow",
    40: "handshake failure", 42: "bad certificate", 43: "unsupported certificate", 44: "certificate revoked",
    45: "certificate expired", 46: "certificate unknown", 47: "illegal parameter", 48: "unknown CA",
    49: "access denied", 50: "decode error", 51: "decrypt error", 70: "protocol version",
    71: "insufficient security", 80: "internal error", 86: "inappropriate fallback", 90: "user canceled",
    109: "missing extension", 110: "unsupported extension", 112: "unrecognized name", 116: "certificate required",
    120: "no application protocol",
}  # fmt: skip
_HANDSHAKES = {1: "client hello", 2: "server hello", 4: "new session ticket", 11: "certificate", 16: "client key"}
_MOST_EXTENSIONS = 64

_DHCP = {1: "discover", 2: "offer", 3: "request", 4: "decline", 5: "ack", 6: "nak", 7: "release", 8: "inform"}
_COOKIE = b"\x63\x82\x53\x63"
_QUIC = {1: "1", 0x6B3343CF: "2", 0: "negotiation"}
_WIREGUARD = {1: (148, "handshake initiation"), 2: (92, "handshake response"), 3: (64, "cookie reply")}
_VXLAN, _GENEVE = frozenset({4789, 8472}), frozenset({6081})


def tcp_content(data: bytes) -> str:
    """A TCP segment's payload: an HTTP line, or a TLS record."""
    try:
        if data[:1] in b"\x14\x15\x16\x17" and data[1:2] == b"\x03":
            return _tls(data)
        return _http(data) if data[:1].isalpha() else ""
    except (struct.error, IndexError, ValueError):
        return ""


def udp_content(data: bytes, sport: int, dport: int) -> str:
    """A UDP datagram's payload, by its ports or its form; DNS is read elsewhere."""
    try:
        if {sport, dport} <= {67, 68} or {sport, dport} <= {546, 547}:
            return _dhcp(data) if sport < 100 else _dhcp6(data)
        if dport in _VXLAN:
            return _tunnel(f"VXLAN vni {int.from_bytes(data[4:7], 'big')}", data[8:]) if data[0] & 8 else ""
        if dport in _GENEVE:
            return _tunnel(f"Geneve vni {int.from_bytes(data[4:7], 'big')}", data[8 + (data[0] & 63) * 4 :])
        return _wireguard(data) or _quic(data, sport, dport)
    except (struct.error, IndexError, ValueError):
        return ""


def _http(data: bytes) -> str:
    if asks := _HTTP_ASK.match(data):
        host = _HOST.search(data, 0, _HEADERS)
        where = f" host {_text(host[1])}" if host else ""
        return f"HTTP {_text(asks[1])} {_text(asks[2])}{where}"
    if answers := _HTTP_ANSWER.match(data):
        return f"HTTP {_text(answers[1])} {_text(answers[2] or b'')}".rstrip()
    return ""


def _tls(data: bytes) -> str:
    kind, _, size = struct.unpack_from("!BHH", data)
    if size > 18_432:  # RFC 8446 §5.2: 2^14 + 256, and older ones' 2^14 + 2048
        return ""
    if kind == 21:
        if size != 2:
            return "TLS alert (encrypted)"
        level = "fatal" if data[5] == 2 else "warning"
        return f"TLS alert: {_ALERTS.get(data[6], f'number {data[6]}')} ({level})"
    if kind != 22:
        return {20: "TLS change cipher spec", 23: "TLS application data"}.get(kind, "")
    name = _HANDSHAKES.get(data[5], "handshake (encrypted)")
    server = ""
    if data[5] == 1:
        with suppress(struct.error, IndexError):  # its rest is in the next segment
            server = _server_name(data)
    return f"TLS {name}" + (f" SNI {server}" if server else "")


def _server_name(data: bytes) -> str:
    """The server name of a client hello (RFC 6066 §3); empty where it isn't in this segment."""
    at = 9 + 34  # record and handshake headers, version, random
    at += 1 + data[at]  # session id
    at += 2 + int.from_bytes(data[at : at + 2], "big")  # cipher suites
    at += 1 + data[at]  # compression
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    at += 2
    for _ in range(_MOST_EXTENSIONS):
        if at + 4 > min(end, len(data)):
            return ""
        kind, size = struct.unpack_from("!HH", data, at)
        if kind == 0:
            (length,) = struct.unpack_from("!H", data, at + 7)
            return _text(data[at + 9 : at + 9 + min(length, 255)])
        at += 4 + size
    return ""


def _dhcp(data: bytes) -> str:
    yours = socket.inet_ntop(socket.AF_INET, data[16:20])
    if data[236:240] != _COOKIE:
        return "BOOTP"
    at, words, kind = 240, [f"client {data[28:34].hex(':')}"], "message"
    while at + 1 < len(data) and (code := data[at]) != 255:
        if not code:
            at += 1
            continue
        value = data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
        if code == 53 and value:
            kind = _DHCP.get(value[0], f"type {value[0]}")
        elif code == 50 and len(value) == 4:
            words.append(f"asks for {socket.inet_ntop(socket.AF_INET, value)}")
        elif code == 12:
            words.append(f"host {_text(value)}")
    if yours != "0.0.0.0":  # noqa: S104 - no address yet
        words.append(f"gets {yours}")
    return f"DHCP {kind}, {', '.join(words)}"


def _dhcp6(data: bytes) -> str:
    names = {1: "solicit", 2: "advertise", 3: "request", 5: "renew", 6: "rebind", 7: "reply", 8: "release"}
    return f"DHCPv6 {names.get(data[0], f'type {data[0]}')}"


def _quic(data: bytes, sport: int, dport: int) -> str:
    """A packet with QUIC's long header (RFC 9000 §17.2): its version is in clear."""
    if 443 not in (sport, dport) or len(data) < 7 or not data[0] & 0x80:
        return ""
    (version,) = struct.unpack_from("!I", data, 1)
    if version not in _QUIC and data[0] & 0x40 == 0:
        return ""
    if data[5] > 20:
        return ""
    return f"QUIC version {_QUIC.get(version, f'0x{version:08x}')}"


def _wireguard(data: bytes) -> str:
    if data[1:4] != b"\0\0\0":
        return ""
    size, name = _WIREGUARD.get(data[0], (0, ""))
    if size == len(data):
        return f"WireGuard {name}"
    return "WireGuard data" if data[0] == 4 and len(data) >= 32 and len(data) % 16 == 0 else ""


def _tunnel(name: str, frame: bytes) -> str:
    """The outer packet of a tunnel: whom the inner one is from and for."""
    if frame[12:14] == b"\x08\x00":
        src, dst = (socket.inet_ntop(socket.AF_INET, frame[at : at + 4]) for at in (26, 30))
        return f"{name}, {protocol_title(frame[23])} {src} > {dst}"
    if frame[12:14] == b"\x86\xdd":
        src, dst = (socket.inet_ntop(socket.AF_INET6, frame[at : at + 16]) for at in (22, 38))
        return f"{name}, {protocol_title(frame[20])} {src} > {dst}"
    return name


def _text(raw: bytes) -> str:
    return clean(raw.decode("utf-8", "replace"), 200)
