"""Conditions on what a packet carries.  Three-valued and pure.

Semantics from iptables-extensions(8), nft(8) and the kernel's xt_*.c matches.
"""

from __future__ import annotations

from typing import assert_never

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.header_fields import header_test
from dnet_tui.diagnostics.walk.match.values import (
    Test,
    contains,
    in_ports,
    in_span,
    interface_matches,
    masked,
    protocol_name,
)
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.match_fields import PacketField
from dnet_tui.inspect.model.protocols import PORT_PROTOCOLS

_FLAGS = frozenset({"FIN", "SYN", "RST", "PSH", "ACK", "URG"})
_ECN = frozenset({"ECE", "CWR"})
_SYN_OPTIONS = frozenset({"2", "3", "4", "8"})
"""Maximum segment size, window scale, SACK permitted, timestamps."""
_TIMESTAMPS = "8"
_HEADER = {"ip": 20, "ip6": 40}
_SHORTEST = {"tcp": 20, "udp": 8, "icmp": 8, "icmpv6": 4}
_LONGEST = {"ip": 65535, "ip6": 65575}


def _proto(value: str, packet: Packet, _: MatchContext) -> Truth:
    if value in {"all", "0"}:
        return True
    return protocol_name(value) == protocol_name(packet.proto)


def _tcp_flags(value: str, packet: Packet, _: MatchContext) -> Truth:
    """Whether a peer asks for ECN (ECE, CWR) isn't known, unless the other flags are wrong anyway."""
    mask, _sep, wanted = value.partition("/")
    examined = _FLAGS if mask == "ALL" else set(mask.split(",")) - {"NONE", ""}
    expected = _FLAGS if wanted == "ALL" else set(wanted.split(",")) - {"NONE", ""}
    if not examined | expected <= _FLAGS | _ECN:
        return None
    if set(packet.tcp_flags) & (examined - _ECN) != expected - _ECN:
        return False
    if packet.plain or "ECE" in packet.tcp_flags or "CWR" in packet.tcp_flags:
        return set(packet.tcp_flags) & examined & _ECN == expected & _ECN
    return None if examined & _ECN else not expected & _ECN


def _icmp_type(value: str, packet: Packet, _: MatchContext) -> Truth:
    kind, _sep, code = value.partition("/")
    if kind in {"any", "255"}:
        return True
    if not kind.isdecimal() or (code and not code.isdecimal()):
        return None
    return packet.icmp_type == int(kind) and (not code or packet.icmp_code == int(code))


def _in_source(value: str, packet: Packet) -> Truth:
    """Whether the source port is among these; of one that isn't known, by the range that it is from."""
    if packet.sport is None and packet.sports:
        return in_span(value, *packet.sports, 65535)
    return in_ports(value, packet.sport)


def _either_port(value: str, packet: Packet, _: MatchContext) -> Truth:
    found = (_in_source(value, packet), in_ports(value, packet.dport))
    return True if True in found else None if None in found else False


def _transport_port(which: str) -> Test:
    """What nft's ``th`` reads: ports, or whatever else the transport header has at their place."""

    def test(value: str, packet: Packet, _: MatchContext) -> Truth:
        if packet.proto in PORT_PROTOCOLS:
            return _in_source(value, packet) if which == "sport" else in_ports(value, packet.dport)
        if which == "sport" and packet.proto in {"icmp", "icmpv6"}:
            return in_ports(value, packet.icmp_type << 8 | packet.icmp_code)
        return None

    return test


def _length(value: str, packet: Packet, _: MatchContext) -> Truth:
    """How long a packet is isn't known unless it was told, only how short and how long it can be."""
    if packet.length and not packet.fragment:
        return in_span(value, packet.length, packet.length)
    shortest = _HEADER[packet.family] + _SHORTEST.get(packet.proto, 0)
    return in_span(value, shortest, _LONGEST[packet.family])


def _ttl(value: str, packet: Packet, _: MatchContext) -> Truth:
    """What came from elsewhere has one that nobody knows, but it isn't 0."""
    return in_span(value, *((1, 255) if packet.ttl is None else (packet.ttl, packet.ttl)))


