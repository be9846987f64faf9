"""What is above IP, in a few words: TCP, UDP, ICMP, ICMPv6, SCTP.  Pure.

Part of :mod:`dnet_tui.inspect.capture.decode`, which also guards against
bytes that end too early; the readers here may raise ``struct.error`` and
``IndexError`` and nothing else.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from dnet_tui.inspect.capture.application import tcp_content, udp_content
from dnet_tui.inspect.capture.dns import decode_dns
from dnet_tui.inspect.model.protocols import ICMP_WORDS, ICMPV6_WORDS, UNREACHABLE, UNREACHABLE6, protocol_title

DNS_PORTS = frozenset({53, 5353, 5355})
"""Ports whose payload is read as DNS: DNS, multicast DNS, LLMNR."""

_TCP_FLAGS = ((0x02, "S"), (0x01, "F"), (0x04, "R"), (0x08, "P"), (0x20, "U"), (0x10, "."), (0x40, "E"), (0x80, "W"))
Quote = Callable[[bytes], str]
"""Describes the packet that an ICMP error quotes."""


@dataclass(slots=True)
class Layer:
    """What has been read of a packet so far; inner layers fill in more."""

    proto: str
    src: str = ""
    dst: str = ""
    sport: int | None = None
    dport: int | None = None
    info: str = ""


def decode_transport(layer: Layer, proto: int, data: bytes, length: int, quote: Quote | None) -> None:
    """Fill ``layer`` from an IP payload.  Never raises.

    Args:
        layer: has the addresses already.
        proto: the IP protocol number.
        data: what was captured of the payload.
        length: its size on the wire.
        quote: describes a quoted packet; None inside a quotation.
    """
    layer.proto = protocol_title(proto)
    try:
        if proto == 6:
            _tcp(layer, data, length)
        elif proto == 17:
            _udp(layer, data, length)
        elif proto == 1:
            layer.info = _icmp(data, length, quote)
        elif proto == 58:
            layer.info = _icmp6(data, length, quote)
        elif proto == 132:
            layer.sport, layer.dport = struct.unpack_from("!HH", data, 0)
            layer.info = f"length {length}"
        else:
            layer.info = f"length {length}"
    except (struct.error, IndexError):
        layer.info = f"{layer.info} [truncated]".lstrip()


def _tcp(layer: Layer, data: bytes, length: int) -> None:
    layer.sport, layer.dport = struct.unpack_from("!HH", data, 0)
    sequence, acknowledged, offset, flags, window = struct.unpack_from("!IIBBH", data, 4)
    header = (offset >> 4) * 4
    letters = "".join(letter for bit, letter in _TCP_FLAGS if flags & bit) or "none"
    words = [f"Flags [{letters}]", f"seq {sequence}"]
    if flags & 0x10:
        words.append(f"ack {acknowledged}")
    words.append(f"win {window}")
    if header < 20 or header > length:
        layer.info = ", ".join((*words, "[malformed]"))
        return
    if (mss := _mss(data[20:header])) is not None:
        words.append(f"mss {mss}")
    words.append(f"length {length - header}")
    if not window and not flags & 0x06:  # of a SYN or a reset it says nothing
        words.append("zero window")
    content = tcp_content(data[header:length]) if length > header else ""
    layer.info = ", ".join((*words, content)) if content else ", ".join(words)


def _mss(options: bytes) -> int | None:
    """The maximum segment size option (RFC 9293), if it is among the options and whole."""
    at = 0
    while at < len(options) and (kind := options[at]) != 0:
        if kind == 1:  # padding
            at += 1
            continue
        size = options[at + 1] if at + 1 < len(options) else 0
        if size < 2:
            return None
        if kind == 2 and size == 4 and at + 4 <= len(options):
            return int(struct.unpack_from("!H", options, at + 2)[0])
        at += size
    return None


def _udp(layer: Layer, data: bytes, length: int) -> None:
    layer.sport, layer.dport = struct.unpack_from("!HH", data, 0)
    layer.info = f"length {max(length - 8, 0)}"
    if layer.sport in DNS_PORTS or layer.dport in DNS_PORTS:
        said = decode_dns(data[8:])
        if said:
            layer.info = f"{said}, {layer.info}"
    elif content := udp_content(data[8:length], layer.sport, layer.dport):
        layer.info = f"{content}, {layer.info}"


def _icmp(data: bytes, length: int, quote: Quote | None) -> str:
    kind, code, _, high, low = struct.unpack_from("!BBHHH", data, 0)
    if kind in (0, 8):
        return f"echo {'request' if kind == 8 else 'reply'}, id {high}, seq {low}, length {length}"
    quoted = _about(data, quote)
    if kind == 3:
        what = UNREACHABLE.get(code, f"unreachable, code {code}")
        return what + (f" (mtu {low})" if code == 4 else "") + quoted
    if kind == 11:
        return ("reassembly time exceeded" if code == 1 else "time exceeded in transit") + quoted
    if kind == 5:
        return f"redirect to {socket.inet_ntop(socket.AF_INET, data[4:8])}{quoted}"
    if kind == 12:
        return f"parameter problem at byte {high >> 8}{quoted}"
    return f"{ICMP_WORDS.get(kind, f'type {kind} code {code}')}, length {length}"


def _icmp6(data: bytes, length: int, quote: Quote | None) -> str:
    kind, code, _, high, low = struct.unpack_from("!BBHHH", data, 0)
    if kind in (128, 129):
        return f"echo {'request' if kind == 128 else 'reply'}, id {high}, seq {low}, length {length}"
    if kind == 1:
        return UNREACHABLE6.get(code, f"unreachable, code {code}") + _about(data, quote)
    if kind == 2:
        return f"packet too big (mtu {high << 16 | low}){_about(data, quote)}"
    if kind == 3:
        return ("reassembly time exceeded" if code == 1 else "hop limit exceeded") + _about(data, quote)
    if kind == 4:
        return f"parameter problem at byte {high << 16 | low}{_about(data, quote)}"
    if kind in (135, 136):
        (target,) = struct.unpack_from("!16s", data, 8)
        address = socket.inet_ntop(socket.AF_INET6, target)
        return f"neighbour solicitation, who has {address}" if kind == 135 else _advertisement(address, data[24:])
    return f"{ICMPV6_WORDS.get(kind, f'type {kind} code {code}')}, length {length}"


def _advertisement(address: str, options: bytes) -> str:
    """A neighbour advertisement: the target's MAC is in option 2 (RFC 4861)."""
    mac = options[2:8].hex(":") if options[:2] == b"\x02\x01" and len(options) >= 8 else ""
    return f"neighbour advertisement, {address} is at {mac}" if mac else f"neighbour advertisement, {address}"


def _about(data: bytes, quote: Quote | None) -> str:
    """What an ICMP error is about."""
    text = quote(data[8:]) if quote else ""
    return f", about {text}" if text else ""
