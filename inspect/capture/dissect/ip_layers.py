"""IPv4 and IPv6 with their options, extension headers and fragments, field by field.  Pure."""

from __future__ import annotations

import socket

from dnet_tui.inspect.capture.dissect.field_reader import CutOffError, FieldReader, NextLayer, as_hex
from dnet_tui.inspect.capture.dissect.ip_options import (
    IPV4_OPTIONS,
    IPV6_HEADERS,
    IPV6_OPTIONS,
    IpOption,
    ipv4_options,
    ipv6_options,
)
from dnet_tui.inspect.model.protocols import protocol_title

_LAYERS = {1: "ICMP", 4: "IPv4", 6: "TCP", 17: "UDP", 41: "IPv6", 47: "payload", 58: "ICMPv6", 132: "SCTP"}
_ECN = {0: "not capable", 1: "capable (1)", 2: "capable (0)", 3: "congestion"}
_ROUTES = frozenset({7, 131, 137})
_EXTENSIONS = frozenset({0, 43, 60, 135})


def _protocol(number: int) -> str:
    return f"{number} ({protocol_title(number)})"


def read_ipv4(reader: FieldReader) -> NextLayer | None:
    """RFC 791."""
    begin = reader.at
    first = reader.number("version and header length", 1, as_hex)
    reader.bits("version", str(first >> 4), 1)
    header = (first & 15) * 4
    reader.bits("header length", f"{header} bytes", 1)
    service = reader.number("service", 1, as_hex)
    reader.bits("DSCP", str(service >> 2), 1)
    reader.bits("ECN", _ECN[service & 3], 1)
    total = reader.number("total length", 2)
    reader.number("identification", 2)
    where = reader.number("fragment", 2, as_hex)
    reader.bits("don't fragment", "yes" if where & 0x4000 else "no", 2)
    reader.bits("more fragments", "yes" if where & 0x2000 else "no", 2)
    offset = (where & 0x1FFF) * 8
    reader.bits("offset", f"{offset} bytes", 2)
    reader.number("time to live", 1)
    proto = reader.number("protocol", 1, _protocol)
    reader.number("checksum", 2, as_hex)
    src, dst = reader.address("source", 4), reader.address("destination", 4)
    reader.summary = f"{src} > {dst}" + (f", fragment at {offset}" if offset else "")
    if first >> 4 != 4 or header < 20:
        raise CutOffError
    if header > 20:
        inner = reader.within(header - 20)
        for item in ipv4_options(reader.data, inner.start, inner.end):
            _ipv4_option(inner, item)
        reader.put("options", "", inner)
    # A total length of 0 is a frame larger than the field (segmentation offload).
    end = min(reader.end, begin + total) if total else reader.end
    return NextLayer("payload" if offset else _LAYERS.get(proto, "payload"), reader.at, end)


def _ipv4_option(reader: FieldReader, item: IpOption) -> None:
    start = reader.skip(item.end - item.start)
    name = IPV4_OPTIONS.get(item.kind, f"option {item.kind}")
    value = reader.data[item.start : item.end]
    text = value[2:].hex(" ")
    if item.kind in _ROUTES and len(value) > 3:
        # The pointer counts from 1; before it are the addresses that are filled in or used.
        stops = [socket.inet_ntop(socket.AF_INET, value[at : at + 4]) for at in range(3, len(value) - 3, 4)]
        text = f"pointer {value[2]}: {', '.join(stops)}"
    elif item.kind == 148 and len(value) == 4:
        text = str(int.from_bytes(value[2:], "big"))
    reader.add(name, text, start)


def read_ipv6(reader: FieldReader) -> NextLayer | None:
    """RFC 8200, with the extension headers that come before what is carried."""
    first = reader.number("version, class and flow", 4, as_hex)
    reader.bits("version", str(first >> 28), 4)
    reader.bits("traffic class", as_hex(first >> 20 & 0xFF), 4)
    reader.bits("flow label", as_hex(first & 0xFFFFF), 4)
    size = reader.number("payload length", 2)
    proto = reader.number("next header", 1, _next)
    reader.number("hop limit", 1)
    src, dst = reader.address("source", 16), reader.address("destination", 16)
    reader.summary = f"{src} > {dst}"
    if first >> 28 != 6:
        raise CutOffError
    end = min(reader.end, reader.at + size) if size else reader.end
    offset = 0
    while proto in IPV6_HEADERS and not offset:
        proto, offset = _extension(reader, proto)
    if offset:
        reader.summary += f", fragment at {offset}"
    return NextLayer("payload" if offset or proto == 59 else _LAYERS.get(proto, "payload"), reader.at, end)


def _next(number: int) -> str:
    return f"{number} ({IPV6_HEADERS.get(number) or protocol_title(number)})"


def _extension(reader: FieldReader, kind: int) -> tuple[int, int]:
    """One extension header: what comes next, and a fragment's offset."""
    if reader.left < 8:
        raise CutOffError
    words = reader.data[reader.at + 1]
    size = 8 if kind == 44 else (words + 2) * 4 if kind == 51 else (words + 1) * 8
    inner = reader.within(size)
    following = inner.number("next header", 1, _next)
    offset = 0
    if kind == 44:
        inner.skip(1)
        where = inner.number("fragment", 2, as_hex)
        offset = where & 0xFFF8
        inner.bits("offset", f"{offset} bytes", 2)
        inner.bits("more fragments", "yes" if where & 1 else "no", 2)
        inner.number("identification", 4)
    else:
        inner.number("length", 1, lambda value: f"{value} ({size} bytes)")
        if kind in (0, 60):
            for item in ipv6_options(reader.data, inner.at, inner.end):
                start = inner.skip(item.end - item.start)
                value = reader.data[item.start + 2 : item.end].hex(" ")
                inner.add(IPV6_OPTIONS.get(item.kind, f"option {item.kind}"), value, start)
    reader.put(IPV6_HEADERS[kind], "", inner)
    return following, offset
