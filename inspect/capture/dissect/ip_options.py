"""The options of IPv4 and of IPv6's extension headers, by name (RFC 791, RFC 8200, IANA's registries).  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

IPV4_OPTIONS: dict[int, str] = {
    0: "end of options", 1: "no operation", 7: "record route", 68: "timestamp", 82: "traceroute", 130: "security",
    131: "loose source route", 133: "extended security", 134: "commercial security", 136: "stream id",
    137: "strict source route", 148: "router alert",
}  # fmt: skip
IPV6_OPTIONS: dict[int, str] = {
    0: "Pad1", 1: "PadN", 4: "tunnel limit", 5: "router alert", 7: "CALIPSO", 0x26: "quick start", 0x63: "RPL",
    0xC2: "jumbo payload", 0xC9: "home address",
}  # fmt: skip
IPV6_HEADERS: dict[int, str] = {
    0: "hop-by-hop options", 43: "routing", 44: "fragment", 51: "authentication", 60: "destination options",
    135: "mobility",
}  # fmt: skip
_MOST = 40


class IpOption(NamedTuple):
    """One option: its number, and where in the data it is."""

    kind: int
    start: int
    end: int


def ipv4_options(data: bytes, at: int, end: int) -> Iterator[IpOption]:
    """The options between two places; one that is cut off ends them."""
    while at < end and at < len(data):
        kind = data[at]
        size = 1 if kind in (0, 1) else data[at + 1] if at + 1 < len(data) else 0
        if size < 1 or (kind > 1 and size < 2) or at + size > end:
            return
        yield IpOption(kind, at, at + size)
        if kind == 0:
            return
        at += size


def ipv6_options(data: bytes, at: int, end: int) -> Iterator[IpOption]:
    """The options of a hop-by-hop or destination options header, whose first two bytes are not among them."""
    while at < end and at < len(data):
        kind = data[at]
        size = 1 if kind == 0 else 2 + data[at + 1] if at + 1 < len(data) else 0
        if size < 1 or at + size > end:
            return
        yield IpOption(kind, at, at + size)
        at += size


def option_names(data: bytes, at: int, end: int, *, six: bool) -> str:
    """The options that say something, such as ``record route, router alert``; paddings are left out."""
    if six:
        found, names, padding = ipv6_options(data, at, end), IPV6_OPTIONS, (0, 1)
    else:
        found, names, padding = ipv4_options(data, at, end), IPV4_OPTIONS, (0, 1)
    words = [names.get(item.kind, f"option {item.kind}") for item in found if item.kind not in padding]
    return ", ".join(words[:_MOST])
