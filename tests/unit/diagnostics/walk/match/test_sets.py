"""Sets and verdict maps: what is looked up, what can't be, and what that leaves possible."""

from __future__ import annotations

import msgspec
import pytest

from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.netfilter.chain_ends import HookResult
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import known_items
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Chain,
    Element,
    Firewall,
    Lookup,
    Match,
    NamedSet,
    Rule,
    SetLookup,
    SetMark,
    Table,
    Verdict,
    VerdictMap,
)
from dnet_tui.inspect.model.view import View
from unit.builders.factories import HOST, WEB, with_namespace
from unit.builders.rule_evaluation import hook_result
from unit.diagnostics.checks.cases.rules import insert

DROP, ACCEPT = Verdict(kind="drop"), Verdict(kind="accept")
SYN = Packet(src="10.0.0.2", dst="192.0.2.1", proto="tcp", sport=40000, dport=443, iif="br0", oif="eth0")


def forward(
    *rules: tuple[AnyExpr, ...],
    sets: tuple[NamedSet, ...] = (),
    packet: Packet = SYN,
    ipsets: tuple[NamedSet, ...] = (),
) -> HookResult:
    """One inet table whose forward chain has these rules, policy accept, and a chain ``out`` that drops."""
    chains = (
        Chain(
            name="fwd",
            hook="forward",
            policy="accept",
            type="filter",
            rules=tuple(Rule(number=n, text=f"rule {n}", exprs=exprs) for n, exprs in enumerate(rules, start=1)),
        ),
        Chain(name="out", rules=(Rule(number=1, text="drop", exprs=(DROP,)),)),
        Chain(name="empty"),
    )
    table = Table(family="inet", name="t", backend="nftables", chains=chains, sets=sets)
    firewall = Firewall(tables=(table,), ipsets=ipsets)
    return hook_result(firewall, "forward", packet)


def jump(chain: str) -> Verdict:
    return Verdict(kind="jump", chain=chain)


@pytest.mark.parametrize(
    ("key", "dropped"),
    [(("10.0.0.0/8", "443"), True), (("10.0.0.0/8", "80"), False), (("10.0.0.2-10.0.0.9", "400:500"), True)],
)
def test_a_concatenation_matches_only_when_all_its_parts_do(key: tuple[str, ...], *, dropped: bool) -> None:
    lookup = Lookup(fields=("saddr", "dport"), elements=(Element(key=key),))
    assert (forward((lookup, DROP)).verdict == "drop") is dropped


def test_a_negated_lookup_matches_what_is_not_in_the_set() -> None:
    lookup = Lookup(fields=("saddr",), elements=(Element(key=("10.0.0.2",)),), negate=True)
    assert forward((lookup, DROP)).verdict == "accept"


def test_a_negated_lookup_of_ports_does_not_concern_icmp() -> None:
    lookup = Lookup(fields=("dport",), elements=(Element(key=("22",)),), negate=True)
    ping = Packet(src="10.0.0.2", dst="192.0.2.1", proto="icmp", icmp_type=8)
    assert forward((lookup, DROP), packet=ping).verdict == "accept"
    assert forward((lookup, DROP)).verdict == "drop"


def test_a_set_whose_elements_were_not_read_is_unknown() -> None:
    named = NamedSet(name="bad", type="ipv4_addr")
    assert forward((Lookup(fields=("saddr",), set="bad"), DROP), sets=(named,)).verdict == "unknown"


def test_a_set_that_packets_add_to_is_taken_as_it_was_read_and_said() -> None:
    named = NamedSet(name="meter", type="ipv4_addr", dynamic=True, elements=())
    found = forward((Lookup(fields=("saddr",), set="meter"), DROP), sets=(named,))
    assert found.verdict == "accept"
    assert [hedge.text for hedge in found.hedges] == [
        "t fwd rule 1 is taken not to match: set meter is taken as it was when the snapshot was taken"
    ]
    unread = NamedSet(name="meter", type="ipv4_addr", dynamic=True)
    assert forward((Lookup(fields=("saddr",), set="meter"), DROP), sets=(unread,)).verdict == "unknown"


