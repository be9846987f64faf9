"""Conditions on a packet's bytes: ``-m u32`` and ``-m string``.  Three-valued and pure.

Of a first packet the headers are known but for what its sender chooses at
random, and one that opens a connection of TCP has nothing behind them.

Sources: the kernel's xt_u32.c (u32_match_it), xt_string.c and skb_find_text
(net/core/skbuff.c); RFC 791, 8200, 9293, 768, 792.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.values import protocol_name
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.protocols import NUMBERS, TCP_FLAG_BITS
from dnet_tui.inspect.text.u32_tests import U32Test, parse_u32

_EVERY_BIT = 0xFFFFFFFF
_WORD = 4
_IPV4, _IPV6 = 20, 40
_TCP, _UDP = 20, 8
_LONGEST_HEADERS = {"ip": 60, "ip6": 40}
_LONGEST_TCP = 60
_LENGTHS = {"ip": 65535, "ip6": 65575}
_BY_CHANCE = 3
"""Patterns shorter than this stand in headers by chance often enough to say so."""


class Bits(NamedTuple):
    """Bits, and which of them are known; those that aren't are 0 in ``value``."""

    value: int
    known: int

    def within(self, low: int, high: int) -> Truth:
        """Whether the number that they are is in a range."""
        if low == high and (self.value ^ low) & self.known:
            return False
        least, most = self.value, self.value | (~self.known & _EVERY_BIT)
        if most < low or high < least:
            return False
        return True if low <= least and most <= high else None


_OPEN = (0, 0)
"""A byte of which nothing is known, as (value, known bits)."""


def u32(value: str, packet: Packet, _: MatchContext) -> Truth:
    """Whether all tests of a match hold."""
    tests = parse_u32(value)
    if tests is None or packet.arp_op:
        return None
    content = _headers(packet)
    results = [_holds(test, content, packet) for test in tests]
    return False if False in results else None if None in results else True


def _holds(test: U32Test, content: list[tuple[int, int]], packet: Packet) -> Truth:
    at, offset = 0, test.offset
    bits = _word(content, packet, at + offset)
    for how, number in test.steps:
        if not isinstance(bits, Bits):
            return bits
        if how == "&":
            bits = Bits(bits.value & number, bits.known | (~number & _EVERY_BIT))
        elif how == "<<":
            bits = _shifted(bits, number)
        elif how == ">>":
            bits = _shifted(bits, -number)
        elif bits.known != _EVERY_BIT:
            return None
        else:
            at += bits.value
            bits = _word(content, packet, at + number)
    if not isinstance(bits, Bits):
        return bits
    results = [bits.within(low, high) for low, high in test.ranges]
    return True if True in results else None if None in results else False


def _shifted(bits: Bits, by: int) -> Bits:
    """The bits moved to the left, or to the right by a negative number; those that come in are 0."""
    value, known = bits.value, bits.known
    if abs(by) >= _EVERY_BIT.bit_length():
        return Bits(0, 0)  # what the processor makes of it
    if by >= 0:
        return Bits((value << by) & _EVERY_BIT, ((known << by) | ((1 << by) - 1)) & _EVERY_BIT)
    return Bits(value >> -by, (known >> -by) | (~(_EVERY_BIT >> -by) & _EVERY_BIT))


def _word(content: list[tuple[int, int]], packet: Packet, at: int) -> Bits | bool | None:
    """Four bytes; False where the packet certainly ends before them, None where it may."""
    end = at + _WORD
    if packet.length and not packet.fragment:
        if end > packet.length:
            return False
    elif end > _LENGTHS[packet.family]:
        return False
    elif end > len(content):
        return None
    value = known = 0
    for byte, bits in (content[at:end] + [_OPEN] * _WORD)[:_WORD]:
        value, known = value << 8 | byte, known << 8 | bits
    return Bits(value, known)


