from __future__ import annotations

import msgspec
import pytest

from dnet_tui.inspect.model import Snapshot, Unread
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.coverage.sections import NOT_READ
from dnet_tui.inspect.model.firewall import Chain, Firewall, Opaque, Rule, Table, UnreadTable, Verdict
from dnet_tui.tui.app.present import rules_detail, rules_rows
from dnet_tui.tui.app.present.styled_text import plain
from unit.builders.factories import HOST, WEB, docker_like_snapshot, with_chain, with_gaps, with_namespace


def lines(snapshot: Snapshot, namespace: str = "") -> list[str]:
    return ["  ".join(plain(cell) for cell in row.cells) for row in rules_rows.rows(snapshot, namespace)]


def detail(snapshot: Snapshot, row: str) -> str:
    return "\n".join(plain(para.line) for para in rules_detail.detail(snapshot, "", row))


def row_with(snapshot: Snapshot, text: str) -> str:
    found = rules_rows.rows(snapshot)
    return next(row.id for row in found if text in "".join(plain(cell) for cell in row.cells))


def test_base_chains_come_by_hook_and_the_called_ones_after_them() -> None:
    found = lines(docker_like_snapshot())
    heads = [text.split("  ")[0] for text in found if text.startswith(("hook ", "called "))]
    assert heads == [
        "hook prerouting",
        "hook input",
        "hook forward",
        "hook output",
        "hook postrouting",
        "called chains",
    ]
    assert found.index("FORWARD policy drop  ip filter iptables-nft prio 0") < found.index(
        "DOCKER  ip filter iptables-nft"
    )


def test_a_rule_shows_number_counter_action_and_condition() -> None:
    snapshot = docker_like_snapshot()
    forward = next(c for c in snapshot.namespaces[0].firewall.tables[0].chains if c.name == "FORWARD")
    rules = (
        Rule(number=1, text="-i docker0 -j DROP", exprs=(Verdict(kind="drop"),), packets=1234567, bytes=9),
        Rule(number=2, text="-j DOCKER-USER", exprs=(Verdict(kind="jump", chain="DOCKER-USER"),)),
    )
    found = lines(with_chain(snapshot, "filter", msgspec.structs.replace(forward, rules=rules)))
    assert "   1 1234k DROP     -i docker0" in found
    assert "   2     - → DOCKER-USER any packet" in found


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (99999, "99999"), (100000, "100k"), (9999999, "9999k"), (10_000_000, "10M"), (10**15, "1000T")],
)
def test_counts_take_five_characters_at_most(number: int, shown: str) -> None:
    assert rules_rows.short(number) == shown
    assert len(shown) <= 5


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("-i docker0 -j DROP", ("-i docker0", "DROP")),
        ("-j DNAT --to-destination 10.0.0.2:80", ("", "DNAT --to-destination 10.0.0.2:80")),
        ('-m comment --comment "not -j ACCEPT" -j DROP', ('-m comment --comment "not -j ACCEPT"', "DROP")),
        (r'-m comment --comment "a \" -j b" -g X', (r'-m comment --comment "a \" -j b"', "X")),
        ("-i x-j y", ("-i x-j y", "")),
    ],
)
def test_the_target_is_told_from_the_conditions(text: str, parts: tuple[str, str]) -> None:
    assert rules_rows.split_target(text) == parts


def test_ids_are_unique_even_for_two_rules_of_one_text() -> None:
    snapshot = docker_like_snapshot()
    twice = tuple(Rule(number=number, text="-j DROP", exprs=(Verdict(kind="drop"),)) for number in (1, 2))
    snapshot = with_chain(snapshot, "filter", Chain(name="DOCKER-USER", rules=twice))
    ids = [row.id for row in rules_rows.rows(snapshot)]
    assert len(ids) == len(set(ids))
    second = next(ident for ident in ids if ident.endswith(":2:-j DROP"))
    found = rules_rows.find(snapshot, "", second)
    assert found is not None
    assert found.rule is twice[1]


