"""Single expressions of nftables, as nft's JSON has them, compiled into the rule model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Choice,
    Element,
    Lookup,
    Match,
    Nat,
    Note,
    NoTrack,
    Opaque,
    Remember,
    SetField,
    SetMark,
    SetZone,
    StatefulMatch,
    TableFamily,
    TransparentProxy,
    Verdict,
    VerdictMap,
)
from dnet_tui.inspect.model.match_fields import FieldText
from dnet_tui.inspect.nftables.conditions import Context
from dnet_tui.inspect.nftables.fields import TRACKED
from dnet_tui.inspect.nftables.rule import compile_rule, sets_filled
from dnet_tui.inspect.nftables.sets import SetHead

HEADS = {
    "addresses": SetHead(("ip",)),
    "pairs": SetHead(("ip", "port")),
    "names": SetHead(("ifname",)),
    "marks": SetHead(("mark",)),
    "odd": SetHead(("text",)),
    "fate": SetHead(("port",), verdicts=True),
    "data": SetHead(("port",)),
}
IPV4 = Match(field="nfproto", values=("ipv4",))
IPV6 = Match(field="nfproto", values=("ipv6",))
TCP = Match(field="proto", values=("tcp",))
ALL_FLAGS = "FIN,SYN,RST,PSH,ACK,URG,ECE,CWR"


def payload(protocol: str, field: str) -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": field}}


def meta(key: str) -> dict[str, Any]:
    return {"meta": {"key": key}}


def ct(key: str, way: str = "") -> dict[str, Any]:
    return {"ct": {"key": key} | ({"dir": way} if way else {})}


def match(left: object, right: object, operator: str = "==") -> dict[str, Any]:
    return {"match": {"op": operator, "left": left, "right": right}}


def exprs(*expressions: object, family: TableFamily = "ip") -> tuple[AnyExpr, ...]:
    return compile_rule(list(expressions), Context(family, HEADS)).exprs


def m(field: str, *values: str, negate: bool = False) -> Match:
    return Match(field=FieldText(field), values=values, negate=negate)


PREFIX = {"prefix": {"addr": "10.0.0.0", "len": 8}}
STATE, STATUS, FLAGS = ct("state"), ct("status"), payload("tcp", "flags")

CONDITIONS: list[tuple[object, object, str, tuple[AnyExpr, ...]]] = [
    (meta("iifgroup"), "default", "==", (m("iifgroup", "0x0/0xffffffff"),)),
    (meta("oifgroup"), {"set": [1, 2]}, "!=", (m("oifgroup", "0x1/0xffffffff", "0x2/0xffffffff", negate=True),)),
    (meta("iifkind"), "veth", "==", (m("iifkind", "veth"),)),
    (meta("iiftype"), "ether", "==", (m("iiftype", "ether"),)),
    (meta("skuid"), 1000, "!=", (m("skuid", "1000", negate=True),)),
    (meta("ipsec"), False, "==", (m("ipsec", "in", negate=True),)),
    ({"rt": {"key": "ipsec"}}, True, "==", (m("ipsec", "out"),)),
    ({"exthdr": {"name": "frag"}}, True, "==", (m("exthdr", "frag"),)),
    ({"exthdr": {"name": "frag"}}, True, "!=", (m("exthdr", "frag", negate=True),)),
    (payload("ether", "type"), "ip", "==", (m("ether-type", "ipv4"),)),
    (payload("ether", "daddr"), "02:00:00:00:00:0A", "==", (m("mac-dst", "02:00:00:00:00:0a"),)),
    (payload("arp", "operation"), "request", "==", (m("nfproto", "arp"), m("arp-op", "request"))),
    (payload("arp", "saddr ip"), "10.0.0.1", "==", (m("nfproto", "arp"), m("arp-saddr", "10.0.0.1/32"))),
    ({"fib": {"result": "type", "flags": ["daddr", "iif"]}}, "local", "==", (m("dst-type-in", "LOCAL"),)),
    ({"fib": {"result": "type", "flags": ["saddr", "oif"]}}, "local", "==", (m("src-type-out", "LOCAL"),)),
    ({"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, "0", "==", (m("fib", "saddr.iif", negate=True),)),
    ({"fib": {"result": "oifname", "flags": ["daddr"]}}, "eth0", "==", (m("fib.daddr", "eth0"),)),
    ({"fib": {"result": "oif", "flags": ["saddr", "mark"]}}, "eth0", "!=", (m("fib.saddr.mark", "eth0", negate=True),)),
    ({"numgen": {"mode": "random", "mod": 10, "offset": 0}}, 3, "<", (m("numgen random mod 10", "0:2"),)),
    ({"jhash": {"mod": 2, "expr": payload("ip", "saddr")}}, 0, "==", (m("jhash ip saddr mod 2", "0"),)),
    ({"symhash": {"mod": 4, "offset": 1}}, 2, "==", (m("symhash mod 4 offset 1", "2"),)),
    (ct("saddr", "original"), "10.0.0.1", "==", (m("ctorigsrc", "10.0.0.1/32"),)),
    (payload("ip", "saddr"), "10.0.0.1", "==", (m("saddr", "10.0.0.1/32"),)),
    (payload("ip", "saddr"), PREFIX, "!=", (m("saddr", "10.0.0.0/8", negate=True),)),
    (payload("ip", "daddr"), {"range": ["10.0.0.1", "10.0.0.9"]}, "==", (m("daddr", "10.0.0.1-10.0.0.9"),)),
    (payload("ip", "saddr"), "10.0.0.5", "<", (m("saddr", "0.0.0.0-10.0.0.4"),)),
    (
        payload("ip", "saddr"),
        {"set": ["10.0.0.1", PREFIX]},
        "!=",
        (m("saddr", "10.0.0.1/32", "10.0.0.0/8", negate=True),),
    ),
    (payload("ip", "saddr"), "@addresses", "!=", (Lookup(fields=("saddr",), set="addresses", negate=True),)),
    (payload("ip6", "saddr"), "fe80::1", "==", (IPV6, m("saddr", "fe80::1/128"))),
    (payload("tcp", "dport"), 80, "==", (TCP, m("dport", "80"))),
    (payload("tcp", "dport"), {"range": [80, 90]}, "!=", (TCP, m("dport", "80:90", negate=True))),
    (payload("tcp", "dport"), 1023, ">", (TCP, m("dport", "1024:65535"))),
    (payload("tcp", "dport"), 1024, ">=", (TCP, m("dport", "1024:65535"))),
    (payload("udp", "sport"), 53, "<=", (m("proto", "udp"), m("sport", "0:53"))),
    (payload("th", "dport"), 53, "==", (m("th-dport", "53"),)),
    (payload("ip", "protocol"), 6, "==", (TCP,)),
    (payload("ip", "protocol"), {"set": ["tcp", 17]}, "!=", (m("proto", "tcp", "udp", negate=True),)),
    (payload("ip6", "nexthdr"), "ipv6-icmp", "==", (IPV6, m("proto", "icmpv6"))),
    (payload("ip", "ttl"), 5, "<", (m("ttl", "0:4"),)),
    (payload("ip", "version"), 4, "==", (IPV4,)),
    (payload("icmp", "type"), "echo-request", "==", (m("proto", "icmp"), m("icmp-type", "8"))),
    (
        payload("icmp", "type"),
        {"range": ["echo-request", 10]},
        "==",
        (m("proto", "icmp"), m("icmp-type", "8", "9", "10")),
    ),
    (payload("icmpv6", "type"), "nd-neighbor-solicit", "==", (m("proto", "icmpv6"), m("icmp-type", "135"))),
    (payload("icmp", "code"), "frag-needed", "==", (m("proto", "icmp"), m("icmp-code", "4"))),
    (payload("ether", "saddr"), "00:11:22:AA:bb:cc", "==", (m("mac", "00:11:22:aa:bb:cc"),)),
    ({"&": [payload("ip", "frag-off"), 0x1FFF]}, 0, "!=", (m("fragment", "later"),)),
    ({"&": [payload("ip", "frag-off"), 0x1FFF]}, 0, "==", (m("fragment", "later", negate=True),)),
    (meta("iifname"), "veth*", "==", (m("iif", "veth+"),)),
    (meta("oifname"), "lit\\*", "!=", (m("oif", "lit*", negate=True),)),
    (meta("iif"), "a*", "==", (m("iif", "a*"),)),
    (meta("iifname"), "@names", "==", (Lookup(fields=("iif",), set="names"),)),
    (meta("iifname"), "@other", "==", (m("iif", "@other"),)),
    (meta("mark"), 5, "==", (m("mark", "0x5/0xffffffff"),)),
    (meta("mark"), {"range": [1, 5]}, "==", (m("mark", "0x1/0xffffffff", "0x2/0xfffffffe", "0x4/0xfffffffe"),)),
    ({"&": [meta("mark"), 0xF0]}, 0x10, "!=", (m("mark", "0x10/0xf0", negate=True),)),
    ({"&": [ct("mark"), 0xF]}, {"set": [1, 2]}, "==", (m("ctmark", "0x1/0xf", "0x2/0xf"),)),
    (meta("mark"), "@marks", "==", (Lookup(fields=("mark",), set="marks"),)),
    (meta("l4proto"), 47, "==", (m("proto", "gre"),)),
    (meta("l4proto"), 253, "!=", (m("proto", "253", negate=True),)),
    (meta("nfproto"), "ipv6", "==", (IPV6,)),
    (meta("protocol"), {"set": ["ip", "arp"]}, "==", (m("nfproto", "ipv4", "arp"),)),
    (meta("pkttype"), "host", "!=", (m("pkttype", "unicast", negate=True),)),
    (meta("length"), {"range": [100, 200]}, "==", (m("length", "100:200"),)),
    (STATE, ["established", "related"], "in", (m("ctstate", "ESTABLISHED", "RELATED"),)),
    (STATE, "invalid", "in", (m("ctstate", "INVALID"),)),
    (STATE, {"set": ["new", "untracked"]}, "!=", (m("ctstate", "NEW", "UNTRACKED", negate=True),)),
    (STATE, ["established", "related"], "!", (m("ctstate", "ESTABLISHED", "RELATED", negate=True),)),
    (STATE, {"|": ["established", "related"]}, "==", (m("ctstate"),)),
    ({"&": [STATE, ["established", "related"]]}, "established", "==", (m("ctstate", "ESTABLISHED"),)),
    ({"&": [STATE, ["established", "new"]]}, 0, "!=", (m("ctstate", "ESTABLISHED", "NEW"),)),
    (STATUS, "dnat", "in", (m("ctstate", "DNAT"),)),
    (STATUS, ["snat", "dnat"], "!", (TRACKED, m("ctstate", "SNAT", "DNAT", negate=True))),
    (STATUS, ["assured", "dnat"], "in", (m("ctstatus", "ASSURED", "DNAT"),)),
    (STATUS, "seen-reply", "in", (m("ctstatus", "SEEN_REPLY"),)),
    ({"&": [STATUS, "dnat"]}, "dnat", "==", (m("ctstate", "DNAT"),)),
    ({"&": [STATUS, "dnat"]}, "dnat", "!=", (TRACKED, m("ctstate", "DNAT", negate=True))),
    ({"&": [STATUS, ["snat", "dnat"]]}, 0, "!=", (m("ctstate", "SNAT", "DNAT"),)),
    (ct("direction"), "reply", "==", (m("ctdir", "REPLY"),)),
    (ct("ip saddr", "original"), PREFIX, "==", (m("ctorigsrc", "10.0.0.0/8"),)),
    (ct("ip6 daddr", "reply"), "fd00::1", "==", (IPV6, m("ctrepldst", "fd00::1/128"))),
    (ct("proto-dst", "original"), 80, "==", (m("ctorigdstport", "80"),)),
    (FLAGS, "syn", "in", (TCP, m("tcp-flags", "SYN/SYN"))),
    (FLAGS, ["syn", "ack"], "in", (TCP, m("tcp-flags", "SYN/SYN", "ACK/ACK"))),
    (FLAGS, ["fin", "syn"], "!", (TCP, m("tcp-flags", "FIN,SYN/NONE"))),
    (FLAGS, "syn", "!=", (TCP, m("tcp-flags", f"{ALL_FLAGS}/SYN", negate=True))),
    ({"&": [FLAGS, ["syn", "ack"]]}, "syn", "==", (TCP, m("tcp-flags", "SYN,ACK/SYN"))),
    ({"&": [FLAGS, {"|": ["syn", "ack"]}]}, 0, "==", (TCP, m("tcp-flags", "SYN,ACK/NONE"))),
    (
        {"fib": {"result": "type", "flags": ["daddr"]}},
        {"set": ["local", "broadcast"]},
        "==",
        (m("dst-type", "LOCAL", "BROADCAST"),),
    ),
    ({"fib": {"result": "type", "flags": "saddr"}}, "local", "!=", (m("src-type", "LOCAL", negate=True),)),
    ({"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, False, "==", (m("fib", "saddr.iif", negate=True),)),
    ({"fib": {"result": "check", "flags": ["saddr"]}}, True, "==", (m("fib", "saddr"),)),
    (
        {"concat": [payload("ip", "saddr"), payload("tcp", "dport")]},
        {"set": [{"concat": ["10.0.0.1", {"range": [80, 90]}]}]},
        "!=",
        (TCP, Lookup(fields=("saddr", "dport"), elements=(Element(key=("10.0.0.1/32", "80:90")),), negate=True)),
    ),
    (
        {"concat": [payload("ip", "saddr"), payload("tcp", "dport")]},
        "@pairs",
        "==",
        (TCP, Lookup(fields=("saddr", "dport"), set="pairs")),
    ),
    (
        {"concat": [meta("l4proto"), payload("th", "dport")]},
        {"set": [{"concat": [6, 80]}]},
        "==",
        (Lookup(fields=("proto", "dport"), elements=(Element(key=("tcp", "80")),)),),
    ),
    (
        {"concat": [meta("cpu"), payload("ip", "saddr")]},
        {"set": [{"concat": [1, "10.0.0.1"]}]},
        "==",
        (Lookup(fields=(FieldText("meta cpu"), "saddr"), elements=(Element(key=("1", "10.0.0.1/32")),)),),
    ),
]


FEW_RULES: list[tuple[object, object, str, tuple[AnyExpr, ...]]] = [
    (payload("ip", "dscp"), "cs1", "==", (m("tos", "0x20/0xfc"),)),
    (payload("ip", "dscp"), {"set": ["ef", 7]}, "!=", (m("tos", "0xb8/0xfc", "0x1c/0xfc", negate=True),)),
    (payload("ip", "ecn"), "ce", "==", (m("tos", "0x3/0x3"),)),
    (meta("random"), 50, "<", (m("meta random", "0:49"),)),
    (meta("hour"), {"range": ["10:00", "12:00"]}, "==", (m("time", "from=36000 to=43200"),)),
    (meta("hour"), "08:00", "<", (m("time", "from=0 to=28799"),)),
    (meta("day"), {"set": ["Sunday", "Monday"]}, "!=", (m("time", "weekdays=7,1", negate=True),)),
    (meta("time"), "1970-01-01 00:01:00", "<", (m("time", "after=0 before=59"),)),
    (meta("priority"), "1:2", "==", (m("priority", "65538"),)),
    (meta("rtclassid"), 3, "==", (m("realm", "0x3/0xffffffff"),)),
    (meta("cgroup"), 5, "==", (m("cgroup", "5"),)),
    ({"tcp option": {"name": "maxseg", "field": "size"}}, {"range": [1, 500]}, "==", (TCP, m("mss", "1:500"))),
    ({"tcp option": {"name": "sack-perm"}}, True, "==", (TCP, m("tcp-option", "4"))),
    ({"tcp option": {"name": "sack-perm"}}, False, "==", (m("tcp-option", "4", negate=True),)),
    ({"sctp chunk": {"name": "init"}}, False, "==", (m("chunks", "any INIT", negate=True),)),
    ({"sctp chunk": {"name": "init"}}, True, "==", (m("proto", "sctp"), m("chunks", "any INIT"))),
    (payload("dccp", "type"), "request", "==", (m("proto", "dccp"), m("dccp-type", "REQUEST"))),
    (payload("esp", "spi"), 5, "==", (m("proto", "esp"), m("spi", "5"))),
    (ct("label"), 5, "in", (TRACKED, m("ct-label", "5"))),
    (ct("helper"), "ftp", "==", (TRACKED, m("ct-helper", ""), m("ct-helper", "ftp"))),
    (ct("zone"), 5, "==", (TRACKED, m("ct-zone", "5"))),
    (ct("l3proto"), "ipv4", "==", (TRACKED, m("ct-l3proto", "ipv4"))),
    (ct("l3proto"), {"set": ["ipv4", "ipv6"]}, "!=", (TRACKED, m("ct-l3proto", "ipv4", "ipv6", negate=True))),
    ({"socket": {"key": "transparent"}}, 1, "==", (m("socket", "any"), m("socket", "any+transparent"))),
    ({"socket": {"key": "wildcard"}}, 1, "==", (m("socket", "any"), m("socket", "bound", negate=True))),
    ({"socket": {"key": "wildcard"}}, 0, "==", (m("socket", "any"), m("socket", "bound"))),
]


@pytest.mark.parametrize(("left", "right", "operator", "wanted"), FEW_RULES)
def test_what_few_rules_look_at_is_compiled(
    left: object, right: object, operator: str, wanted: tuple[AnyExpr, ...]
) -> None:
    assert exprs(match(left, right, operator)) == wanted


@pytest.mark.parametrize(
    ("left", "right", "operator", "first"),
    [
        (ct("packets", "original"), 5, ">", False),
        (ct("packets", "original"), 1, "==", True),
        (ct("packets", "reply"), 0, "==", True),
        (ct("bytes"), {"range": [50, 100]}, "==", True),
        (ct("bytes"), {"range": [50, 100]}, "!=", False),
    ],
)
def test_a_connections_counters_are_those_of_its_first_packet(
    left: object,
    right: object,
    operator: str,
    first: bool,
) -> None:
    tracked, count = exprs(match(left, right, operator))
    assert tracked == TRACKED
    assert isinstance(count, StatefulMatch)
    assert count.first is first


def test_a_named_limit_says_what_its_object_says() -> None:
    objects = {("limit", "slow"): {"rate": 4, "per": "minute", "burst": 5, "inv": True}}
    (found,) = compile_rule([{"limit": "slow"}], Context("ip", {}, objects=objects)).exprs
    assert found == StatefulMatch(
        text='limit name "slow"', first=False, words="once more than 4 packets a minute come (burst 5 packets)"
    )
    assert isinstance(exprs({"limit": "nosuch"})[0], Opaque)


@pytest.mark.parametrize(("left", "right", "operator", "wanted"), CONDITIONS)
def test_a_condition_is_compiled(left: object, right: object, operator: str, wanted: tuple[AnyExpr, ...]) -> None:
    assert exprs(match(left, right, operator)) == wanted


OPAQUE: list[tuple[object, object, str]] = [
    (ct("l3proto"), "nosuch", "=="),
    (payload("ip", "saddr"), "fe80::1", "=="),
    (payload("ip", "saddr"), "somewhere", "=="),
    (payload("ip", "saddr"), {"range": ["10.0.0.9", "10.0.0.1"]}, "=="),
    (payload("ip", "saddr"), {"prefix": {"addr": "10.0.0.0", "len": 33}}, "=="),
    (payload("ip", "saddr"), "@nosuch", "=="),
    (payload("ip", "saddr"), "@names", "=="),
    (payload("ip", "saddr"), "@odd", "=="),
    (payload("ip", "saddr"), "10.0.0.1", "in"),
    ({"&": [payload("ip", "saddr"), "0.0.0.255"]}, "0.0.0.1", "=="),
    ({"&": [meta("mark"), 0xF]}, "@marks", "=="),
    ({"&": [meta("mark"), 0xF]}, {"range": [1, 5]}, "=="),
    ({"&": [meta("mark"), 0xF]}, 5, "<"),
    (meta("mark"), "websites", "=="),
    (meta("iifname"), "odd+", "=="),
    (meta("iif"), "7", "=="),
    (meta("iif"), 7, "=="),
    (meta("pkttype"), "other", "=="),
    (meta("l4proto"), 0, "=="),
    (meta("l4proto"), "nosuch", "=="),
    (payload("icmp", "type"), "nosuch", "=="),
    (payload("tcp", "dport"), "http", "=="),
    (payload("tcp", "dport"), 65536, "=="),
    (payload("tcp", "dport"), 65535, ">"),
    (payload("tcp", "dport"), 0, "<"),
    (payload("tcp", "dport"), True, "=="),
    (payload("ip6", "saddr"), "fe80::1", "<"),
    (meta("cpu"), 1, "=="),
    (payload("vlan", "id"), 5, "=="),
    (STATUS, "dnat", "!="),
    (STATUS, "nosuch", "in"),
    ({"&": [STATUS, ["snat", "dnat"]]}, "dnat", "=="),
    ({"&": [STATUS, ["snat", "dnat"]]}, ["snat", "dnat"], "=="),
    ({"&": [FLAGS, "syn"]}, "ack", "=="),
    ({"&": [FLAGS, "syn"]}, "syn", "in"),
    (STATE, "sleepy", "in"),
    (STATE, "new", "<"),
    (ct("state", "original"), "new", "in"),
    (ct("mark", "original"), 1, "=="),
    ({"fib": {"result": "type", "flags": ["daddr", "mark"]}}, "local", "=="),
    ({"fib": {"result": "oif", "flags": ["saddr", "daddr"]}}, "eth0", "=="),
    ({"fib": {"result": "oif", "flags": ["daddr"]}}, "7", "=="),
    ({"fib": {"result": "type", "flags": ["daddr"]}}, "nosuch", "=="),
    ({"numgen": {"mode": "random", "mod": 0, "offset": 0}}, 3, "<"),
    ({"concat": [payload("ip", "saddr"), payload("tcp", "dport")]}, "@addresses", "=="),
    ({"concat": [payload("ip", "saddr"), payload("tcp", "dport")]}, {"set": [{"concat": ["10.0.0.1"]}]}, "=="),
    (payload("ip", "saddr"), {"set": [{"elem": {"val": "10.0.0.1", "limit": {"rate": 1}}}]}, "=="),
]


@pytest.mark.parametrize(("left", "right", "operator"), OPAQUE)
def test_what_cannot_be_said_exactly_stays_opaque_and_its_neighbours_are_read(
    left: object, right: object, operator: str
) -> None:
    first, middle, last = exprs(match(meta("iifname"), "eth0"), match(left, right, operator), {"drop": None})
    assert first == m("iif", "eth0")
    assert isinstance(middle, Opaque)
    assert middle.role == "match"
    assert middle.text
    assert last == Verdict(kind="drop")


def test_inet_tables_say_which_family_a_rule_is_about_and_say_it_once() -> None:
    both = exprs(
        match(payload("ip", "saddr"), "10.0.0.1", "!="), match(payload("ip", "daddr"), "10.0.0.2"), family="inet"
    )
    assert both == (IPV4, m("saddr", "10.0.0.1/32", negate=True), m("daddr", "10.0.0.2/32"))
    assert exprs(match(payload("ether", "type"), "ip6"), family="bridge") == (IPV6,)


def test_a_condition_that_a_statement_stands_between_is_asked_again() -> None:
    one = match(meta("mark"), 1)
    between = {"mangle": {"key": meta("mark"), "value": 2}}
    assert exprs(one, between, one) == (m("mark", "0x1/0xffffffff"), SetMark(value=2), m("mark", "0x1/0xffffffff"))


@pytest.mark.parametrize(
    ("before", "field"),
    [
        (match(meta("l4proto"), {"set": [6, 17]}), "dport"),
        (match(payload("ip", "protocol"), "tcp"), "dport"),
        (match(meta("l4proto"), {"set": [6, 1]}), "th-dport"),
        (match(meta("l4proto"), 6, "!="), "th-dport"),
        (match(meta("iifname"), "eth0"), "th-dport"),
    ],
)
def test_a_transport_headers_port_is_one_only_where_the_protocol_has_ports(before: object, field: str) -> None:
    found = exprs(before, match(payload("th", "dport"), 53))
    assert found[-1] == m(field, "53")


def test_verdict_maps_keep_what_they_can_lead_to() -> None:
    drop = [80, {"drop": None}]
    aside = ["*", {"jump": {"target": "aside"}}]
    named = exprs({"vmap": {"key": payload("tcp", "dport"), "data": "@fate"}})
    assert named == (TCP, VerdictMap(fields=("dport",), set="fate"))
    anonymous = exprs({"vmap": {"key": payload("tcp", "dport"), "data": {"set": [drop, aside]}}})
    elements = (
        Element(key=("80",), verdict=Verdict(kind="drop")),
        Element(key=("*",), verdict=Verdict(kind="jump", chain="aside")),
    )
    assert anonymous == (TCP, VerdictMap(fields=("dport",), elements=elements))
    masked = exprs({"vmap": {"key": {"&": [meta("mark"), 15]}, "data": {"set": [[1, {"accept": None}]]}}})
    assert masked == (
        VerdictMap(fields=("mark",), elements=(Element(key=("0x1/0xf",), verdict=Verdict(kind="accept")),)),
    )


def test_a_verdict_map_with_a_key_nobody_can_decide_still_says_where_it_leads() -> None:
    element = [{"prefix": {"addr": "10.0.0.0", "len": 40}}, {"drop": None}]
    (odd,) = exprs({"vmap": {"key": payload("ip", "saddr"), "data": {"set": [element]}}})
    assert isinstance(odd, VerdictMap)
    assert odd.fields == ("ip saddr",)
    assert [item.verdict for item in odd.elements] == [Verdict(kind="drop")]
    (other,) = exprs({"vmap": {"key": meta("cpu"), "data": "@fate"}})
    assert other == VerdictMap(fields=(FieldText("meta cpu"),), set="fate")


@pytest.mark.parametrize(
    "data", ["@nosuch", "@data", {"set": [[80, {"explode": None}]]}, {"set": [80]}, {"set": [[80]]}, 5, None]
)
def test_a_verdict_map_whose_verdicts_are_not_known_is_opaque_both_ways(data: object) -> None:
    found = exprs({"vmap": {"key": payload("tcp", "dport"), "data": data}})
    assert [item.role for item in found if isinstance(item, Opaque)] == ["match", "target"]


def datum(key: str, data: str) -> Element:
    return Element(key=(key,), data=data)


MARK, PAYLOAD = meta("mark"), payload("ip", "saddr")
LOT = {"numgen": {"mode": "random", "mod": 2, "offset": 0}}
PLACE = {"concat": ["10.0.0.1", 80]}
TO_RANGE = {"range": ["10.0.0.2", "10.0.0.5"]}


def stateful(text: str, words: str, *, first: bool = True) -> StatefulMatch:
    return StatefulMatch(text=text, first=first, words=words)


STATEMENTS: list[tuple[object, tuple[AnyExpr, ...]]] = [
    ({"accept": None}, (Verdict(kind="accept"),)),
    ({"return": None}, (Verdict(kind="return"),)),
    ({"continue": None}, (Verdict(kind="continue"),)),
    ({"goto": {"target": "x"}}, (Verdict(kind="goto", chain="x"),)),
    ({"queue": {"num": 3, "flags": "bypass"}}, (Verdict(kind="queue", queues="3", bypass=True),)),
    ({"queue": {"num": {"range": [1, 3]}}}, (Verdict(kind="queue", queues="1:3"),)),
    ({"reject": None}, (Verdict(kind="reject"),)),
    ({"reject": {"type": "tcp reset"}}, (Verdict(kind="reject", reject_with="tcp-reset"),)),
    (
        {"reject": {"type": "icmp", "expr": "prot-unreachable"}},
        (Verdict(kind="reject", reject_with="icmp-proto-unreachable"),),
    ),
    ({"reject": {"type": "icmpv6", "expr": "no-route"}}, (Verdict(kind="reject", reject_with="icmp6-no-route"),)),
    ({"reject": {"type": "icmpx", "expr": "no-route"}}, (Verdict(kind="reject", reject_with="icmpx-no-route"),)),
    ({"masquerade": None}, (Nat(kind="masquerade"),)),
    (
        {"masquerade": {"flags": ["random", "fully-random"]}},
        (Nat(kind="masquerade", flags=("random", "random-fully")),),
    ),
    ({"redirect": {"port": 8080}}, (Nat(kind="redirect", ports="8080"),)),
    (
        {"snat": {"addr": "203.0.113.2", "port": {"range": [1, 9]}}},
        (Nat(kind="snat", addresses="203.0.113.2", ports="1-9"),),
    ),
    (
        {"dnat": {"addr": TO_RANGE, "flags": "persistent"}},
        (Nat(kind="dnat", addresses="10.0.0.2-10.0.0.5", flags=("persistent",)),),
    ),
    (
        {"snat": {"addr": {"prefix": {"addr": "10.1.0.0", "len": 16}}, "flags": "netmap", "type_flags": "prefix"}},
        (Nat(kind="netmap", addresses="10.1.0.0/16"),),
    ),
    (  # how nft prints the range of such a prefix
        {"snat": {"addr": {"prefix": {"addr": "10.1.0.0", "len": 16}}}},
        (Nat(kind="snat", addresses="10.1.0.0-10.1.255.255"),),
    ),
    ({"notrack": None}, (NoTrack(),)),
    ({"log": {"prefix": "x: ", "level": "info"}}, (Note(text='log prefix "x: " level info'),)),
    ({"counter": "named"}, (Note(text='counter name "named"'),)),
    ({"ct helper": "ftp"}, (Note(text="ct helper ftp"),)),
    ({"mangle": {"key": MARK, "value": 5}}, (SetMark(value=5),)),
    ({"mangle": {"key": MARK, "value": {"|": [MARK, 4]}}}, (SetMark(value=4, mask=4),)),
    ({"mangle": {"key": MARK, "value": {"|": [4, MARK]}}}, (SetMark(value=4, mask=4),)),
    ({"mangle": {"key": MARK, "value": {"^": [MARK, 4]}}}, (SetMark(value=4, mask=0),)),
    ({"mangle": {"key": MARK, "value": {"&": [MARK, 0xFF]}}}, (SetMark(value=0, mask=0xFFFFFF00),)),
    ({"mangle": {"key": MARK, "value": ct("mark")}}, (TRACKED, SetMark(op="restore"))),
    ({"mangle": {"key": ct("mark"), "value": MARK}}, (SetMark(where="ct", op="save"),)),
    ({"mangle": {"key": ct("mark"), "value": {"|": [ct("mark"), 1]}}}, (SetMark(where="ct", value=1, mask=1),)),
    (
        {"mangle": {"key": ct("mark"), "value": {"&": [MARK, 0xF]}}},
        (SetMark(where="ct", op="save"), SetMark(where="ct", value=0, mask=0xFFFFFFF0)),
    ),
    ({"mangle": {"key": payload("ip", "dscp"), "value": "cs1"}}, (SetField(field="tos", value=0x20, mask=0xFC),)),
    ({"mangle": {"key": payload("ip", "ttl"), "value": 64}}, (SetField(field="ttl", value=64),)),
    ({"mangle": {"key": payload("ip6", "hoplimit"), "value": 1}}, (IPV6, SetField(field="ttl", value=1))),
    ({"mangle": {"key": meta("priority"), "value": "1:2"}}, (SetField(field="priority", value=0x10002),)),
    ({"mangle": {"key": ct("zone"), "value": 1}}, (SetZone(zone=1),)),
    ({"mangle": {"key": ct("zone", "original"), "value": 1}}, (SetZone(zone=1, direction="original"),)),
    ({"mangle": {"key": ct("label"), "value": 5}}, (Remember(kind="label", name="5"),)),
    (
        {"mangle": {"key": {"tcp option": {"name": "maxseg", "field": "size"}}, "value": 1200}},
        (TCP, SetField(field="mss", op="at-most", value=1200)),
    ),
    ({"tproxy": {"port": 3128}}, (TransparentProxy(port="3128"),)),
    (
        {"quota": {"val": 1, "val_unit": "kbytes", "used": 1020, "used_unit": "bytes"}},
        (
            stateful(
                "quota 1 kbytes",
                "for no packet",
                first=False,
            ),
        ),
    ),
    ({"mangle": {"key": meta("nftrace"), "value": 1}}, (Note(text="meta nftrace set 1"),)),
    ({"flow": {"op": "add", "flowtable": "@f"}}, (Note(text="flow add @f (flow offload)", offload=True),)),
    (
        {"dnat": {"addr": {"map": {"key": payload("tcp", "dport"), "data": {"set": [[80, "10.0.0.2"]]}}}}},
        (TCP, Nat(kind="dnat", choice=Choice(fields=("dport",), elements=(datum("80", "10.0.0.2"),)))),
    ),
    (
        {"dnat": {"addr": {"map": {"key": LOT, "data": {"set": [[0, PLACE], [1, "10.0.0.2"]]}}}, "port": 8080}},
        (
            Nat(
                kind="dnat",
                ports="8080",
                choice=Choice(
                    fields=(FieldText("numgen random mod 2"),),
                    elements=(datum("0", "10.0.0.1 . 80"), datum("1", "10.0.0.2")),
                ),
            ),
        ),
    ),
    (
        {"redirect": {"port": {"map": {"key": payload("tcp", "dport"), "data": "@data"}}}},
        (TCP, Nat(kind="redirect", choice=Choice(fields=("dport",), set="data", part="ports"))),
    ),
    ({"mangle": {"key": MARK, "value": {"jhash": {"mod": 2, "expr": PAYLOAD}}}}, (SetMark(op="unknown"),)),
    ({"mangle": {"key": MARK, "value": {"|": [MARK, ct("mark")]}}}, (SetMark(op="unknown"),)),
    ({"mangle": {"key": MARK, "value": {"<<": [MARK, 8]}}}, (SetMark(op="unknown"),)),
    (
        {"set": {"op": "add", "elem": PAYLOAD, "set": "@s", "stmt": [{"limit": {"rate": 1, "per": "second"}}]}},
        (
            Remember(kind="set", name="s", key=("saddr",)),
            StatefulMatch(text="limit rate 1/second", first=True, words="while at most 1 packet a second come"),
        ),
    ),
    ({"xt": {"type": "match", "name": "conntrack"}}, (Opaque(text='xt match "conntrack"'),)),
    ({"xt": {"type": "target", "name": "DNAT"}}, (Opaque(text='xt target "DNAT"', role="target"),)),
    ({"xt": {"type": "watcher", "name": "LOG"}}, (Note(text='xt watcher "LOG"'),)),
    (
        {"limit": {"rate": 10, "burst": 5, "per": "second"}},
        (stateful("limit rate 10/second", "while at most 10 packets a second come (burst 5 packets)"),),
    ),
    (
        {"quota": {"val": 10, "val_unit": "mbytes", "inv": True}},
        (stateful("quota over 10 mbytes", "once 10 MB are used up", first=False),),
    ),
    (
        {"ct count": {"val": 10, "inv": True}},
        (stateful("ct count over 10", "once more than 10 connections of its kind exist", first=False),),
    ),
    (
        {"set": {"op": "add", "elem": payload("tcp", "dport"), "set": "@s"}},
        (TCP, Remember(kind="set", name="s", key=("dport",))),
    ),
]


@pytest.mark.parametrize(("statement", "wanted"), STATEMENTS)
def test_a_statement_is_compiled(statement: object, wanted: tuple[AnyExpr, ...]) -> None:
    assert exprs(statement) == wanted


def test_what_writes_a_header_ends_the_rule_for_packets_without_it() -> None:
    """The program asks for the family and the protocol by itself, and doesn't list that it does."""
    ttl = {"mangle": {"key": payload("ip", "ttl"), "value": 1}}
    assert exprs(ttl, family="inet") == (IPV4, SetField(field="ttl", value=1))
    flow_label = {"mangle": {"key": payload("ip6", "flowlabel"), "value": 0}}
    assert exprs(flow_label, {"drop": None}, family="inet")[0] == IPV6
    port = {"mangle": {"key": payload("tcp", "dport"), "value": 81}}
    assert exprs(port) == (TCP, Opaque(text="tcp dport set 81", role="target"))
    reset = {"reset": {"tcp option": {"name": "window"}}}
    assert exprs(reset, {"drop": None})[0] == TCP
    assert isinstance(exprs(reset)[0], Note), "nothing follows that it could end"
    by_source = {"jhash": {"mod": 2, "expr": payload("ip", "saddr")}}
    assert exprs(match(by_source, 1), family="inet")[0] == IPV4
    both = {"jhash": {"mod": 2, "expr": {"concat": [payload("ip", "saddr"), payload("tcp", "sport")]}}}
    assert exprs(match(both, 1))[0] == TCP


