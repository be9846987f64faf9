"""Conditions on headers that few rules look at: type of service, SCTP, DCCP, IPsec, IPv6's.  Three-valued and pure.

Where a packet is ``plain``, what isn't known of it is what most packets have.

Sources: the kernel's xt_dscp.c, xt_tcpmss.c, xt_sctp.c, xt_dccp.c, xt_esp.c,
ip6t_ipv6header.c, ip6t_eui64.c.
"""

from __future__ import annotations

import ipaddress
from typing import assert_never

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.packet_bytes import contents, u32
from dnet_tui.diagnostics.walk.match.values import Test, in_span, masked, protocol_name
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.match_fields import HeaderField
from dnet_tui.inspect.text.number_ranges import parse_range

_MOST_SPI = 0xFFFFFFFF
_FIRST_SPI = 256
"""Lower ones are reserved (RFC 4303); the CPI of IPComp is a number of 16 bits of its own (RFC 3173)."""


def _tos(value: str, packet: Packet, _: MatchContext) -> Truth:
    """Bits of the type of service."""
    return masked(value, packet.tos)


def _mss(value: str, packet: Packet, _: MatchContext) -> Truth:
    """The option that only packets with SYN have; without it there is no match (``tcpmss_mt``)."""
    if "SYN" not in packet.tcp_flags:
        return False
    return None if packet.mss is None else in_span(value, packet.mss, packet.mss)


def _priority(value: str, packet: Packet, _: MatchContext) -> Truth:
    """The priority within this host."""
    return None if packet.priority is None else in_span(value, packet.priority, packet.priority)


def _chunks(value: str, packet: Packet, _: MatchContext) -> Truth:
    """SCTP's chunks: a connection opens with INIT alone, answered by INIT ACK; other protocols' packets have none."""
    if packet.proto != "sctp":
        return False
    if not packet.plain:
        return None
    how, _sep, types = value.partition(" ")
    own, listed = "INIT_ACK" if packet.reply else "INIT", set(types.split(","))
    return listed == {own} if how == "all" else own in listed


def _dccp_type(value: str, packet: Packet, _: MatchContext) -> Truth:
    """DCCP's: a connection opens with a request, answered by a response."""
    return value == ("RESPONSE" if packet.reply else "REQUEST") if packet.plain else None


def _spi(value: str, packet: Packet, _: MatchContext) -> Truth:
    """A number that peers agree on; a plain packet's is taken to be on the larger side of what is asked."""
    most = 0xFFFF if protocol_name(packet.proto) == "ipcomp" else _MOST_SPI
    known = in_span(value, 0 if most == 0xFFFF else _FIRST_SPI, most)
    span = parse_range(value, _MOST_SPI)
    if known is not None or not packet.plain or span is None:
        return known
    return span.high - span.low > most // 2


def _ipv6_headers(value: str, packet: Packet, _: MatchContext) -> Truth:
    """The headers that are there; a first packet has those of its protocol alone."""
    mode, _sep, names = value.partition(" ")
    listed = set(names.split(","))
    proto = protocol_name(packet.proto)
    own = {"esp": {"esp"}, "ah": {"auth", "proto"}, "ipv6-nonxt": {"none"}}.get(proto, {"proto"})
    aliases = {"prot": "proto", "upper": "proto", "protocol": "proto", "ah": "auth"}
    listed = {aliases.get(name, name) for name in listed}
    return listed <= own if mode == "soft" else listed == own


def _eui64(_value: str, packet: Packet, _: MatchContext) -> Truth:
    """The source's lower half is made of the frame's source MAC address."""
    if not packet.mac:
        return None  # whose it is isn't known; and what has no frame may even be dropped by the match (eui64_mt6)
    parts = bytes(int(part, 16) for part in packet.mac.split(":"))
    made = bytes((parts[0] ^ 2, *parts[1:3], 0xFF, 0xFE, *parts[3:]))
    return ipaddress.ip_address(packet.src).packed[8:] == made


def header_test(field: HeaderField) -> Test:  # noqa: C901 - the table of fields
    """The test of a value of a field."""
    match field:
        case "tos":
            return _tos
        case "mss":
            return _mss
        case "priority":
            return _priority
        case "chunks":
            return _chunks
        case "dccp-type":
            return _dccp_type
        case "spi":
            return _spi
        case "ipv6-headers":
            return _ipv6_headers
        case "eui64":
            return _eui64
        case "u32":
            return u32
        case "contents":
            return contents
        case _:
            assert_never(field)
