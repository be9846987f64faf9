"""What TCP and UDP carry, where its first bytes or its ports tell: DNS, DHCP, HTTP, TLS, QUIC, tunnels.  Pure.

One frame is read, never a stream: a message that goes on in the next segment ends with what is here.
"""

from __future__ import annotations

import socket

from dnet_tui.inspect.capture.application import tcp_content, udp_content
from dnet_tui.inspect.capture.dissect.field_reader import FieldReader, NextLayer, as_hex
from dnet_tui.inspect.capture.dns import decode_dns, read_name

_DNS_TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 41: "EDNS",
    64: "SVCB", 65: "HTTPS", 255: "ANY",
}  # fmt: skip
_DNS_CODES = {0: "no error", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_DNS_SECTIONS = ("question", "answer", "authority", "additional")
_DHCP_TYPES = {1: "discover", 2: "offer", 3: "request", 4: "decline", 5: "ack", 6: "nak", 7: "release", 8: "inform"}
_DHCP_ADDRESSES = {
    1: "netmask", 3: "router", 6: "DNS servers", 28: "broadcast", 42: "time servers", 50: "requested address",
    54: "server",
}  # fmt: skip
_DHCP_TEXTS = {12: "host name", 15: "domain", 60: "vendor class"}
_TLS_RECORDS = {20: "change cipher spec", 21: "alert", 22: "handshake", 23: "application data"}
_TLS_VERSIONS = {0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
_HTTP_LINES = 64


def read_stream(reader: FieldReader) -> NextLayer | None:
    """A TCP segment's payload: told by its form."""
    content = tcp_content(reader.data[reader.at : reader.end])
    name = "TLS" if content.startswith("TLS") else "HTTP" if content.startswith("HTTP") else "payload"
    return NextLayer(name, reader.at, reader.end)


def read_datagram(reader: FieldReader) -> NextLayer | None:
    """A UDP payload that no port tells of: told by its form."""
    content = udp_content(reader.data[reader.at : reader.end], 0, 443)
    name = next((item for item in ("QUIC", "WireGuard") if content.startswith(item)), "payload")
    return NextLayer(name, reader.at, reader.end)


def read_dns(reader: FieldReader) -> NextLayer | None:
    """RFC 1035."""
    message = reader.start
    reader.summary = decode_dns(reader.data[message : reader.end])
    reader.number("id", 2)
    flags = reader.number("flags", 2, as_hex)
    reader.bits("kind", "answer" if flags & 0x8000 else "query", 2)
    reader.bits("result", _DNS_CODES.get(flags & 15, f"code {flags & 15}"), 2)
    counts = [reader.number(f"{name} records", 2) for name in _DNS_SECTIONS]
    for name, count in zip(_DNS_SECTIONS, counts, strict=True):
        for _ in range(count):
            _record(reader, message, name)
    return None


def _record(reader: FieldReader, message: int, name: str) -> None:
    start = reader.at
    owner, after = read_name(reader.data[message : reader.end], start - message)
    reader.skip(message + after - start)
    inner = FieldReader(reader.data, reader.at, reader.end)
    inner.fields, inner.start = [], start
    kind = inner.number("type", 2, names=_DNS_TYPES)
    inner.number("class", 2)
    value = ""
    if name != "question":
        inner.number("time to live", 4)
        size = inner.number("length", 2)
        at = inner.at
        if (kind, size) in ((1, 4), (28, 16)):
            value = inner.address("address", size)
        elif kind in (2, 5, 12):
            value, _ = read_name(reader.data[message : reader.end], at - message)
            inner.skip(size)
            inner.add("name", value, at)
        elif size:
            inner.raw("value", size)
    reader.at = inner.at
    reader.add(name, f"{_DNS_TYPES.get(kind, f'TYPE{kind}')} {owner} {value}".rstrip(), start, tuple(inner.fields))


def read_dhcp(reader: FieldReader) -> NextLayer | None:
    """RFC 2131 and RFC 2132."""
    reader.summary = udp_content(reader.data[reader.at : reader.end], 68, 67)
    reader.number("operation", 1, names={1: "request", 2: "reply"})
    reader.number("hardware", 1, names={1: "Ethernet"})
    reader.number("address size", 1)
    reader.number("hops", 1)
    reader.number("transaction", 4, as_hex)
    reader.number("seconds", 2)
    reader.number("flags", 2, as_hex)
    for name in ("client's address", "your address", "server's address", "relay's address"):
        reader.address(name, 4)
    reader.address("client's MAC", 6)
    reader.skip(10)
    reader.skip(192)  # server and file name
    reader.raw("cookie", 4)
    while reader.left >= 2 and (kind := reader.data[reader.at]) != 255:
        if not kind:
            reader.skip(1)
            continue
        start = reader.skip(2 + reader.data[reader.at + 1])
        value = reader.data[start + 2 : reader.at]
        reader.add(*_dhcp_option(kind, value), start)
    return None


def _dhcp_option(kind: int, value: bytes) -> tuple[str, str]:
    if kind == 53 and value:
        return "message", _DHCP_TYPES.get(value[0], str(value[0]))
    if kind in _DHCP_ADDRESSES and value and len(value) % 4 == 0:
        found = [socket.inet_ntop(socket.AF_INET, value[at : at + 4]) for at in range(0, len(value), 4)]
        return _DHCP_ADDRESSES[kind], ", ".join(found)
    if kind == 51 and len(value) == 4:
        return "lease", f"{int.from_bytes(value, 'big')} s"
    if kind in _DHCP_TEXTS:
        return _DHCP_TEXTS[kind], value.decode("utf-8", "replace")
    return f"option {kind}", value.hex(" ")


def read_http(reader: FieldReader) -> NextLayer | None:
    """The first line and the header of HTTP/1 (RFC 9112)."""
    reader.summary = tcp_content(reader.data[reader.at : reader.end])
    for number in range(_HTTP_LINES):
        end = reader.data.find(b"\r\n", reader.at, reader.end)
        if end < 0:
            break
        start = reader.skip(end - reader.at)
        text = reader.data[start:end].decode("utf-8", "replace")
        name, colon, value = text.partition(":")
        if number and colon:
            reader.add(name, value.strip(), start)
        elif text:
            reader.add("line", text, start)
        reader.skip(2)
        if not text:
            break
    return NextLayer("payload", reader.at, reader.end) if reader.left else None


def read_tls(reader: FieldReader) -> NextLayer | None:
    """The records of RFC 8446 that are in this segment."""
    reader.summary = tcp_content(reader.data[reader.at : reader.end])
    while reader.left >= 5 and reader.data[reader.at] in _TLS_RECORDS:
        start = reader.at
        inner = FieldReader(reader.data, start, reader.end)
        kind = inner.number("type", 1, names=_TLS_RECORDS)
        inner.number("version", 2, as_hex, names=_TLS_VERSIONS)
        size = inner.number("length", 2)
        here = min(size, inner.left)
        content = tcp_content(reader.data[start : inner.at + here])
        inner.raw("content", here)
        reader.skip(inner.at - start)
        part = " (goes on in the next segment)" if here < size else ""
        reader.add("record", f"{_TLS_RECORDS[kind]}: {content}{part}" if content else "", start, tuple(inner.fields))
    return NextLayer("payload", reader.at, reader.end) if reader.left else None


def read_quic(reader: FieldReader) -> NextLayer | None:
    """A long header of RFC 9000: what is in clear."""
    reader.summary = udp_content(reader.data[reader.at : reader.end], 443, 443)
    reader.number("form", 1, as_hex)
    reader.number("version", 4, as_hex)
    reader.raw("destination's connection id", reader.number("length of it", 1))
    reader.raw("source's connection id", reader.number("length of it", 1))
    return NextLayer("payload", reader.at, reader.end) if reader.left else None


def read_wireguard(reader: FieldReader) -> NextLayer | None:
    """The outside of WireGuard's messages."""
    reader.summary = udp_content(reader.data[reader.at : reader.end], 0, 0)
    kind = reader.number("type", 1, names={1: "initiation", 2: "response", 3: "cookie", 4: "data"})
    reader.raw("reserved", 3)
    reader.raw("receiver" if kind == 4 else "sender", 4)
    if kind == 4:
        start = reader.skip(8)
        reader.add("counter", str(int.from_bytes(reader.data[start : reader.at], "little")), start)
    return NextLayer("payload", reader.at, reader.end) if reader.left else None


def read_vxlan(reader: FieldReader) -> NextLayer | None:
    """RFC 7348; the frame within follows."""
    reader.number("flags", 1, as_hex)
    reader.raw("reserved", 3)
    vni = reader.number("VNI", 3)
    reader.raw("reserved", 1)
    reader.summary = f"VNI {vni}"
    return NextLayer("Ethernet", reader.at, reader.end)


def read_geneve(reader: FieldReader) -> NextLayer | None:
    """RFC 8926; the frame within follows."""
    first = reader.number("version and options' length", 1, as_hex)
    reader.number("flags", 1, as_hex)
    kind = reader.number("protocol", 2, as_hex, names={0x6558: "Ethernet", 0x0800: "IPv4", 0x86DD: "IPv6"})
    vni = reader.number("VNI", 3)
    reader.raw("reserved", 1)
    reader.summary = f"VNI {vni}"
    if options := (first & 63) * 4:
        reader.raw("options", options)
    layer = {0x6558: "Ethernet", 0x0800: "IPv4", 0x86DD: "IPv6"}.get(kind, "payload")
    return NextLayer(layer, reader.at, reader.end)