@pytest.mark.parametrize(
    "statement",
    [
        {"dnat": {"addr": {"map": {"key": payload("tcp", "dport"), "data": "@nosuch"}}}},
        {"dnat": {"addr": {"map": {"key": LOT, "data": {"set": [[0, "10.0.0.2"]]}}}, "type_flags": "prefix"}},
        {"dnat": {"addr": "10.0.0.2", "flags": "sideways"}},
        {"dnat": {"addr": "10.0.0.2", "type_flags": "prefix"}},
        {"dnat": {"addr": TO_RANGE, "port": {"map": {}}}},
        {"snat": {"addr": {"range": ["10.0.0.2", "fe80::1"]}}},
        {"reject": {"type": "icmp", "expr": "nosuch"}},
        {"jump": {}},
        {"fwd": {"dev": "lo"}},
        {"synproxy": None},
        {"mangle": {"key": payload("ip", "daddr"), "value": "10.0.0.1"}},
        {"mangle": {"key": meta("pkttype"), "value": "host"}},
    ],
)
def test_an_action_that_is_not_modelled_stays_a_target(statement: object) -> None:
    (found,) = exprs(statement)
    assert isinstance(found, Opaque)
    assert found.role == "target"


@pytest.mark.parametrize(
    "item",
    [
        "jump {\n\taccept\n}",
        {"novelty": 1},
        {},
        None,
        5,
        {"a": 1, "b": 2},
        {"xt": None},
        {"accept": 1, "drop": 2},
        {"set": {"elem": payload("ip", "saddr"), "set": "@s"}},
    ],
)
def test_what_nobody_knows_may_decide_and_may_act(item: object) -> None:
    found = exprs(item, {"accept": None})
    assert [one.role for one in found if isinstance(one, Opaque)] == ["match", "target"]
    assert found[-1] == Verdict(kind="accept")


