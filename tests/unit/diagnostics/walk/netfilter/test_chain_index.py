"""The index of long chains leaves out only rules that certainly don't match."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from dnet_tui.diagnostics.walk.match.expressions import matches
from dnet_tui.diagnostics.walk.netfilter.chain_index import ChainIndex
from dnet_tui.diagnostics.walk.netfilter.firewall_index import TableIndex
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model.firewall import AnyExpr, Chain, Match, Opaque, Rule, SetMark, Table, Verdict
from unit.builders.rule_evaluation import Unicast

ADDRESSES = ["10.0.0.2", "10.0.1.7", "192.0.2.1", "198.51.100.77"]
NETWORKS = [*ADDRESSES, "10.0.0.0/24", "10.0.0.0/8", "0.0.0.0/0", "10.0.0.1-10.0.0.9", "2001:db8::/32"]
DROP = Verdict(kind="drop")


def match(field: str, values: list[str]) -> st.SearchStrategy[Match]:
    return st.builds(
        Match,
        field=st.just(field),
        values=st.lists(st.sampled_from(values), min_size=1, max_size=3).map(tuple),
        negate=st.booleans(),
    )


MATCHES = st.one_of(
    match("saddr", NETWORKS),
    match("daddr", NETWORKS),
    match("dport", ["80", "443", "1000:2000"]),
    match("sport", ["40000", "1:9"]),
    match("iif", ["br0", "br+", "eth0"]),
    match("oif", ["br0", "eth0"]),
    match("proto", ["tcp", "udp"]),
)
EXPRS = st.one_of(MATCHES, st.just(Opaque(text="-m string")), st.just(SetMark(value=1)), st.just(DROP))
RULES = st.lists(st.lists(EXPRS, max_size=4).map(tuple), min_size=1, max_size=40)
PACKETS = st.builds(
    Packet,
    src=st.sampled_from(ADDRESSES),
    dst=st.sampled_from(ADDRESSES),
    proto=st.sampled_from(["tcp", "udp", "icmp"]),
    sport=st.sampled_from([40000, 5]),
    dport=st.sampled_from([80, 443, 1500, 0]),
    iif=st.sampled_from(["br0", "br1", ""]),
    oif=st.sampled_from(["eth0", "br0", ""]),
)


def certainly_idle(rule: Rule, packet: Packet) -> bool:
    """Whether a rule stops at a condition that fails, before it does anything."""
    for expr in rule.exprs:
        if isinstance(expr, Match):
            if matches(expr, packet, Unicast()) is False:
                return True
        elif not isinstance(expr, Opaque):
            return False
    return False


@given(rules=RULES, packet=PACKETS)
def test_what_is_left_out_certainly_does_nothing(rules: list[tuple[AnyExpr, ...]], packet: Packet) -> None:
    numbered = tuple(Rule(number=n, text="", exprs=exprs) for n, exprs in enumerate(rules, start=1))
    kept = ChainIndex(numbered).positions(packet)
    assert kept == sorted(set(kept))
    for at, rule in enumerate(numbered):
        assert at in kept or certainly_idle(rule, packet)


def relevant(chain: Chain, src: str) -> Sequence[Rule]:
    table = TableIndex(Table(family="ip", name="t", backend="nftables", chains=(chain,)))
    return table.relevant(chain, Packet(src=src, dst="192.0.2.1", proto="tcp"))


def test_a_long_chain_of_addresses_is_not_read_through() -> None:
    rules = tuple(
        Rule(number=n, text="", exprs=(Match(field="saddr", values=(f"10.1.{n // 250}.{n % 250}/32",)), DROP))
        for n in range(1, 1000)
    )
    chain = Chain(name="long", rules=rules)
    assert list(relevant(chain, "10.1.0.7")) == [rules[6]]
    assert list(relevant(chain, "10.9.0.7")) == []


def test_a_short_chain_is_read_as_it_is() -> None:
    chain = Chain(name="short", rules=(Rule(number=1, text="", exprs=(DROP,)),))
    assert relevant(chain, "10.9.0.7") is chain.rules
