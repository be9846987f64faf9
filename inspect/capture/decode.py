"""One line for one packet, much as tcpdump would write it.  Pure.

Packets are hostile: every length and offset in them may lie.  Nothing here
raises for any bytes at all; what can't be read ends the line with
``[truncated]`` or ``[malformed]``, and every text goes through ``clean``.

Layers above IP live in :mod:`dnet_tui.inspect.capture.transport`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

import msgspec

from dnet_tui.inspect.capture.dissect.ip_options import IPV6_HEADERS, option_names
from dnet_tui.inspect.capture.packet import RAW_IP, CaptureDirection, CapturedPacket
from dnet_tui.inspect.capture.transport import Layer, decode_transport
from dnet_tui.inspect.model.protocols import protocol_title
from dnet_tui.inspect.text.sanitize import clean

_VLAN = frozenset({0x8100, 0x88A8, 0x9100})
_ETHERTYPES = {0x88CC: "LLDP", 0x8863: "PPPoE-D", 0x8864: "PPPoE", 0x8847: "MPLS", 0x888E: "EAPOL", 0x88E5: "MACsec"}
_EXTENSIONS = frozenset({0, 43, 60, 135})  # hop-by-hop, routing, destination options, mobility
_FRAGMENT, _AUTHENTICATION = 44, 51
_MAX_NESTING = 8  # VLAN tags or extension headers


_NO_NAMES: Mapping[str, str] = {}


class _Reader(Protocol):
    def __call__(self, data: bytes, *, inner: bool) -> Layer: ...


class PacketSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of a packet.

    ``time`` in nanoseconds since 1970; ``src`` and ``dst`` are IP addresses
    where the packet has them, else MAC addresses; ``length`` is the frame's
    size on the wire in bytes; ``info`` is cleaned text.
    """

    time: int
    point: str
    direction: CaptureDirection
    src: str
    dst: str
    proto: str
    sport: int | None
    dport: int | None
    length: int
    info: str

    def line(self, names: Mapping[str, str] = _NO_NAMES) -> str:
        """The packet in one line: local time with nanoseconds, point, direction, who, what; names by address."""
        src, dst = _end(self.src, self.sport), _end(self.dst, self.dport)
        if names:
            src = f"{src} ({names[self.src]})" if self.src in names else src
            dst = f"{dst} ({names[self.dst]})" if self.dst in names else dst
        return f"{clock(self.time)} {self.point} {self.direction:<3} {src} > {dst} {self.proto} {self.info}".rstrip()


def clock(time_ns: int) -> str:
    """Local time of day, as ``12:34:56.123456789``."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{_local_second(seconds)}.{nanoseconds:09}"


@lru_cache(maxsize=8)
def _local_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC).astimezone():%H:%M:%S}"


def timestamp(time_ns: int) -> str:
    """UTC in ISO 8601 with nanoseconds, as ``2026-11-21T12:34:56.123456789Z``."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{_utc_second(seconds)}.{nanoseconds:09}Z"


@lru_cache(maxsize=8)
def _utc_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%S}"


def summarise(packet: CapturedPacket, label: str) -> PacketSummary:
    """Decode a packet that was captured at the point called ``label``.  Never raises."""
    layer = decode_frame(packet.data, packet.linktype)
    return PacketSummary(
        time=packet.time_ns,
        point=clean(label),
        direction=packet.direction,
        src=layer.src,
        dst=layer.dst,
        proto=layer.proto,
        sport=layer.sport,
        dport=layer.dport,
        length=packet.length,
        info=clean(layer.info),
    )


def decode_frame(data: bytes, linktype: int) -> Layer:
    """The innermost thing that could be read of a frame.  Never raises."""
    try:
        return _raw_ip(data) if linktype == RAW_IP else _ethernet(data)
    except (struct.error, IndexError):
        return Layer(proto="IP" if linktype == RAW_IP else "Ethernet", info="[truncated]")


def _ethernet(data: bytes) -> Layer:
    dst, src = _mac(data[0:6]), _mac(data[6:12])
    (kind,) = struct.unpack_from("!H", data, 12)
    at, tags = 14, ""
    for _ in range(_MAX_NESTING):
        if kind not in _VLAN:
            break
        tci, kind = struct.unpack_from("!HH", data, at)
        tags += f"vlan {tci & 0x0FFF}, "
        at += 4
    layer = _network(kind, data[at:])
    layer.info = tags + layer.info
    layer.src, layer.dst = layer.src or src, layer.dst or dst
    return layer


def _network(kind: int, data: bytes) -> Layer:
    if kind == 0x0800:
        return _guarded(_ipv4, data, "IPv4")
    if kind == 0x86DD:
        return _guarded(_ipv6, data, "IPv6")
    if kind == 0x0806:
        return _guarded(_arp, data, "ARP")
    if kind < 0x0600:  # a length: LLC follows (IEEE 802.3)
        stp = data[:3] == b"\x42\x42\x03"
        return Layer(proto="STP" if stp else "LLC", info=f"length {kind}")
    return Layer(proto=_ETHERTYPES.get(kind, f"0x{kind:04x}"), info=f"length {len(data)}")


def _raw_ip(data: bytes) -> Layer:
    return _guarded(_ipv6, data, "IPv6") if data[0] >> 4 == 6 else _guarded(_ipv4, data, "IPv4")