def test_a_flow_that_is_not_handed_over_ends_its_rule() -> None:
    found = exprs({"flow": {"op": "add", "flowtable": "@f"}}, {"accept": None})
    assert [type(item) for item in found] == [Note, Match, Opaque, Verdict]
    assert found[1] == m("ctstate", "ESTABLISHED", "RELATED")


def test_a_mark_that_cannot_be_told_may_end_the_rule_before_what_follows() -> None:
    lot = {"mangle": {"key": MARK, "value": LOT}}
    assert [type(item) for item in exprs(lot, {"accept": None})] == [Opaque, SetMark, Verdict]


@pytest.mark.parametrize(
    ("left", "needs"),
    [
        (payload("tcp", "sequence"), (TCP,)),
        ({"exthdr": {"name": "frag", "field": "more-fragments"}}, (m("exthdr", "frag"),)),
        ({"&": [payload("ip", "frag-off"), 0x2000]}, (IPV4,)),
        (payload("ip6", "flowlabel"), (IPV6,)),
        (payload("esp", "sequence"), (m("proto", "esp"),)),
        (ct("id"), (TRACKED,)),
        (meta("cpu"), ()),
    ],
)
def test_what_is_not_modelled_still_says_what_a_packet_must_have_for_it(left: object, needs: tuple[Match, ...]) -> None:
    (found, _) = exprs(match(left, 1, "!="), {"drop": None}, family="inet")
    assert isinstance(found, Opaque)
    assert found.needs == needs