def test_a_jump_leads_to_the_chain_of_its_own_table() -> None:
    snapshot = docker_like_snapshot()
    found = rules_rows.find(snapshot, "", row_with(snapshot, "-m addrtype --dst-type LOCAL"))
    assert found is not None
    assert rules_rows.jump_target(found) == "chain:iptables-nft:ip:nat:DOCKER"


def test_an_accept_leads_nowhere_and_so_does_a_jump_to_a_chain_that_is_missing() -> None:
    snapshot = docker_like_snapshot()
    table = snapshot.namespaces[0].firewall.tables[0]
    place = rules_rows.RulePosition(table, table.chains[0])
    for verdict in (Verdict(kind="accept"), Verdict(kind="jump", chain="GONE")):
        rule = Rule(number=1, text="", exprs=(verdict,))
        assert rules_rows.jump_target(rules_rows.Found(place, rule)) == ""


def test_a_rules_detail_is_its_text_a_sentence_and_where_it_leads() -> None:
    snapshot = docker_like_snapshot()
    told = detail(snapshot, row_with(snapshot, "→ DOCKER-ISOLATION-STAGE-1"))
    assert "-j DOCKER-ISOLATION-STAGE-1" in told
    assert "Leads to DOCKER-ISOLATION-STAGE-1" in told
    assert "1 -i br-app ! -o br-app -j DOCKER-ISOLATION-STAGE-2" in told
    assert told.splitlines()[1].endswith(".")


def test_what_cannot_be_evaluated_is_said() -> None:
    opaque = Rule(
        number=1, text="-m statistic --mode random -j DROP", exprs=(Opaque(text="-m statistic --mode random"),)
    )
    snapshot = with_chain(docker_like_snapshot(), "filter", Chain(name="DOCKER-USER", rules=(opaque,)))
    told = detail(snapshot, row_with(snapshot, "-m statistic"))
    assert "Not evaluated by dnet-tui" in told


def test_a_called_chain_names_its_callers_and_an_orphan_says_that_nothing_comes_there() -> None:
    snapshot = docker_like_snapshot()
    assert "FORWARD 1" in detail(snapshot, "chain:iptables-nft:ip:filter:DOCKER-USER")
    table = Table(family="ip", name="x", backend="nftables", chains=(Chain(name="orphan"),))
    snapshot = with_namespace(snapshot, HOST, firewall=Firewall(tables=(table,)))
    assert "nowhere" in detail(snapshot, "chain:nftables:ip:x:orphan")


def test_a_table_that_was_not_read_is_a_row_and_not_an_absence() -> None:
    unread = UnreadTable(family="ip", name="filter", backend="iptables-legacy", reason="permission denied")
    snapshot = with_namespace(docker_like_snapshot(), HOST, firewall=Firewall(unread=(unread,)))
    assert lines(snapshot) == ["? ip filter (iptables-legacy) not seen: permission denied"]
    assert "permission denied" in detail(snapshot, "unread:ip filter (iptables-legacy)")


def test_a_firewall_that_was_not_read_gives_the_gaps_reason() -> None:
    snapshot = with_namespace(docker_like_snapshot(), HOST, firewall=Unread(reason=NOT_READ))
    snapshot = with_gaps(
        snapshot, Gap(section="firewall", scope=HOST, reason="nft: not found", hint="install nftables")
    )
    assert lines(snapshot) == ["? not seen: nft: not found"]
    assert "install nftables" in detail(snapshot, "unread")


def test_only_namespaces_with_rules_can_be_looked_into() -> None:
    snapshot = docker_like_snapshot()
    assert [ns.id for ns in rules_rows.namespaces(snapshot)] == [HOST]
    table = Table(family="ip", name="nat", backend="iptables-nft", chains=(Chain(name="DOCKER_OUTPUT"),))
    snapshot = with_namespace(snapshot, WEB, firewall=Firewall(tables=(table,)))
    assert [ns.id for ns in rules_rows.namespaces(snapshot)] == [HOST, WEB]
    assert lines(snapshot, WEB) == ["called chains  others jump to them", "DOCKER_OUTPUT  ip nat iptables-nft empty"]
    assert lines(snapshot, "net:[gone]") == lines(snapshot, HOST)
