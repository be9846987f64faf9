"""Does one expression of a rule match a packet?  Three-valued and pure.

Semantics from iptables-extensions(8), nft(8) and the kernel's xt_*.c matches.
A field that isn't known here, or a value that can't be parsed, is undecided
(None): never a match and never a miss.
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.match.connection import CONNECTION_FIELDS
from dnet_tui.diagnostics.walk.match.context_fields import SURROUNDINGS_FIELDS, is_absent, route_device_is
from dnet_tui.diagnostics.walk.match.numgen import drawn
from dnet_tui.diagnostics.walk.match.values import (
    AddressType,
    Test,
    contains,
    in_ports,
    in_span,
    interface_matches,
    masked,
    numbered,
    protocol_name,
)
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.firewall import Match
from dnet_tui.inspect.model.protocols import PORT_PROTOCOLS

__all__ = ["AddressType", "contains", "in_ports", "interface_matches", "matches", "numbered", "protocol_name"]

_CONNECTION = frozenset(CONNECTION_FIELDS) - {"ctstate"}
_FLAGS = frozenset({"FIN", "SYN", "RST", "PSH", "ACK", "URG"})
_ECN = frozenset({"ECE", "CWR"})
_HEADER = {"ip": 20, "ip6": 40}
_SHORTEST = {"tcp": 20, "udp": 8, "icmp": 8, "icmpv6": 4}
_LONGEST = {"ip": 65535, "ip6": 65575}


def matches(match: Match, packet: Packet, address_type: AddressType) -> Truth:
    """Evaluate one match: any of its values, then the negation."""
    test = _FIELDS.get(match.field) or _named(match.field)
    if test is None:
        return None
    if match.field not in _ALWAYS and not _applies(match, packet, address_type):
        # Such a match fails outright on another protocol or family, negated or not.
        return False
    results = [test(value, packet, address_type) for value in match.values]
    truth: Truth = True if True in results else None if None in results else False
    return truth if truth is None or not match.negate else not truth


def _named(field: str) -> Test | None:
    """The test of a field that names what it looks at."""
    if field.startswith("fib."):
        return route_device_is(tuple(field.split(".")[1:]))
    draw = drawn(field)
    if draw is None:
        return None
    return lambda value, *_: in_span(value, draw.low, draw.high)


def _applies(match: Match, packet: Packet, address_type: AddressType) -> bool:
    field = match.field
    if field in _CONNECTION and packet.ctstate in {"INVALID", "UNTRACKED"}:
        return False  # there is no connection to look at (xt_conntrack.c, xt_connmark.c)
    if packet.arp_op and field in _OF_IP:
        return False
    if field in {"saddr", "daddr"}:
        return any((":" in value) == (packet.family == "ip6") for value in match.values)
    if field in {"sport", "dport", "port"}:
        return packet.proto in PORT_PROTOCOLS
    if field in {"tcp-flags", "tcp-option"}:
        return packet.proto == "tcp"
    if field in {"icmp-type", "icmp-code"}:
        return packet.proto in {"icmp", "icmpv6"}
    if field in {"mac", "mac-dst", "ether-type"}:
        return packet.mac != ""
    if field == "exthdr":
        return packet.family == "ip6"  # nft_exthdr_ipv6_eval
    if field.startswith("arp-"):
        return bool(packet.arp_op)
    return not is_absent(field, packet, address_type)


def _proto(value: str, packet: Packet, _: AddressType) -> Truth:
    if value in {"all", "0"}:
        return True
    return protocol_name(value) == protocol_name(packet.proto)


def _tcp_flags(value: str, packet: Packet, _: AddressType) -> Truth:
    """Whether a peer asks for ECN (ECE, CWR) isn't known, unless the other flags are wrong anyway."""
    mask, _sep, wanted = value.partition("/")
    examined = _FLAGS if mask == "ALL" else set(mask.split(",")) - {"NONE", ""}
    expected = _FLAGS if wanted == "ALL" else set(wanted.split(",")) - {"NONE", ""}
    if not examined | expected <= _FLAGS | _ECN:
        return None
    if set(packet.tcp_flags) & (examined - _ECN) != expected - _ECN:
        return False
    return None if examined & _ECN else not expected & _ECN


def _icmp_type(value: str, packet: Packet, _: AddressType) -> Truth:
    kind, _sep, code = value.partition("/")
    if kind in {"any", "255"}:
        return True
    if not kind.isdigit() or (code and not code.isdigit()):
        return None
    return packet.icmp_type == int(kind) and (not code or packet.icmp_code == int(code))


