"""Reading whole ``iptables-save`` texts: tables, hooks, counters, and lines that can't be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.iptables.save_text import IptablesFamily, parse_save, parse_save_report
from dnet_tui.inspect.model.firewall import Chain, Match, Nat, Opaque, SetMark, StatefulMatch, Table, Verdict
from unit.builders.examples import examples

DATA = Path(__file__).parents[2] / "data"
SAMPLES = sorted(DATA.glob("ip*tables_*.save"))


def read(text: str, family: IptablesFamily = "ip") -> tuple[Table, ...]:
    return parse_save(text, backend="iptables-nft", family=family)


def sample(name: str) -> dict[str, dict[str, Chain]]:
    tables = read((DATA / name).read_text(), "ip6" if name.startswith("ip6") else "ip")
    return {table.name: {chain.name: chain for chain in table.chains} for table in tables}


def filter_with(*lines: str) -> str:
    return "\n".join(["*filter", ":FORWARD ACCEPT [0:0]", ":web - [0:0]", *lines, "COMMIT", ""])


def test_there_are_samples_of_every_kind_of_host() -> None:
    assert {path.name for path in SAMPLES} >= {
        "iptables_docker_20_10.save",
        "iptables_docker_28.save",
        "iptables_netavark.save",
        "iptables_guards.save",
        "iptables_kube_proxy.save",
        "ip6tables_docker.save",
    }


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_rule_of_every_sample_is_kept_in_order_with_its_text(path: Path) -> None:
    text = path.read_text()
    tables = read(text, "ip6" if path.name.startswith("ip6") else "ip")
    kept = [
        f"[{rule.packets}:{rule.bytes}] -A {chain.name}{' ' if rule.text else ''}{rule.text}"
        for table in tables
        for chain in table.chains
        for rule in chain.rules
    ]
    assert sorted(kept) == sorted(line for line in text.splitlines() if " -A " in line)
    for table in tables:
        for chain in table.chains:
            assert [rule.number for rule in chain.rules] == list(range(1, len(chain.rules) + 1))


def test_base_chains_know_their_hooks_priorities_types_and_policies() -> None:
    found = {
        (table.name, chain.name): (chain.hook, chain.priority, chain.type, chain.policy)
        for table in read((DATA / "iptables_guards.save").read_text())
        for chain in table.chains
        if chain.hook
    }
    assert found == {
        ("raw", "PREROUTING"): ("prerouting", -300, "filter", "accept"),
        ("raw", "OUTPUT"): ("output", -300, "filter", "accept"),
        ("mangle", "PREROUTING"): ("prerouting", -150, "filter", "accept"),
        ("mangle", "INPUT"): ("input", -150, "filter", "accept"),
        ("mangle", "FORWARD"): ("forward", -150, "filter", "accept"),
        ("mangle", "OUTPUT"): ("output", -150, "route", "accept"),
        ("mangle", "POSTROUTING"): ("postrouting", -150, "filter", "accept"),
        ("nat", "PREROUTING"): ("prerouting", -100, "nat", "accept"),
        ("nat", "INPUT"): ("input", 100, "nat", "accept"),
        ("nat", "OUTPUT"): ("output", -100, "nat", "accept"),
        ("nat", "POSTROUTING"): ("postrouting", 100, "nat", "accept"),
        ("filter", "INPUT"): ("input", 0, "filter", "drop"),
        ("filter", "FORWARD"): ("forward", 0, "filter", "drop"),
        ("filter", "OUTPUT"): ("output", 0, "filter", "accept"),
    }


def test_the_security_table_comes_after_filter() -> None:
    (table,) = read("*security\n:FORWARD ACCEPT [0:0]\nCOMMIT\n")
    assert (table.chains[0].hook, table.chains[0].priority) == ("forward", 50)


def test_a_user_chain_that_is_called_like_a_hook_is_none() -> None:
    (table,) = read("*nat\n:FORWARD - [0:0]\nCOMMIT\n")
    assert table.chains[0].hook is None


def test_docker_publishes_and_masquerades() -> None:
    nat = sample("iptables_docker_20_10.save")["nat"]
    assert nat["DOCKER"].rules[2].exprs == (
        Match(field="iif", values=("docker0",), negate=True),
        Match(field="proto", values=("tcp",)),
        Match(field="dport", values=("8080",)),
        Nat(kind="dnat", addresses="172.17.0.2", ports="80"),
    )
    assert nat["POSTROUTING"].rules[1].exprs == (
        Match(field="saddr", values=("172.17.0.0/16",)),
        Match(field="oif", values=("docker0",), negate=True),
        Nat(kind="masquerade"),
    )


def test_docker_28_drops_direct_access_in_raw_and_jumps_to_its_own_chains() -> None:
    tables = sample("iptables_docker_28.save")
    assert tables["raw"]["PREROUTING"].rules[0].exprs == (
        Match(field="daddr", values=("172.17.0.2/32",)),
        Match(field="iif", values=("docker0",), negate=True),
        Verdict(kind="drop"),
    )
    assert tables["filter"]["FORWARD"].rules[1].exprs == (Verdict(kind="jump", chain="DOCKER-FORWARD"),)
    assert tables["filter"]["FORWARD"].rules[1].packets == 40
    assert tables["filter"]["FORWARD"].rules[1].bytes == 3360
    assert (tables["filter"]["INPUT"].packets, tables["filter"]["INPUT"].bytes) == (10, 840)


def test_netavark_marks_what_it_masquerades() -> None:
    nat = sample("iptables_netavark.save")["nat"]
    assert nat["NETAVARK-HOSTPORT-SETMARK"].rules[0].exprs == (SetMark(value=0x2000, mask=0x2000),)
    masquerade = nat["NETAVARK-HOSTPORT-MASQ"].rules[0]
    assert masquerade.comment == "netavark portfw masq mark"
    assert Match(field="mark", values=("0x2000/0x2000",)) in masquerade.exprs


def test_kube_proxy_chooses_by_chance() -> None:
    rule = sample("iptables_kube_proxy.save")["nat"]["KUBE-SVC-NPX46M4PTMTKRN6Y"].rules[0]
    text = "-m statistic --mode random --probability 0.50000000000"
    assert StatefulMatch(text=text, first=True, words="for one packet of 2, by chance", chance=True) in rule.exprs
    assert rule.exprs[-1] == Verdict(kind="jump", chain="KUBE-SEP-4IHZQYTVIYQHBEKN")


def test_comments_come_out_of_their_quotes() -> None:
    rules = sample("iptables_guards.save")["filter"]["ufw-user-input"].rules
    assert [rule.comment for rule in rules] == ["'dapp_OpenSSH'", 'web "front" \\ back', ""]


def test_ipv6_destinations_lose_their_brackets() -> None:
    rules = sample("ip6tables_docker.save")["nat"]["DOCKER"].rules
    assert [rule.exprs[-1] for rule in rules] == [
        Nat(kind="dnat", addresses="fd00:1::2", ports="80"),
        Nat(kind="dnat", addresses="fd00:1::3-fd00:1::5"),
    ]


def test_without_counters_there_are_none() -> None:
    (table,) = read(filter_with("-A FORWARD -j DROP"))
    assert table.chains[0].rules[0].packets is None
    assert table.chains[0].rules[0].text == "-j DROP"


def test_a_bad_rule_keeps_its_place_and_its_neighbours() -> None:
    text = filter_with("-A FORWARD -j web", '-A FORWARD -m comment --comment "open -j DROP', "-A FORWARD -j ACCEPT")
    tables, problems = parse_save_report(text, backend="iptables-nft", family="ip")
    rules = tables[0].chains[0].rules
    assert [rule.number for rule in rules] == [1, 2, 3]
    assert [expr.role for expr in rules[1].exprs if isinstance(expr, Opaque)] == ["match", "target"]
    assert rules[0].exprs == (Verdict(kind="jump", chain="web"),)
    assert rules[2].exprs == (Verdict(kind="accept"),)
    (problem,) = problems
    assert (problem.line, problem.table, problem.contained) == (5, "filter", True)
    assert "quote" in problem.reason
    with pytest.raises(DnetError, match="line 5"):
        read(text)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("-A nowhere -j DROP", "isn't declared: nowhere"),
        ("-X web", "neither a chain nor a rule"),
        ("[1:2 -A FORWARD -j DROP", "neither a chain nor a rule"),
        (":web", "not a chain's declaration"),
        (":web - [0:0]", "declared twice"),
        (":odd ACCEPT [0:0]", "not attached"),
    ],
)
def test_a_line_without_a_place_is_a_problem_of_its_table(line: str, reason: str) -> None:
    tables, problems = parse_save_report(
        filter_with(line, "-A FORWARD -j ACCEPT"), backend="iptables-legacy", family="ip"
    )
    (problem,) = problems
    assert reason.replace("not attached", "isn't attached") in problem.reason
    assert (problem.line, problem.table, problem.contained) == (4, "filter", False)
    assert len(tables[0].chains[0].rules) == 1, "the neighbour is read"


def test_a_truncated_dump_is_a_problem() -> None:
    tables, problems = parse_save_report("*nat\n:OUTPUT ACCEPT [0:0]\n", backend="iptables-nft", family="ip")
    assert [table.name for table in tables] == ["nat"]
    assert ["COMMIT" in problem.reason for problem in problems] == [True]


def test_a_table_that_begins_inside_another_is_a_problem_of_the_first() -> None:
    text = "*nat\n:OUTPUT ACCEPT [0:0]\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
    tables, problems = parse_save_report(text, backend="iptables-nft", family="ip")
    assert [table.name for table in tables] == ["nat", "filter"]
    assert [problem.table for problem in problems] == ["nat"]


def test_a_rule_outside_of_any_table_is_a_problem() -> None:
    _, problems = parse_save_report("-A FORWARD -j DROP\n", backend="iptables-nft", family="ip")
    assert [problem.reason for problem in problems] == ["outside of any table"]


def test_comments_and_empty_lines_are_no_problem() -> None:
    assert read("# Generated by iptables-save\n\n# Table `nat' is incompatible, use 'nft' tool.\n\n") == ()


WORDS = st.sampled_from(
    ["-A", "FORWARD", "-m", "tcp", "!", "-p", "--dport", "-j", '"', "\\", "--comment", "COMMIT", "*filter", "-s", "\n"]
)


@settings(max_examples=examples(150), deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=30).map(" ".join)))
def test_no_text_whatever_crashes_the_parser(text: str) -> None:
    tables, _ = parse_save_report(filter_with("-A FORWARD " + text), backend="iptables-nft", family="ip")
    assert tables


@settings(max_examples=examples(50), deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_whatever_crash_the_parser(data: bytes) -> None:
    parse_save_report(data.decode("utf-8", "backslashreplace"), backend="iptables-nft", family="ip")
