"""Does one expression of a rule match a packet?  Three-valued and pure.

Semantics from iptables-extensions(8), nft(8) and the kernel's xt_*.c matches.
A field that isn't known here, or a value that can't be parsed, is undecided
(None): never a match and never a miss.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache

from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.firewall import Match

AddressType = Callable[[str], str]
"""Tells the type of an address (LOCAL, UNICAST, BROADCAST, MULTICAST) as the evaluating namespace sees it."""

_PROTO_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "132": "sctp", "2": "igmp", "47": "gre"}
_PROTO_ALIASES = {"ipv6-icmp": "icmpv6", "icmp6": "icmpv6"}
_CONNECTION = frozenset({"ctmark", "ctstatus", "ctdir", "ctorigsrc", "ctorigdst", "ctorigdstport", "ctproto"})
_PORT_PROTOS = frozenset({"tcp", "udp", "sctp", "dccp", "udplite"})


def matches(match: Match, packet: Packet, address_type: AddressType) -> Truth:
    """Evaluate one match: any of its values, then the negation."""
    test = _FIELDS.get(match.field)
    if test is None:
        return None
    if not _applies(match, packet):
        # Such a match fails outright on another protocol or family, negated or not.
        return False
    results = [test(value, packet, address_type) for value in match.values]
    truth: Truth = True if True in results else None if None in results else False
    return truth if truth is None or not match.negate else not truth


def _applies(match: Match, packet: Packet) -> bool:
    field = match.field
    if field in _CONNECTION and packet.ctstate in {"INVALID", "UNTRACKED"}:
        return False  # there is no connection to look at (xt_conntrack.c, xt_connmark.c)
    if field in {"saddr", "daddr"}:
        return any((":" in value) == (packet.family == "ip6") for value in match.values)
    if field in {"sport", "dport", "port"}:
        return packet.proto in _PORT_PROTOS
    if field == "tcp-flags":
        return packet.proto == "tcp"
    if field == "icmp-type":
        return packet.proto in {"icmp", "icmpv6"}
    return True


@lru_cache(maxsize=4096)
def _network(value: str) -> tuple[int, int, int] | None:
    """(version, first, last) of a CIDR, an address or an ``a-b`` range; None when it is neither."""
    try:
        if "-" in value:
            low, high = (ipaddress.ip_address(part) for part in value.split("-", 1))
            return (low.version, int(low), int(high)) if low.version == high.version else None
        net = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None
    return net.version, int(net.network_address), int(net.broadcast_address)


@lru_cache(maxsize=4096)
def numbered(value: str) -> tuple[int, int]:
    """An address as its version and its number."""
    address = ipaddress.ip_address(value)
    return address.version, int(address)


def contains(network: str, address: str) -> Truth:
    """Whether ``address`` lies in a CIDR or range; None when the range can't be read."""
    span = _network(network)
    if span is None:
        return None
    version, number = numbered(address)
    return version == span[0] and span[1] <= number <= span[2]


def interface_matches(pattern: str, name: str) -> bool:
    """Apply an interface pattern of iptables: a trailing ``+`` stands for any continuation."""
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern


def protocol_name(value: str) -> str:
    """One name per protocol: numbers and aliases become the usual name."""
    return _PROTO_NUMBERS.get(value, _PROTO_ALIASES.get(value, value))


def _proto(value: str, packet: Packet, _: AddressType) -> Truth:
    if value in {"all", "0"}:
        return True
    return protocol_name(value) == protocol_name(packet.proto)


def in_ports(value: str, port: int | None) -> Truth:
    """Whether ``port`` is in ``80`` or ``8000:8010`` (either end may be missing); None for a port that isn't known."""
    if port is None:
        return None
    low, sep, high = value.partition(":")
    high = high if sep else low
    try:
        return int(low or 0) <= port <= int(high or 65535)
    except ValueError:
        return None


def _masked(value: str, number: int | None) -> Truth:
    if number is None:
        return None
    want, _, mask = value.partition("/")
    try:
        return number & int(mask or "0xffffffff", 0) == int(want, 0)
    except ValueError:
        return None


def _ctstate(value: str, packet: Packet, _: AddressType) -> Truth:
    if value == "DNAT":
        return packet.dnatted
    if value == "SNAT":
        return packet.snatted
    return value == packet.ctstate