def _headers(packet: Packet) -> list[tuple[int, int]]:
    """The bytes of the headers, each with its known bits, as far as their place is known."""
    proto = protocol_name(packet.proto)
    if packet.family == "ip6":
        return _ipv6(packet, proto) + _transport(packet, proto)
    # Where IP's options may stand, what follows has no known place.
    return _ipv4(packet, proto) + (_transport(packet, proto) if packet.plain else [])


def _known(number: int | None, size: int) -> list[tuple[int, int]]:
    if number is None:
        return [_OPEN] * size
    return [(byte, 0xFF) for byte in number.to_bytes(size, "big")]


def _ipv4(packet: Packet, proto: str) -> list[tuple[int, int]]:
    whole = not packet.fragment
    flags = 0x40 if packet.df else 0
    return [
        (0x45, 0xFF) if packet.plain else (0x40, 0xF0),
        *_known(packet.tos, 1),
        *_known(packet.length if packet.length and whole else None, 2),
        *_known(None, 2),
        (flags, (0xFF if packet.df is not None else 0xBF) if whole else 0x80),
        (0, 0xFF if whole else 0),
        *_known(packet.ttl, 1),
        *_known(NUMBERS.get(proto), 1),
        *_known(None, 2),
        *_address(packet.src),
        *_address(packet.dst),
    ]


def _ipv6(packet: Packet, proto: str) -> list[tuple[int, int]]:
    whole = packet.length and not packet.fragment
    high, low = _OPEN, _OPEN
    if packet.tos is not None:
        high, low = (packet.tos >> 4, 0x0F), ((packet.tos & 15) << 4, 0xF0)
    return [
        (0x60 | high[0], 0xF0 | high[1]),
        low,
        *_known(None, 2),
        *_known(packet.length - _IPV6 if whole else None, 2),
        *_known(NUMBERS.get(proto), 1),
        *_known(packet.ttl, 1),
        *_address(packet.src),
        *_address(packet.dst),
    ]


def _address(text: str) -> list[tuple[int, int]]:
    return [(byte, 0xFF) for byte in ipaddress.ip_address(text).packed]


def _transport(packet: Packet, proto: str) -> list[tuple[int, int]]:
    if proto == "tcp":
        opening = "ACK" not in packet.tcp_flags
        flags = sum(TCP_FLAG_BITS[name] for name in packet.tcp_flags if name in TCP_FLAG_BITS)
        asks = 0xFF if packet.plain or flags & 0xC0 else 0x3F
        return [
            *_known(packet.sport, 2),
            *_known(packet.dport, 2),
            *_known(None, 4),
            *_known(0 if opening else None, 4),
            _OPEN,
            (flags, asks),
            *_known(None, 4),
            *_known(0 if packet.plain else None, 2),
        ]
    if proto == "udp":
        size = packet.length - (_IPV6 if packet.family == "ip6" else _IPV4) if packet.length else None
        return [*_known(packet.sport, 2), *_known(packet.dport, 2), *_known(size, 2), *_known(None, 2)]
    if proto in {"icmp", "icmpv6"}:
        return [(packet.icmp_type, 0xFF), (packet.icmp_code, 0xFF), *_known(None, 2)]
    return []


def contents(value: str, packet: Packet, _: MatchContext) -> Truth:
    """Whether a text stands in a packet, headers included, from one offset to another."""
    start, end, size = (int(part) for part in value.split(" "))
    if packet.length and not packet.fragment:
        last = packet.length
    elif _is_bare(packet):
        last = _LONGEST_HEADERS[packet.family] + _LONGEST_TCP
    else:
        last = _LENGTHS[packet.family]
    if size > last - start or end < start:
        return False
    if not packet.plain:
        return None
    # Headers may read so by chance, though hardly; later packets' contents are not what is asked for.
    return False if size >= _BY_CHANCE and (_is_bare(packet) or packet.later) else None


def _is_bare(packet: Packet) -> bool:
    """Whether a packet certainly carries nothing behind its headers: one of TCP that opens or ends a connection."""
    return packet.proto == "tcp" and not packet.later and bool({"SYN", "RST"}.intersection(packet.tcp_flags))