def test_an_element_that_expires_is_there_for_as_long_as_is_said() -> None:
    named = NamedSet(name="jail", type="ipv4_addr", elements=(Element(key=("10.0.0.2/32",), expires=53),))
    found = forward((Lookup(fields=("saddr",), set="jail"), DROP), sets=(named,))
    assert found.verdict == "drop"
    assert [(hedge.text, hedge.lasts) for hedge in found.hedges] == [
        ("t fwd rule 1 matches: set jail has it for 53 s more", 53)
    ]
    spared = forward((Lookup(fields=("saddr",), set="jail", negate=True), DROP), sets=(named,))
    assert spared.verdict == "accept"
    assert spared.hedges[0].text == "t fwd rule 1 doesn't match: set jail has it for 53 s more"
    both = (*(named.elements or ()), Element(key=("10.0.0.0/24",), expires=70))
    either = forward(
        (Lookup(fields=("saddr",), set="jail"), DROP), sets=(msgspec.structs.replace(named, elements=both),)
    )
    assert either.hedges[0].lasts == 70
    lasting = NamedSet(name="jail", type="ipv4_addr", elements=(Element(key=("10.0.0.2/32",)),))
    assert forward((Lookup(fields=("saddr",), set="jail"), DROP), sets=(lasting,)).hedges == ()


def test_an_element_that_expires_in_this_moment_may_be_gone() -> None:
    named = NamedSet(name="jail", type="ipv4_addr", elements=(Element(key=("10.0.0.2/32",), expires=0.4),))
    assert forward((Lookup(fields=("saddr",), set="jail"), DROP), sets=(named,)).verdict == "unknown"


def test_how_long_an_element_lasts_that_packets_refresh_nobody_can_tell() -> None:
    one = Element(key=("10.0.0.2/32",), expires=53)
    named = NamedSet(name="jail", type="ipv4_addr", dynamic=True, elements=(one,))
    found = forward((Lookup(fields=("saddr",), set="jail"), DROP), sets=(named,))
    assert found.verdict == "drop"
    assert found.hedges[0].lasts is None
    assert "is taken to match: set jail is taken as it was" in found.hedges[0].text


@pytest.mark.parametrize(("expires", "end"), [(53, "dropped"), (0.4, "unknown"), (None, "dropped")])
def test_who_looks_for_faults_is_sure_of_what_is_there_now(expires: float | None, end: str) -> None:
    """An ipset's element with a remaining timeout, which nothing refreshes."""
    snapshot = insert("-m set --match-set jail src -j DROP")
    firewall = next(ns for ns in known_items(snapshot.namespaces) if ns.id == HOST).firewall
    assert isinstance(firewall, Firewall)
    jail = NamedSet(name="jail", type="hash:ip", elements=(Element(key=("172.17.0.2/32",), expires=expires),))
    snapshot = with_namespace(snapshot, HOST, firewall=msgspec.structs.replace(firewall, ipsets=(jail,)))
    packet = Packet(src="172.17.0.2", dst="198.51.100.77", proto="tcp", sport=40000, dport=80, tcp_flags=("SYN",))
    for beyond in (False, True):
        assert walk(View(snapshot), packet, origin=WEB, outside=True, beyond=beyond).end == end


def test_a_set_that_does_not_exist_is_unknown() -> None:
    assert forward((Lookup(fields=("saddr",), set="nowhere"), DROP)).verdict == "unknown"


def test_a_verdict_map_does_what_its_element_says() -> None:
    vmap = VerdictMap(
        fields=("oif",), elements=(Element(key=("wlan0",), verdict=ACCEPT), Element(key=("eth0",), verdict=jump("out")))
    )
    result = forward((vmap,))
    assert result.verdict == "drop"
    assert result.by is not None
    assert result.by.rule is not None
    assert result.by.rule.path == ("fwd", "out")


def test_a_verdict_map_without_the_element_goes_on() -> None:
    vmap = VerdictMap(fields=("oif",), elements=(Element(key=("wlan0",), verdict=DROP),))
    assert forward((vmap,)).verdict == "accept"


def test_a_catch_all_applies_only_when_nothing_else_does() -> None:
    elements = (Element(key=("*",), verdict=DROP), Element(key=("eth0",), verdict=ACCEPT))
    assert forward((VerdictMap(fields=("oif",), elements=elements),)).verdict == "accept"
    assert forward((VerdictMap(fields=("iif",), elements=elements),)).verdict == "drop"


def test_a_jump_in_a_map_comes_back_and_the_next_rule_decides() -> None:
    vmap = VerdictMap(fields=("oif",), elements=(Element(key=("eth0",), verdict=jump("empty")),))
    assert forward((vmap,), (DROP,)).verdict == "drop"