def _tcp_option(value: str, packet: Packet, _: MatchContext) -> Truth:
    """The options of a packet that opens a connection: those that nearly every system sends.

    What is no packet of TCP lacks each of them (nft_exthdr_tcp_eval).
    """
    if packet.proto != "tcp":
        return False
    if not packet.plain:
        return None
    return value in _SYN_OPTIONS if "SYN" in packet.tcp_flags else value == _TIMESTAMPS


def _physdev(value: str, packet: Packet, _: MatchContext) -> Truth:
    if value == "in":
        return bool(packet.physin)
    if value == "out":
        return bool(packet.physout)
    return bool(packet.physin and packet.physout) if value == "bridged" else None


def _mac(value: str, packet: Packet, _: MatchContext) -> Truth:
    return None if packet.mac is None else value == packet.mac


def _arp_mac(which: int) -> Test:
    def test(value: str, packet: Packet, _: MatchContext) -> Truth:
        found = packet.arp_macs[which]
        return None if found is None else value == found

    return test


def _family(packet: Packet) -> str:
    return "arp" if packet.arp_op else "ipv6" if packet.family == "ip6" else "ipv4"


def _ether_type(value: str, packet: Packet, context: MatchContext) -> Truth:
    """A frame's type, for packets that came as a frame; whose, doesn't matter."""
    if value != _family(packet):
        return False
    framed = packet.mac is not None or packet.arp_op or packet.ibrname or packet.obrname
    return True if framed or context.hardware(packet.iif) == "ether" else None


def packet_test(field: PacketField) -> Test:  # noqa: C901, PLR0912 - the table of fields
    """The test of a value of a field."""
    match field:
        case "iif":
            return lambda value, packet, _: interface_matches(value, packet.iif)
        case "oif":
            return lambda value, packet, _: interface_matches(value, packet.oif)
        case "ibrname":
            return lambda value, packet, _: interface_matches(value, packet.ibrname) if packet.ibrname else None
        case "obrname":
            return lambda value, packet, _: interface_matches(value, packet.obrname) if packet.obrname else None
        case "physin":
            # Without a port "+" stands for none (physdev_mt).
            return lambda value, packet, _: bool(packet.physin) and interface_matches(value, packet.physin)
        case "physout":
            return lambda value, packet, _: interface_matches(value, packet.physout)
        case "saddr" | "arp-saddr":
            return lambda value, packet, _: contains(value, packet.src)
        case "daddr" | "arp-daddr":
            return lambda value, packet, _: contains(value, packet.dst)
        case "proto":
            return _proto
        case "sport":
            return lambda value, packet, _: _in_source(value, packet)
        case "dport":
            return lambda value, packet, _: in_ports(value, packet.dport)
        case "port":
            return _either_port
        case "th-sport":
            return _transport_port("sport")
        case "th-dport":
            return _transport_port("dport")
        case "mark":
            return lambda value, packet, _: masked(value, packet.mark)
        case "nfproto":
            return lambda value, packet, _: value == _family(packet)
        case "physdev":
            return _physdev
        case "fragment":
            return lambda value, *_: False if value == "later" else None
        case "exthdr":
            return lambda *_: False  # a first packet has none
        case "tcp-flags":
            return _tcp_flags
        case "tcp-option":
            return _tcp_option
        case "mac-dst":
            return lambda value, packet, _: None if packet.mac_to is None else value == packet.mac_to
        case "arp-mac" | "arp-target-mac":
            return _arp_mac(0 if field == "arp-mac" else 1)
        case "icmp-type":
            return _icmp_type
        case "icmp-code":
            return lambda value, packet, _: in_span(value, packet.icmp_code, packet.icmp_code)
        case "length":
            return _length
        case "ttl":
            return _ttl
        case "mac":
            return _mac
        case "ether-type":
            return _ether_type
        case "arp-op":
            return lambda value, packet, _: value == packet.arp_op
        case "arp-htype":
            return lambda value, *_: in_span(value, 1, 1)
        case "arp-ptype":
            return lambda value, *_: value == "ipv4"
        case "arp-hlen":
            return lambda value, *_: in_span(value, 6, 6)
        case "arp-plen":
            return lambda value, *_: in_span(value, 4, 4)
        case (
            "tos" | "mss" | "priority" | "chunks" | "dccp-type" | "spi" | "ipv6-headers" | "eui64" | "u32" | "contents"
        ):
            return header_test(field)
        case _:
            assert_never(field)