def _either_port(value: str, packet: Packet, _: AddressType) -> Truth:
    found = (in_ports(value, packet.sport), in_ports(value, packet.dport))
    return True if True in found else None if None in found else False


def _transport_port(which: str) -> Test:
    """What nft's ``th`` reads: ports, or whatever else the transport header has at their place."""

    def test(value: str, packet: Packet, _: AddressType) -> Truth:
        if packet.proto in PORT_PROTOCOLS:
            return in_ports(value, packet.sport if which == "sport" else packet.dport)
        if which == "sport" and packet.proto in {"icmp", "icmpv6"}:
            return in_ports(value, packet.icmp_type << 8 | packet.icmp_code)
        return None

    return test


def _length(value: str, packet: Packet, _: AddressType) -> Truth:
    """How long a packet is isn't known unless it was told, only how short and how long it can be."""
    if packet.length and not packet.fragment:
        return in_span(value, packet.length, packet.length)
    shortest = _HEADER[packet.family] + _SHORTEST.get(packet.proto, 0)
    return in_span(value, shortest, _LONGEST[packet.family])


def _physdev(value: str, packet: Packet, _: AddressType) -> Truth:
    if value == "in":
        return bool(packet.physin)
    if value == "out":
        return bool(packet.physout)
    return bool(packet.physin and packet.physout) if value == "bridged" else None


def _mac(value: str, packet: Packet, _: AddressType) -> Truth:
    return None if packet.mac is None else value == packet.mac


def _family(packet: Packet) -> str:
    return "arp" if packet.arp_op else "ipv6" if packet.family == "ip6" else "ipv4"


def _ether_type(value: str, packet: Packet, _: AddressType) -> Truth:
    """A frame's type, for packets that came as a frame."""
    if value != _family(packet):
        return False
    return None if packet.mac is None else True


_ALWAYS = frozenset({"iif", "oif", "ctstate", "mark", "nfproto", "physin", "physout", "physdev", "fragment"})
"""Fields that every packet has, if only empty."""
_OF_IP = frozenset({"saddr", "daddr", "proto", "length", "ttl", "th-sport", "th-dport", "sport", "dport"})

_FIELDS: dict[str, Test] = {
    "iif": lambda value, packet, _: interface_matches(value, packet.iif),
    "oif": lambda value, packet, _: interface_matches(value, packet.oif),
    "ibrname": lambda value, packet, _: interface_matches(value, packet.ibrname) if packet.ibrname else None,
    "obrname": lambda value, packet, _: interface_matches(value, packet.obrname) if packet.obrname else None,
    # Without a port "+" stands for none (physdev_mt).
    "physin": lambda value, packet, _: bool(packet.physin) and interface_matches(value, packet.physin),
    "physout": lambda value, packet, _: interface_matches(value, packet.physout),
    "saddr": lambda value, packet, _: contains(value, packet.src),
    "daddr": lambda value, packet, _: contains(value, packet.dst),
    "proto": _proto,
    "sport": lambda value, packet, _: in_ports(value, packet.sport),
    "dport": lambda value, packet, _: in_ports(value, packet.dport),
    "port": _either_port,
    "th-sport": _transport_port("sport"),
    "th-dport": _transport_port("dport"),
    "mark": lambda value, packet, _: masked(value, packet.mark),
    "nfproto": lambda value, packet, _: value == _family(packet),
    "physdev": _physdev,
    "fragment": lambda value, *_: False if value == "later" else None,
    "exthdr": lambda *_: False,  # a first packet has none
    "tcp-flags": _tcp_flags,
    "tcp-option": lambda *_: None,
    "icmp-type": _icmp_type,
    "icmp-code": lambda value, packet, _: in_span(value, packet.icmp_code, packet.icmp_code),
    "length": _length,
    "ttl": lambda value, *_: in_span(value, 0, 255),
    "mac": _mac,
    "mac-dst": lambda *_: None,
    "ether-type": _ether_type,
    "arp-op": lambda value, packet, _: value == packet.arp_op,
    "arp-saddr": lambda value, packet, _: contains(value, packet.src),
    "arp-daddr": lambda value, packet, _: contains(value, packet.dst),
    "arp-mac": _mac,
    "arp-target-mac": lambda *_: None,
    "arp-htype": lambda value, *_: in_span(value, 1, 1),
    "arp-ptype": lambda value, *_: value == "ipv4",
    "arp-hlen": lambda value, *_: in_span(value, 6, 6),
    "arp-plen": lambda value, *_: in_span(value, 4, 4),
    **CONNECTION_FIELDS,
    **SURROUNDINGS_FIELDS,
}