def test_an_address_translation_for_one_family_leaves_the_other_alone() -> None:
    to = {"dnat": {"family": "ip", "addr": "10.0.0.2"}}
    assert exprs(to, family="inet") == (IPV4, Nat(kind="dnat", addresses="10.0.0.2"))
    assert exprs(to, {"counter": {"packets": 1, "bytes": 2}}, family="inet")[0] == IPV4
    (opaque, _) = exprs(to, {"accept": None}, family="inet")
    assert isinstance(opaque, Opaque), "packets of the other family go on with the rule"


def test_the_first_counter_is_the_rules_own() -> None:
    counters = [{"counter": {"packets": 3, "bytes": 180}}, {"counter": {"packets": 1, "bytes": 60}}]
    found = compile_rule([*counters, {"drop": None}], Context("ip", {}))
    assert (found.packets, found.bytes) == (3, 180)
    assert found.exprs == (Verdict(kind="drop"),)
    assert compile_rule([{"drop": None}], Context("ip", {})).packets is None


def test_the_sets_that_packets_fill_are_known() -> None:
    fills = [{"set": {"op": "add", "elem": 1, "set": "@a"}}, {"map": {"op": "update", "map": "@b"}}, {"drop": None}]
    assert list(sets_filled(fills)) == ["a", "b"]
    assert list(sets_filled("odd")) == []


