"""Single conditions: what holds for a packet, what doesn't, and what nobody can tell from the snapshot."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.walk.l3.namespace_context import NamespaceMatchContext
from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.expressions import matches
from dnet_tui.diagnostics.walk.match.numgen import leaves_none_out
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.netfilter.conntrack import Connection, as_seen_by
from dnet_tui.diagnostics.walk.packet import Packet, Truth, replace
from dnet_tui.inspect.model import Address, Link, Namespace, NextHop, PolicyRule, Route, Tun, Unread
from dnet_tui.inspect.model.firewall import Match
from dnet_tui.inspect.model.match_fields import FieldText

SYN = Packet(
    src="10.0.0.2", dst="192.0.2.1", proto="tcp", sport=40000, dport=443, tcp_flags=("SYN",), iif="br0", oif="eth0"
)
ECHO = Packet(src="10.0.0.2", dst="192.0.2.1", proto="icmp", icmp_type=8, iif="br0")
SIX = Packet(family="ip6", src="fd00::2", dst="2001:db8::1", proto="tcp", sport=40000, dport=443, iif="br0")
QUESTION = Packet(src="10.0.0.2", dst="10.0.0.3", proto="", arp_op="request", iif="br0")
QUESTION = replace(QUESTION, mac="02:00:00:00:00:0a", arp_macs=("02:00:00:00:00:0a", "00:00:00:00:00:00"))


def route(dst: str, ifindex: int, kind: str = "unicast", table: int = 254) -> Route:
    return Route(
        family="ip6" if ":" in dst else "ip", dst=dst, table=table, type=kind, hops=(NextHop(ifindex=ifindex),)
    )


NS = Namespace(
    id="net:[1]",
    inode=1,
    kind="host",
    links=(
        Link(ifindex=1, name="lo", kind="loopback", mac="00:00:00:00:00:00", group=0),
        Link(ifindex=2, name="eth0", mac="02:00:00:00:00:01", group=0),
        Link(ifindex=3, name="br0", kind="bridge", mac="02:00:00:00:00:02", group=5),
        Link(ifindex=4, name="tun0", kind="tun", detail=Tun(type="tun")),
        Link(ifindex=5, name="wg0", kind="wireguard"),
    ),
    addresses=(
        Address(ifindex=1, family="ip", address="127.0.0.1", prefixlen=8, scope="host"),
        Address(ifindex=2, family="ip", address="192.0.2.1", prefixlen=24),
        Address(ifindex=3, family="ip", address="10.0.0.1", prefixlen=24),
    ),
    routes=(
        route("0.0.0.0/0", 2),
        route("192.0.2.0/24", 2),
        route("10.0.0.0/24", 3),
        route("198.51.100.0/24", 2, "blackhole"),
        route("::/0", 2),
        route("fd00::/64", 3),
        route("fe80::/64", 3),
    ),
    xfrm_policies=0,
)


def context_of(ns: Namespace) -> NamespaceMatchContext:
    return NamespaceMatchContext(NamespaceIndex(ns))


CONTEXT = context_of(NS)


def truth(
    field: str, *values: str, packet: Packet = SYN, negate: bool = False, context: MatchContext = CONTEXT
) -> Truth:
    return matches(Match(field=FieldText(field), values=values, negate=negate), packet, context)


def changed(packet: Packet = SYN, **fields: object) -> Packet:
    return msgspec.structs.replace(packet, **fields)


@pytest.mark.parametrize(
    ("field", "value", "packet", "expected"),
    [
        ("th-dport", "443", SYN, True),
        ("th-dport", "80", SYN, False),
        ("th-dport", "443", ECHO, None),  # the checksum stands there
        ("th-sport", "2048", ECHO, True),  # type 8, code 0
        ("th-sport", "8", ECHO, False),
        ("icmp-code", "0", ECHO, True),
        ("icmp-code", "3", ECHO, False),
        ("icmp-code", "0", SYN, False),
        ("length", "0:39", SYN, False),
        ("length", "40:65535", SYN, True),
        ("length", "0:27", ECHO, False),
        ("length", "100:65535", SYN, None),
        ("length", "40:65535", SIX, None),
        ("ttl", "64", SYN, None),
        ("ttl", "0:255", SYN, True),
        ("mac", "02:00:00:00:00:0a", SYN, None),
        ("mac", "02:00:00:00:00:0a", changed(mac="02:00:00:00:00:0a"), True),
        ("mac", "02:00:00:00:00:0b", changed(mac="02:00:00:00:00:0a"), False),
        ("exthdr", "frag", SIX, False),
        ("tcp-option", "2", SYN, None),
        ("tcp-option", "2", ECHO, False),
        ("tcp-flags", "FIN,SYN,RST,PSH,ACK,URG/SYN", SYN, True),
        ("tcp-flags", "SYN,ACK,ECE/SYN", SYN, None),
        ("tcp-flags", "SYN,ACK,ECE/SYN,ACK", SYN, False),
        ("tcp-flags", "SYN/SYN,ECE", SYN, False),
        ("ether-type", "ipv4", changed(mac="02:00:00:00:00:0a"), True),
        ("ether-type", "ipv6", changed(mac="02:00:00:00:00:0a"), False),
        ("ether-type", "ipv4", SYN, True),
        ("ether-type", "ipv4", changed(iif="unseen0"), None),
        ("mac-dst", "02:00:00:00:00:0b", SYN, None),
        ("mac-dst", "02:00:00:00:00:0b", changed(mac_to="02:00:00:00:00:0b"), True),
        ("mac-dst", "02:00:00:00:00:0b", changed(mac_to="02:00:00:00:00:0c"), False),
        ("eui64", "", changed(family="ip6", src="fd00::2", dst="fd00::3", mac=""), None),
        ("ibrname", "br0", SYN, None),
        ("ibrname", "br0", changed(ibrname="br0"), True),
        ("obrname", "br1", changed(obrname="br0"), False),
        ("pkttype", "unicast", SYN, True),
        ("pkttype", "unicast", changed(ibrname="br0"), None),
        ("physin", "+", SYN, False),
        ("meta cpu", "1", SYN, None),
        ("arp-op", "request", QUESTION, True),
        ("arp-op", "reply", QUESTION, False),
        ("arp-op", "request", SYN, False),
        ("arp-daddr", "10.0.0.3/32", QUESTION, True),
        ("arp-mac", "02:00:00:00:00:0a", QUESTION, True),
        ("arp-target-mac", "02:00:00:00:00:0b", QUESTION, False),
        ("arp-target-mac", "02:00:00:00:00:0b", changed(arp_op="reply"), None),
        ("arp-ptype", "ipv4", QUESTION, True),
        ("arp-hlen", "6", QUESTION, True),
        ("nfproto", "arp", QUESTION, True),
        ("nfproto", "ipv4", QUESTION, False),
        ("saddr", "10.0.0.2/32", QUESTION, False),
        ("iif", "br0", QUESTION, True),
    ],
)
def test_what_holds_for_a_packet(field: str, value: str, packet: Packet, expected: Truth) -> None:
    assert truth(field, value, packet=packet) is expected


@pytest.mark.parametrize(
    ("field", "packet"),
    [
        ("icmp-code", SYN),
        ("mac", changed(mac="")),
        ("ether-type", changed(mac="")),
        ("exthdr", SYN),
        ("arp-saddr", SYN),
        ("ctbytes", changed(ctstate="INVALID")),
        ("ctorigsrcport", changed(ctstate="UNTRACKED")),
        ("iifgroup", changed(iif="")),
        ("oifkind", changed(oif="")),
        ("iiftype", changed(iif="")),
        ("iifkind", changed(iif="lo")),  # the loopback has no kind
        ("skuid", SYN),  # forwarded: no socket
    ],
)
def test_what_a_packet_does_not_have_fails_negated_or_not(field: str, packet: Packet) -> None:
    for negate in (False, True):
        expected = None if field == "ctbytes" else False
        assert truth(field, "1", packet=packet, negate=negate) is expected


@pytest.mark.parametrize(("field", "value"), [("tcp-option", "4"), ("chunks", "any INIT")])
def test_options_and_chunks_are_missing_from_other_protocols_packets(field: str, value: str) -> None:
    assert truth(field, value, packet=ECHO) is False
    assert truth(field, value, packet=ECHO, negate=True) is True


# -- interfaces, sockets, IPsec -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "packet", "expected"),
    [
        ("iifgroup", "0x5/0xffffffff", SYN, True),
        ("oifgroup", "0x5/0xffffffff", SYN, False),
        ("iifgroup", "0x1/0x3", SYN, True),
        ("iifgroup", "0x5/0xffffffff", changed(iif="wg0"), None),
        ("iifkind", "bridge", SYN, True),
        ("iifkind", "veth", SYN, False),
        ("iifkind", "veth", changed(iif="gone"), None),
        ("iiftype", "ether", SYN, True),
        ("oiftype", "ether", SYN, True),
        ("iiftype", "none", changed(iif="tun0"), True),
        ("iiftype", "loopback", changed(iif="lo"), True),
        ("iiftype", "none", changed(iif="wg0"), None),
        ("ipsec", "in", SYN, False),
        ("skuid", "0", changed(iif=""), None),
        ("owner-uid", "0", SYN, False),
        ("owner-uid", "0", changed(iif=""), None),
        ("made-here", "yes", SYN, False),
        ("made-here", "yes", changed(iif=""), None),
        ("made-here", "yes", changed(oif="", reply=True), None),
    ],
)
def test_what_the_namespace_knows(field: str, value: str, packet: Packet, expected: Truth) -> None:
    assert truth(field, value, packet=packet) is expected


def test_a_negated_owner_holds_for_a_packet_without_a_socket() -> None:
    assert truth("owner-uid", "0", negate=True) is True


@pytest.mark.parametrize("policies", [Unread(reason="permission denied"), 3])
def test_ipsec_is_not_known_where_there_may_be_policies(policies: int | Unread) -> None:
    context = context_of(msgspec.structs.replace(NS, xfrm_policies=policies))
    assert truth("ipsec", "in", context=context) is None


# -- routes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("src", "iif", "flags", "exists"),
    [
        ("10.0.0.2", "br0", "saddr.iif", True),
        ("10.0.0.2", "eth0", "saddr.iif", False),
        ("203.0.113.9", "eth0", "saddr.iif", True),
        ("203.0.113.9", "br0", "saddr.iif", False),
        ("203.0.113.9", "br0", "saddr", True),
        ("198.51.100.7", "eth0", "saddr", False),  # blackhole
        ("198.51.100.7", "eth0", "daddr", True),
        ("192.0.2.1", "eth0", "saddr.iif", False),  # its own address
        ("127.0.0.1", "lo", "saddr.iif", True),
        ("fd00::2", "br0", "saddr.iif", True),
        ("fd00::2", "eth0", "saddr.iif", False),
        ("fe80::2", "br0", "saddr.mark.iif", True),
        ("fe80::2", "eth0", "saddr.mark.iif", None),
        ("::", "br0", "saddr.iif", None),
    ],
)
def test_whether_a_route_leads_there(src: str, iif: str, flags: str, exists: Truth) -> None:
    six = ":" in src
    packet = Packet(
        family="ip6" if six else "ip", src=src, dst="2001:db8::1" if six else "203.0.113.1", proto="tcp", iif=iif
    )
    local = Route(family="ip", dst="192.0.2.1/32", table=255, type="local", hops=(NextHop(ifindex=2),))
    context = context_of(msgspec.structs.replace(NS, routes=(*NS.routes, local)))
    assert truth("fib", flags, packet=packet, context=context) is exists


def test_of_equally_specific_routes_ipv6_may_take_the_one_asked_for() -> None:
    second = Route(family="ip6", dst="::/0", table=254, type="unicast", metric=2000, hops=(NextHop(ifindex=5),))
    context = context_of(msgspec.structs.replace(NS, routes=(*NS.routes, second)))
    packet = changed(SIX, src="2001:db8::9", iif="wg0", oif="")
    assert truth("fib", "saddr.iif", packet=packet, context=context) is None
    assert truth("fib", "saddr.iif", packet=packet) is False


def test_a_route_that_a_rule_chooses_by_mark_is_looked_up_with_the_mark_only_if_asked_for() -> None:
    ns = msgspec.structs.replace(
        NS,
        routes=(*NS.routes, route("0.0.0.0/0", 3, table=100)),
        policy_rules=(
            PolicyRule(family="ip", priority=0, table=255),
            PolicyRule(family="ip", priority=100, table=100, mark=1),
            PolicyRule(family="ip", priority=32766, table=254),
        ),
    )
    marked = changed(src="203.0.113.9", oif="", mark=1)
    assert truth("fib", "saddr.mark.iif", packet=marked, context=context_of(ns)) is True
    assert truth("fib", "saddr.iif", packet=marked, context=context_of(ns)) is False


@pytest.mark.parametrize(("name", "expected"), [("eth0", True), ("br0", False)])
def test_the_interface_that_a_route_leaves_by(name: str, expected: Truth) -> None:
    assert truth("fib.daddr", name, packet=changed(dst="203.0.113.1")) is expected


@pytest.mark.parametrize(
    ("src", "iif", "flags", "passes"),
    [
        ("10.0.0.2", "br0", "strict", True),
        ("10.0.0.2", "eth0", "strict", False),
        ("10.0.0.2", "eth0", "loose", True),
        ("198.51.100.7", "eth0", "loose", False),
        ("127.0.0.1", "lo", "strict", True),
        ("0.0.0.0", "eth0", "strict", None),  # noqa: S104 - an address, not bound to
    ],
)
def test_the_reverse_path_filter_of_iptables(src: str, iif: str, flags: str, passes: Truth) -> None:
    packet = changed(src=src, iif=iif, oif="")
    assert truth("rpfilter", flags, packet=packet) is passes
    assert truth("rpfilter", flags, packet=packet, negate=True) is (None if passes is None else not passes)


@pytest.mark.parametrize(
    ("field", "dst", "iif", "expected"),
    [
        ("dst-type-in", "192.0.2.1", "eth0", True),
        ("dst-type-in", "10.0.0.1", "eth0", False),  # another interface's
        ("dst-type-in", "10.0.0.1", "br0", True),
        ("dst-type", "10.0.0.1", "eth0", True),
        ("dst-type-in", "10.0.0.1", "", True),  # none to be limited to
        ("dst-type-in", "203.0.113.1", "eth0", False),
        ("dst-type-in", "127.0.0.9", "lo", None),
    ],
)
def test_an_address_may_have_to_be_that_interfaces_own(field: str, dst: str, iif: str, expected: Truth) -> None:
    loopback = Route(family="ip", dst="127.0.0.0/8", table=255, type="local", hops=(NextHop(ifindex=1),))
    context = context_of(msgspec.structs.replace(NS, routes=(*NS.routes, loopback)))
    assert truth(field, "LOCAL", packet=changed(dst=dst, iif=iif), context=context) is expected


def test_ipv6_has_unicast_addresses_only_where_a_route_leads() -> None:
    assert truth("src-type", "UNICAST", packet=SIX) is True
    blackhole = route("fd00::2/128", 3, "blackhole")
    context = context_of(msgspec.structs.replace(NS, routes=(*NS.routes, blackhole)))
    assert truth("src-type", "UNICAST", packet=SIX, context=context) is None
    assert truth("src-type", "LOCAL", packet=SIX, context=context) is False


# -- connections --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("ctorigsrc", "10.0.0.2/32", True),
        ("ctorigdst", "203.0.113.5/32", True),
        ("ctorigdst", "192.0.2.1/32", False),
        ("ctorigsrcport", "40000", True),
        ("ctorigdstport", "8443", True),
        ("ctreplsrc", "192.0.2.1/32", True),
        ("ctreplsrc", "203.0.113.5/32", False),
        ("ctreplsrcport", "443", True),
        ("ctrepldst", "10.0.0.2/32", True),
        ("ctrepldstport", "40000", True),
        ("ctstatus", "ASSURED", False),
        ("ctstatus", "NONE", False),
        ("ctstatus", "EXPECTED", False),
    ],
)
def test_a_first_packets_connection_is_what_it_was_and_what_it_became(field: str, value: str, expected: Truth) -> None:
    seen = as_seen_by(None, changed(dst="203.0.113.5", dport=8443))
    rewritten = changed(seen, dst="192.0.2.1", dport=443)
    assert truth(field, value, packet=rewritten) is expected


def test_an_answers_connection_is_that_of_the_first_packet() -> None:
    before = changed(dst="203.0.113.5", dport=8443)
    after = changed(src="192.0.2.99", sport=1234)
    answer = Packet(src="192.0.2.1", dst="192.0.2.99", proto="tcp", sport=443, dport=1234)
    seen = as_seen_by(Connection(before, after), answer)
    for field, value in {
        "ctorigsrc": "10.0.0.2/32",
        "ctorigsrcport": "40000",
        "ctorigdstport": "8443",
        "ctreplsrc": "192.0.2.1/32",
        "ctreplsrcport": "443",
        "ctrepldst": "192.0.2.99/32",
        "ctrepldstport": "1234",
        "ctdir": "REPLY",
    }.items():
        assert truth(field, value, packet=seen) is True, field
    assert truth("ctstatus", "ASSURED", packet=seen) is None


def test_an_icmp_error_belongs_to_the_connection_it_is_about() -> None:
    error = Packet(src="192.0.2.1", dst="10.0.0.2", proto="icmp", icmp_type=3, icmp_code=3)
    seen = as_seen_by(Connection(SYN, SYN), error)
    assert truth("ctproto", "tcp", packet=seen) is True
    assert truth("proto", "tcp", packet=seen) is False


@pytest.mark.parametrize(
    ("value", "packet", "expected"),
    [
        ("ipv4", SYN, True),
        ("ipv6", SYN, False),
        ("ipv6", SIX, True),
        ("ipv4", SIX, False),
        ("ipv4", QUESTION, None),
    ],
)
def test_a_connection_is_of_its_packets_family(value: str, packet: Packet, expected: Truth) -> None:
    assert truth("ct-l3proto", value, packet=packet) is expected
    assert truth("ct-l3proto", value, packet=packet, negate=True) is (None if expected is None else not expected)


@pytest.mark.parametrize("ctstate", ["INVALID", "UNTRACKED"])
def test_without_a_connection_there_is_no_family_of_it(ctstate: str) -> None:
    for negate in (False, True):
        assert truth("ct-l3proto", "ipv4", packet=changed(ctstate=ctstate), negate=negate) is False


def test_icmp_has_no_ports_in_its_connection() -> None:
    assert truth("ctorigdstport", "0:65535", packet=as_seen_by(None, ECHO)) is None


# -- drawn by lot -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("numgen random mod 2", "0", None),
        ("numgen random mod 2", "2", False),
        ("numgen random mod 2", "0:1", True),
        ("numgen inc mod 3 offset 1", "0", False),
        ("numgen random mod 1", "0", True),
        ("jhash ip saddr mod 2", "1", None),
        ("symhash mod 4", "4:9", False),
        ("numgen random mod 0", "0", None),
    ],
)
def test_a_number_drawn_by_lot_lies_in_a_known_span(field: str, value: str, expected: Truth) -> None:
    assert truth(field, value) is expected


@pytest.mark.parametrize(
    ("field", "values", "whole"),
    [
        ("numgen random mod 2", ["0", "1"], True),
        ("numgen random mod 2", ["0"], False),
        ("numgen random mod 10", ["5:9", "0:4"], True),
        ("numgen random mod 10", ["0:4", "6:9"], False),
        ("numgen inc mod 2 offset 5", ["5", "6"], True),
        ("numgen random mod 2", ["1", "2"], False),
        ("dport", ["0:65535"], False),
        ("numgen random mod 2", ["*"], False),
    ],
)
def test_a_map_may_leave_no_number_out(field: str, values: list[str], *, whole: bool) -> None:
    assert leaves_none_out(field, values) is whole
