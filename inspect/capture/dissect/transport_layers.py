"""TCP with its options, UDP, SCTP, ICMP and ICMPv6, field by field.  Pure."""

from __future__ import annotations

from dnet_tui.inspect.capture.dissect.field_reader import CutOffError, FieldReader, NextLayer, as_hex
from dnet_tui.inspect.model.protocols import ICMP_WORDS, ICMPV6_WORDS, UNREACHABLE, UNREACHABLE6

_FLAGS = (
    (0x80, "CWR"), (0x40, "ECE"), (0x20, "URG"), (0x10, "ACK"), (0x08, "PSH"), (0x04, "RST"), (0x02, "SYN"),
    (0x01, "FIN"),
)  # fmt: skip
_OPTIONS = {
    0: "end of options", 1: "no operation", 2: "maximum segment size", 3: "window scale", 4: "SACK permitted",
    5: "SACK", 8: "timestamps", 19: "MD5 signature", 28: "user timeout", 29: "authentication", 30: "multipath",
    34: "fast open",
}  # fmt: skip
_DNS = frozenset({53, 5353, 5355})
_TUNNELS = {4789: "VXLAN", 8472: "VXLAN", 6081: "Geneve"}
_ERRORS = frozenset({3, 4, 5, 11, 12})
_ERRORS6 = frozenset({1, 2, 3, 4})
_ND = {1: "source's MAC", 2: "target's MAC", 3: "prefix", 5: "MTU", 25: "DNS servers"}


def read_tcp(reader: FieldReader) -> NextLayer | None:
    """RFC 9293."""
    begin = reader.at
    sport, dport = reader.number("source port", 2), reader.number("destination port", 2)
    reader.number("sequence number", 4)
    reader.number("acknowledgement number", 4)
    offset = reader.number("header length", 1, lambda value: f"{(value >> 4) * 4} bytes")
    header = (offset >> 4) * 4
    flags = reader.number("flags", 1, as_hex)
    names = [name for bit, name in _FLAGS if flags & bit]
    reader.bits("set", " ".join(names) or "none", 1)
    reader.number("window", 2)
    reader.number("checksum", 2, as_hex)
    reader.number("urgent pointer", 2)
    reader.summary = f"{sport} > {dport} {' '.join(names)}".rstrip()
    if header < 20:
        raise CutOffError
    if header > 20:
        inner = reader.within(begin + header - reader.at)
        _tcp_options(inner)
        reader.put("options", "", inner)
    if not reader.left:
        return None
    return NextLayer("stream", reader.at, reader.end)


def _tcp_options(reader: FieldReader) -> None:
    while reader.left:
        kind = reader.data[reader.at]
        size = 1 if kind in (0, 1) else reader.data[reader.at + 1] if reader.left > 1 else 0
        if size < (1 if kind < 2 else 2) or size > reader.left:
            return
        start = reader.skip(size)
        value = reader.data[start + 2 : reader.at]
        text = value.hex(" ")
        if kind == 2 and size == 4:
            text = str(int.from_bytes(value, "big"))
        elif kind == 3 and size == 3:
            text = f"{value[0]} (times {1 << min(value[0], 14)})"
        elif kind == 8 and size == 10:
            text = f"{int.from_bytes(value[:4], 'big')}, echo {int.from_bytes(value[4:], 'big')}"
        elif kind == 5:
            edges = [int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value) - 3, 4)]
            text = ", ".join(f"{left}-{right}" for left, right in zip(edges[::2], edges[1::2], strict=False))
        reader.add(_OPTIONS.get(kind, f"option {kind}"), text, start)
        if kind == 0:
            return


def read_udp(reader: FieldReader) -> NextLayer | None:
    """RFC 768; what it carries is known by its ports, else by its form."""
    sport, dport = reader.number("source port", 2), reader.number("destination port", 2)
    size = reader.number("length", 2)
    reader.number("checksum", 2, as_hex)
    reader.summary = f"{sport} > {dport}"
    end = min(reader.end, reader.at + max(size - 8, 0)) if size else reader.end
    if reader.at >= end:
        return None
    if sport in _DNS or dport in _DNS:
        return NextLayer("DNS", reader.at, end)
    if {sport, dport} <= {67, 68}:
        return NextLayer("DHCP", reader.at, end)
    return NextLayer(_TUNNELS.get(dport, "datagram"), reader.at, end)


def read_sctp(reader: FieldReader) -> NextLayer | None:
    """The common header of RFC 9260."""
    sport, dport = reader.number("source port", 2), reader.number("destination port", 2)
    reader.number("verification tag", 4, as_hex)
    reader.number("checksum", 4, as_hex)
    reader.summary = f"{sport} > {dport}"
    return NextLayer("payload", reader.at, reader.end)


def read_icmp(reader: FieldReader) -> NextLayer | None:
    """RFC 792; an error's quotation is a layer of its own."""
    kind = reader.number("type", 1, names=ICMP_WORDS)
    code = reader.number("code", 1, names=UNREACHABLE if kind == 3 else None)
    reader.number("checksum", 2, as_hex)
    reader.summary = UNREACHABLE.get(code, "") if kind == 3 else ICMP_WORDS.get(kind, "")
    if kind in (0, 8, 13, 14):
        reader.number("id", 2)
        reader.number("sequence number", 2)
    elif kind == 3 and code == 4:
        reader.raw("unused", 2)
        reader.number("MTU", 2)
    elif kind == 5:
        reader.address("gateway", 4)
    else:
        reader.raw("unused", 4)
    if kind in _ERRORS and reader.left:
        return NextLayer("quoted IPv4", reader.at, reader.end)
    return NextLayer("payload", reader.at, reader.end) if reader.left else None


def read_icmp6(reader: FieldReader) -> NextLayer | None:
    """RFC 4443 and, for neighbour discovery, RFC 4861."""
    kind = reader.number("type", 1, names=ICMPV6_WORDS)
    code = reader.number("code", 1, names=UNREACHABLE6 if kind == 1 else None)
    reader.number("checksum", 2, as_hex)
    reader.summary = UNREACHABLE6.get(code, "") if kind == 1 else ICMPV6_WORDS.get(kind, "")
    if kind in (128, 129):
        reader.number("id", 2)
        reader.number("sequence number", 2)
    elif kind == 2:
        reader.number("MTU", 4)
    elif kind == 4:
        reader.number("pointer", 4)
    else:
        reader.raw("flags" if kind == 136 else "unused", 4)
    if kind in _ERRORS6 and reader.left:
        return NextLayer("quoted IPv6", reader.at, reader.end)
    if kind in (133, 135, 136, 137):
        _discovery(reader, kind)
        return None
    return NextLayer("payload", reader.at, reader.end) if reader.left else None


def _discovery(reader: FieldReader, kind: int) -> None:
    if kind in (135, 136, 137):
        target = reader.address("target", 16)
        reader.summary = f"{reader.summary}, {target}"
    if kind == 137:
        reader.address("destination", 16)
    while reader.left >= 8:
        option, words = reader.data[reader.at], reader.data[reader.at + 1]
        if not words:
            return
        start = reader.skip(words * 8)
        value = reader.data[start + 2 : reader.at]
        text = value.hex(":") if option in (1, 2) and len(value) == 6 else value.hex(" ")
        reader.add(_ND.get(option, f"option {option}"), text, start)
