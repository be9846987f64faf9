"""Base chains come as a packet meets them, and the chains they lead to in the order of the jumps."""

from __future__ import annotations

from pathlib import Path

import msgspec

from dnet_tui.diagnostics.explain.hook_order import in_packet_order, reached_from, unreached
from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model.firewall import Chain, Element, Firewall, NamedSet, Rule, Table, Verdict, VerdictMap

DATA = Path(__file__).parents[2] / "data"


def tables(text: str) -> tuple[Table, ...]:
    return parse_save(text, backend="iptables-nft", family="ip")


def chain_of(table: Table, name: str) -> Chain:
    return next(chain for chain in table.chains if chain.name == name)


def test_hooks_come_first_then_priorities_then_families() -> None:
    four = tables((DATA / "iptables_guards.save").read_text())
    six = parse_save((DATA / "ip6tables_docker.save").read_text(), backend="iptables-nft", family="ip6")
    order = [
        (item.hook, item.table.family, item.table.name) for item in in_packet_order(Firewall(tables=(*six, *four)))
    ]
    assert order == [
        ("prerouting", "ip", "raw"),
        ("prerouting", "ip", "mangle"),
        ("prerouting", "ip", "nat"),
        ("prerouting", "ip6", "nat"),
        ("input", "ip", "mangle"),
        ("input", "ip", "filter"),
        ("input", "ip6", "filter"),
        ("input", "ip", "nat"),
        ("input", "ip6", "nat"),
        ("forward", "ip", "mangle"),
        ("forward", "ip", "filter"),
        ("forward", "ip6", "filter"),
        ("output", "ip", "raw"),
        ("output", "ip", "mangle"),
        ("output", "ip", "nat"),
        ("output", "ip6", "nat"),
        ("output", "ip", "filter"),
        ("output", "ip6", "filter"),
        ("postrouting", "ip", "mangle"),
        ("postrouting", "ip", "nat"),
        ("postrouting", "ip6", "nat"),
    ]


def test_the_chains_that_a_base_chain_leads_to_come_depth_first_and_once() -> None:
    table = next(item for item in tables((DATA / "iptables_docker_28.save").read_text()) if item.name == "filter")
    reached = reached_from(table, chain_of(table, "FORWARD"))
    assert [(item.chain.name, item.by) for item in reached] == [
        ("DOCKER-USER", ("FORWARD",)),
        ("DOCKER-FORWARD", ("FORWARD",)),
        ("DOCKER-CT", ("DOCKER-FORWARD",)),
        ("DOCKER-INTERNAL", ("DOCKER-FORWARD",)),
        ("DOCKER-BRIDGE", ("DOCKER-FORWARD",)),
        ("DOCKER", ("DOCKER-BRIDGE",)),
    ]
    assert [chain.name for chain in unreached(table)] == ["DOCKER-ISOLATION-STAGE-1", "DOCKER-ISOLATION-STAGE-2"]


def test_a_chain_names_all_that_lead_to_it() -> None:
    (table,) = tables(
        "*filter\n:FORWARD ACCEPT [0:0]\n:a - [0:0]\n:b - [0:0]\n"
        "-A FORWARD -j a\n-A FORWARD -g b\n-A FORWARD -i x -j b\n-A a -j b\nCOMMIT\n"
    )
    assert [(item.chain.name, item.by) for item in reached_from(table, table.chains[0])] == [
        ("a", ("FORWARD",)),
        ("b", ("a", "FORWARD")),
    ]


def test_loops_end() -> None:
    (table,) = tables(
        "*filter\n:FORWARD ACCEPT [0:0]\n:a - [0:0]\n-A FORWARD -j a\n-A a -j a\n-A a -j FORWARD\nCOMMIT\n"
    )
    assert [item.chain.name for item in reached_from(table, table.chains[0])] == ["a"]
    assert unreached(table) == ()


def test_a_verdict_map_leads_to_chains_too() -> None:
    jump = Element(key=("docker0",), verdict=Verdict(kind="jump", chain="a"))
    other = Element(key=("x",), verdict=Verdict(kind="goto", chain="b"))
    named = NamedSet(name="ways", type="ifname", is_map=True, elements=(other,))
    rules = (
        Rule(number=1, text="", exprs=(VerdictMap(fields=("iif",), elements=(jump,)),)),
        Rule(number=2, text="", exprs=(VerdictMap(fields=("iif",), set="ways"),)),
    )
    base = Chain(name="base", hook="forward", rules=rules)
    chains = (base, Chain(name="a"), Chain(name="b"), Chain(name="c"))
    table = Table(family="inet", name="t", backend="nftables", chains=chains, sets=(named,))
    assert [item.chain.name for item in reached_from(table, base)] == ["a", "b"]
    assert [chain.name for chain in unreached(table)] == ["c"]
    asleep = msgspec.structs.replace(table, dormant=True)
    assert [item.table.dormant for item in in_packet_order(Firewall(tables=(asleep, table)))] == [False]