def _guarded(read: _Reader, data: bytes, proto: str) -> Layer:
    try:
        return read(data, inner=False)
    except (struct.error, IndexError, ValueError):
        return Layer(proto=proto, info="[truncated]")


def _arp(data: bytes, *, inner: bool) -> Layer:  # noqa: ARG001  the readers share one signature
    hardware, protocol, hlen, plen, operation = struct.unpack_from("!HHBBH", data, 0)
    if (hardware, protocol, hlen, plen) != (1, 0x0800, 6, 4):
        return Layer(proto="ARP", info=f"hardware {hardware}, protocol 0x{protocol:04x}, operation {operation}")
    sender_mac, sender, _, target = struct.unpack_from("!6s4s6s4s", data, 8)
    who, whom = socket.inet_ntop(socket.AF_INET, sender), socket.inet_ntop(socket.AF_INET, target)
    info = {
        1: f"who-has {whom} tell {who}" if sender != target else f"announces {who} is-at {_mac(sender_mac)}",
        2: f"{who} is-at {_mac(sender_mac)}",
    }.get(operation, f"operation {operation}")
    return Layer(src=who, dst=whom, proto="ARP", info=info)


def _ipv4(data: bytes, *, inner: bool) -> Layer:
    first, _, total, ident, fragment, ttl, proto, _, src, dst = struct.unpack_from("!BBHHHBBH4s4s", data, 0)
    header = (first & 0x0F) * 4
    layer = Layer(src=socket.inet_ntop(socket.AF_INET, src), dst=socket.inet_ntop(socket.AF_INET, dst), proto="IPv4")
    if first >> 4 != 4 or header < 20:
        layer.info = "[malformed]"
        return layer
    # A total length of 0 is a segmentation-offloaded packet larger than the field (ip(7), BIG TCP).
    length = (total or len(data)) - header
    payload = data[header : total or len(data)]
    offset, more = (fragment & 0x1FFF) * 8, bool(fragment & 0x2000)
    if length < 0:
        layer.info = "[malformed]"
        return layer
    _fill(layer, proto, payload, length, _Fragment(ident, offset, more=more), inner=inner)
    if ttl <= 1 and not inner:
        layer.info += f", ttl {ttl}"
    if header > 20 and not inner and (names := option_names(data, 20, header, six=False)):
        layer.info += f", options [{names}]"
    return layer


def _ipv6(data: bytes, *, inner: bool) -> Layer:
    first, size, proto, _, src, dst = struct.unpack_from("!IHBB16s16s", data, 0)
    layer = Layer(src=socket.inet_ntop(socket.AF_INET6, src), dst=socket.inet_ntop(socket.AF_INET6, dst), proto="IPv6")
    if first >> 28 != 6:
        layer.info = "[malformed]"
        return layer
    end = 40 + size if size else len(data)  # 0: a jumbogram or an offloaded packet
    at, fragment, options = 40, None, ""
    for _ in range(_MAX_NESTING):
        if proto in _EXTENSIONS:
            size = (data[at + 1] + 1) * 8
            options += _extension_words(data, at, size, proto)
            proto = data[at]
            at += size
        elif proto == _AUTHENTICATION:
            proto, words = data[at], data[at + 1]
            at += (words + 2) * 4
        elif proto == _FRAGMENT and fragment is None:
            proto, _, where, ident = struct.unpack_from("!BBHI", data, at)
            at += 8
            fragment = _Fragment(ident, where & 0xFFF8, more=bool(where & 1))
            if fragment.offset:
                break
        else:
            break
    if end < at:
        layer.info = "[malformed]"
        return layer
    _fill(layer, proto, data[at:end], end - at, fragment, inner=inner)
    if not inner:
        layer.info += options
    return layer


def _extension_words(data: bytes, at: int, size: int, kind: int) -> str:
    """An extension header in a few words, such as ``, hop-by-hop options [router alert]``; nothing of padding."""
    if kind not in (0, 60):
        return f", {IPV6_HEADERS[kind]}"
    names = option_names(data, at + 2, at + size, six=True)
    return f", {IPV6_HEADERS[kind]} [{names}]" if names else ""


class _Fragment:
    def __init__(self, ident: int, offset: int, *, more: bool) -> None:
        self.ident, self.offset, self.more = ident, offset, more


def _fill(layer: Layer, proto: int, payload: bytes, length: int, fragment: _Fragment | None, *, inner: bool) -> None:
    """Put into ``layer`` what the payload says."""
    if fragment is not None and fragment.offset:
        layer.proto = protocol_title(proto)
        last = "" if fragment.more else ", last"
        layer.info = f"fragment id {fragment.ident} offset {fragment.offset} length {length}{last}"
        return
    if proto == 59:  # no next header, RFC 8200
        layer.info = "no next header"
        return
    decode_transport(layer, proto, payload, length, None if inner else _quoted)
    if fragment is not None and fragment.more:
        layer.info += f", first fragment id {fragment.ident}"


def _quoted(data: bytes) -> str:
    """The packet that an ICMP error quotes, in a few words: who, to whom, what."""
    if not data:
        return ""
    try:
        layer = _ipv6(data, inner=True) if data[0] >> 4 == 6 else _ipv4(data, inner=True)
    except (struct.error, IndexError, ValueError):
        return "[truncated]"
    return f"{_end(layer.src, layer.sport)} > {_end(layer.dst, layer.dport)} {layer.proto}"


def _end(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _mac(raw: bytes) -> str:
    return raw.hex(":") or "?"
