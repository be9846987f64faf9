"""Does one expression of a rule match a packet?  Three-valued and pure.

Semantics from iptables-extensions(8), nft(8) and the kernel's xt_*.c matches.
A field that isn't known here, or a value that can't be parsed, is undecided
(None): never a match and never a miss.
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.match.connection import connection_test
from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.context_fields import context_test, is_absent, route_device_is
from dnet_tui.diagnostics.walk.match.numgen import drawn
from dnet_tui.diagnostics.walk.match.packet_fields import packet_test
from dnet_tui.diagnostics.walk.match.values import Test, in_span
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.firewall import Match
from dnet_tui.inspect.model.match_fields import CONNECTION_FIELDS, CONTEXT_FIELDS, PACKET_FIELDS
from dnet_tui.inspect.model.protocols import PORT_PROTOCOLS

_TESTS: dict[str, Test] = (
    {field: packet_test(field) for field in PACKET_FIELDS}
    | {field: connection_test(field) for field in CONNECTION_FIELDS}
    | {field: context_test(field) for field in CONTEXT_FIELDS}
)
_CONNECTION = frozenset(CONNECTION_FIELDS) - {"ctstate", "ct-label", "ct-helper", "ct-zone"}
_ALWAYS = frozenset({"iif", "oif", "ctstate", "mark", "nfproto", "physin", "physout", "physdev", "fragment"})
"""Fields that every packet has, if only empty."""
_OF_IP = frozenset({"saddr", "daddr", "proto", "length", "ttl", "tos", "th-sport", "th-dport", "sport", "dport"})

_OF_PROTOCOLS = {"mss": {"tcp"}, "dccp-type": {"dccp"}, "spi": {"ah", "esp", "ipcomp"}}
"""Fields that only packets of some protocols have."""


def matches(match: Match, packet: Packet, context: MatchContext) -> Truth:
    """Evaluate one match: any of its values, then the negation."""
    test = _TESTS.get(match.field) or _named(match.field)
    if test is None:
        return None
    if match.field not in _ALWAYS and not _applies(match, packet, context):
        # Such a match fails outright on another protocol or family, negated or not.
        return False
    truth: Truth
    if len(match.values) == 1:
        truth = test(match.values[0], packet, context)
    else:
        results = [test(value, packet, context) for value in match.values]
        truth = True if True in results else None if None in results else False
    return truth if truth is None or not match.negate else not truth


def _named(field: str) -> Test | None:
    """The test of a field that names what it looks at."""
    if field.startswith("fib."):
        return route_device_is(tuple(field.split(".")[1:]))
    draw = drawn(field)
    if draw is None:
        return None
    return lambda value, *_: in_span(value, draw.low, draw.high)


def _applies(match: Match, packet: Packet, context: MatchContext) -> bool:  # noqa: C901 - the table of fields
    field = match.field
    if field in _CONNECTION and packet.ctstate in {"INVALID", "UNTRACKED"}:
        return False  # there is no connection to look at (xt_conntrack.c, xt_connmark.c)
    if packet.arp_op and field in _OF_IP:
        return False
    if field in {"saddr", "daddr"}:
        return any((":" in value) == (packet.family == "ip6") for value in match.values)
    if field in {"sport", "dport", "port"}:
        return packet.proto in PORT_PROTOCOLS
    if field == "tcp-flags":
        return packet.proto == "tcp"
    if field in {"icmp-type", "icmp-code"}:
        return packet.proto in {"icmp", "icmpv6"}
    if field in {"mac", "mac-dst", "ether-type"}:
        return packet.mac != ""
    if field in _OF_PROTOCOLS:
        return packet.proto in _OF_PROTOCOLS[field]
    if field == "exthdr":
        return packet.family == "ip6"  # nft_exthdr_ipv6_eval
    if field.startswith("arp-"):
        return bool(packet.arp_op)
    return not is_absent(field, packet, context)