def test_a_map_element_that_cannot_be_decided_leaves_both_ways_possible() -> None:
    elements = (Element(key=("something unreadable",), verdict=DROP),)
    vmap = VerdictMap(fields=("saddr", "mac"), elements=(Element(key=("10.0.0.2", "02:00:00:00:00:01"), verdict=DROP),))
    assert forward((vmap,)).verdict == "unknown"
    assert forward((vmap,), (DROP,)).verdict == "drop"
    assert forward((VerdictMap(fields=("mac",), elements=elements),), (ACCEPT,)).verdict == "unknown"


def test_an_unread_map_is_unknown_unless_everything_is_dropped_anyway() -> None:
    named = NamedSet(name="m", type="ifname", is_map=True)
    vmap = VerdictMap(fields=("oif",), set="m")
    assert forward((vmap,), sets=(named,)).verdict == "unknown"


def test_an_address_of_the_other_family_never_matches_negated_or_not() -> None:
    six = Packet(family="ip6", src="2001:db8::2", dst="2001:db8:1::1", proto="tcp", dport=443)
    rule = (Match(field="saddr", values=("10.0.0.0/8",), negate=True), DROP)
    assert forward(rule, packet=six).verdict == "accept"
    assert forward((Match(field="nfproto", values=("ipv6",)), DROP), packet=six).verdict == "drop"


@pytest.mark.parametrize(
    ("kind", "dirs", "key", "verdict"),
    [
        ("hash:ip", ("src",), ("10.0.0.2",), "drop"),
        ("hash:ip", ("dst",), ("10.0.0.2",), "accept"),
        ("hash:net", ("src",), ("10.0.0.0/24",), "drop"),
        ("hash:ip,port", ("src", "dst"), ("10.0.0.2", "tcp:443"), "drop"),
        ("hash:ip,port", ("src", "dst"), ("10.0.0.2", "udp:443"), "accept"),
        ("hash:net,iface", ("src", "src"), ("10.0.0.0/24", "br0"), "drop"),
        ("bitmap:port", ("dst",), ("443",), "drop"),
        ("hash:ip,port", ("src",), ("10.0.0.2", "tcp:443"), "accept"),
        ("hash:ip", ("src", "dst"), ("10.0.0.2",), "drop"),
        ("list:set", ("src",), ("other",), "unknown"),
        ("hash:mac", ("src",), ("02:00:00:00:00:01",), "unknown"),
    ],
)
def test_an_ipset_is_looked_up_by_its_type_and_directions(
    kind: str, dirs: tuple[str, ...], key: tuple[str, ...], verdict: str
) -> None:
    ipset = NamedSet(name="s", type=kind, elements=(Element(key=key),))
    result = forward((SetLookup(name="s", dirs=dirs), DROP), ipsets=(ipset,))
    assert result.verdict == verdict


def test_a_dormant_table_is_not_consulted() -> None:
    chain = Chain(name="fwd", hook="forward", policy="drop", type="filter")
    table = Table(family="inet", name="t", backend="nftables", chains=(chain,), dormant=True)
    result = hook_result(Firewall(tables=(table,)), "forward", SYN)
    assert result.verdict == "accept"


def test_a_bridge_table_concerns_frames_on_a_bridge_only() -> None:
    chain = Chain(name="fwd", hook="forward", policy="drop", type="filter")
    firewall = Firewall(tables=(Table(family="bridge", name="t", backend="nftables", chains=(chain,)),))

    def ask(families: tuple[str, ...]) -> str:
        return hook_result(firewall, "forward", SYN, families=families).verdict

    assert ask(()) == "accept"
    assert ask(("bridge",)) == "drop"


def test_a_match_after_an_action_guards_only_what_follows_it() -> None:
    marked = (SetMark(value=5), Match(field="dport", values=("22",)), DROP)
    result = forward(marked, (Match(field="mark", values=("0x5",)), DROP))
    assert result.verdict == "drop"
    assert result.by is not None
    assert result.by.rule is not None
    assert result.by.rule.number == 2


def test_a_bare_port_means_tcp_in_a_pair_and_any_protocol_alone() -> None:
    dns = Packet(src="10.0.0.2", dst="192.0.2.1", proto="udp", sport=40000, dport=53)
    alone = NamedSet(name="s", type="bitmap:port", elements=(Element(key=("53",)),))
    paired = NamedSet(name="s", type="hash:ip,port", elements=(Element(key=("192.0.2.1", "53")),))
    assert forward((SetLookup(name="s", dirs=("dst",)), DROP), packet=dns, ipsets=(alone,)).verdict == "drop"
    assert forward((SetLookup(name="s", dirs=("dst", "dst")), DROP), packet=dns, ipsets=(paired,)).verdict == "accept"