def _tcp_flags(value: str, packet: Packet, _: AddressType) -> Truth:
    mask, _sep, wanted = value.partition("/")
    every = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"}
    examined = every if mask == "ALL" else set(mask.split(",")) - {"NONE", ""}
    expected = every if wanted == "ALL" else set(wanted.split(",")) - {"NONE", ""}
    if not examined <= every or not expected <= every:
        return None
    return set(packet.tcp_flags) & examined == expected


def _icmp_type(value: str, packet: Packet, _: AddressType) -> Truth:
    kind, _sep, code = value.partition("/")
    if kind in {"any", "255"}:
        return True
    if not kind.isdigit() or (code and not code.isdigit()):
        return None
    return packet.icmp_type == int(kind) and (not code or packet.icmp_code == int(code))


def _original(index: int) -> Callable[[str, Packet, AddressType], Truth]:
    def test(value: str, packet: Packet, _: AddressType) -> Truth:
        if packet.original is None:
            return None
        actual = packet.original[index]
        return in_ports(value, actual) if isinstance(actual, int) else contains(value, actual)

    return test


def _address_type(which: str) -> Callable[[str, Packet, AddressType], Truth]:
    def test(value: str, packet: Packet, address_type: AddressType) -> Truth:
        actual = address_type(packet.dst if which == "dst" else packet.src)
        if packet.family == "ip6" and (value, actual) == ("UNICAST", "LOCAL"):
            return None  # addrtype takes any unicast address for one (match_type6), nftables' fib only those elsewhere
        if not actual or value not in {"LOCAL", "UNICAST", "BROADCAST", "MULTICAST", "ANYCAST"}:
            return None
        return value == actual

    return test


def _ctstatus(value: str, packet: Packet, _: AddressType) -> Truth:
    """Status bits of the connection; what only traffic over time shows (ASSURED) isn't known."""
    known = {
        "DNAT": packet.dnatted,
        "SNAT": packet.snatted,
        "SEEN_REPLY": packet.reply,
        "CONFIRMED": packet.ctstate != "NEW",
    }
    return known.get(value)


def _physdev(value: str, packet: Packet, _: AddressType) -> Truth:
    if value == "in":
        return bool(packet.physin)
    if value == "out":
        return bool(packet.physout)
    return bool(packet.physin and packet.physout) if value == "bridged" else None


def _pkttype(value: str, packet: Packet, address_type: AddressType) -> Truth:
    kind = address_type(packet.dst)
    if value not in {"unicast", "broadcast", "multicast", "host"} or not kind:
        return None
    wanted = "unicast" if value == "host" else value
    return wanted == (kind.lower() if kind in {"BROADCAST", "MULTICAST"} else "unicast")


_FIELDS: dict[str, Callable[[str, Packet, AddressType], Truth]] = {
    "iif": lambda value, packet, _: interface_matches(value, packet.iif),
    "oif": lambda value, packet, _: interface_matches(value, packet.oif),
    "physin": lambda value, packet, _: interface_matches(value, packet.physin),
    "physout": lambda value, packet, _: interface_matches(value, packet.physout),
    "saddr": lambda value, packet, _: contains(value, packet.src),
    "daddr": lambda value, packet, _: contains(value, packet.dst),
    "proto": _proto,
    "sport": lambda value, packet, _: in_ports(value, packet.sport),
    "dport": lambda value, packet, _: in_ports(value, packet.dport),
    "port": lambda value, packet, _: (
        True
        if True in (found := (in_ports(value, packet.sport), in_ports(value, packet.dport)))
        else None
        if None in found
        else False
    ),
    "mark": lambda value, packet, _: _masked(value, packet.mark),
    "ctmark": lambda value, packet, _: _masked(value, packet.ctmark),
    "ctstate": _ctstate,
    "ctstatus": _ctstatus,
    "ctdir": lambda value, packet, _: value.upper() == ("REPLY" if packet.reply else "ORIGINAL"),
    "nfproto": lambda value, packet, _: value == ("ipv6" if packet.family == "ip6" else "ipv4"),
    "physdev": _physdev,
    "pkttype": _pkttype,
    "fragment": lambda value, *_: False if value == "later" else None,
    "tcp-flags": _tcp_flags,
    "icmp-type": _icmp_type,
    "ctorigsrc": _original(0),
    "ctorigdst": _original(1),
    "ctorigdstport": _original(2),
    "ctproto": _proto,
    "dst-type": _address_type("dst"),
    "src-type": _address_type("src"),
}