OPERATIONS = st.lists(st.tuples(st.sampled_from("&|^"), st.integers(0, 0xFFFFFFFF)), max_size=4)


@given(st.integers(0, 0xFFFFFFFF), OPERATIONS)
def test_however_a_mark_is_calculated_the_model_comes_to_the_same(old: int, operations: list[tuple[str, int]]) -> None:
    value: object = MARK
    wanted = old
    for operator, constant in operations:
        value = {operator: [value, constant]}
        wanted = {"&": wanted & constant, "|": wanted | constant, "^": wanted ^ constant}[operator]
    (found,) = exprs({"mangle": {"key": MARK, "value": value}})
    assert isinstance(found, SetMark)
    assert (old & ~found.mask) ^ found.value == wanted


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_a_range_of_marks_holds_the_marks_in_it_and_no_others(one: int, other: int, mark: int) -> None:
    low, high = sorted((one, other))
    (found,) = exprs(match(MARK, {"range": [low, high]}))
    assert isinstance(found, Match)
    pairs = [(int(value, 0), int(mask, 0)) for value, mask in (item.split("/") for item in found.values)]
    for candidate in (mark, low, high, max(low - 1, 0), min(high + 1, 0xFFFFFFFF)):
        assert any(candidate & mask == value for value, mask in pairs) == (low <= candidate <= high)


STATES = {"established": 2, "related": 4, "new": 8, "invalid": 1, "untracked": 64}


@given(
    st.sampled_from(["in", "!", "==", "!="]),
    st.one_of(st.none(), st.sets(st.sampled_from(sorted(STATES)), min_size=1)),
    st.sets(st.sampled_from(sorted(STATES)), min_size=1),
    st.sampled_from(sorted(STATES)),
)
def test_whatever_is_asked_of_a_state_the_model_answers_as_the_kernel(
    operator: str, mask: set[str] | None, right: set[str], state: str
) -> None:
    left = STATE if mask is None else {"&": [STATE, sorted(mask)]}
    (found,) = exprs(match(left, {"|": sorted(right)}, operator))
    loaded = STATES[state] if mask is None else STATES[state] & sum(STATES[item] for item in mask)
    wanted = sum(STATES[item] for item in right)
    kernel = {"in": loaded & wanted != 0, "!": loaded & wanted == 0, "==": loaded == wanted, "!=": loaded != wanted}
    assert isinstance(found, Match)
    assert ((state.upper() in found.values) != found.negate) == kernel[operator]
