"""Tables of iptables with rules of nft in them."""

from __future__ import annotations

from dnet_tui.inspect.model.firewall import Chain, NamedSet, Opaque, Rule, Table, Verdict
from dnet_tui.inspect.ruleset.merge_rules import opaque_rules, with_native_rules

SETS = (NamedSet(name="s", type="mark"),)


def rule(number: int, text: str, handle: int) -> Rule:
    return Rule(number=number, text=text, handle=handle)


def table(*rules: Rule, chain: str = "FORWARD") -> Table:
    return Table(family="ip", name="filter", backend="iptables-nft", chains=(Chain(name=chain, rules=rules),))


def test_nfts_rules_take_their_places_and_keep_their_numbers() -> None:
    own = table(rule(1, "-j A", 5), rule(2, "?", 6), rule(3, "-j B", 7))
    native = Table(
        family="ip",
        name="filter",
        backend="nftables",
        sets=SETS,
        chains=(Chain(name="FORWARD", rules=(rule(9, "xt", 5), rule(10, "ip saddr @s drop", 6))),),
    )
    mixed = with_native_rules(own, {6}, native)
    assert [(one.number, one.text) for one in mixed.table.chains[0].rules] == [
        (1, "-j A"),
        (2, "ip saddr @s drop"),
        (3, "-j B"),
    ]
    assert (mixed.table.backend, mixed.table.sets, mixed.lost) == ("iptables-nft", SETS, 0)


def test_a_rule_that_nft_does_not_show_or_shows_elsewhere_is_lost() -> None:
    own = table(rule(1, "?", 5), rule(2, "?", 6))
    elsewhere = table(rule(1, "drop", 5), chain="INPUT")
    for native in (None, elsewhere):
        mixed = with_native_rules(own, {5, 6}, native)
        assert mixed.lost == 2
        assert mixed.table.chains == own.chains


def test_rules_with_something_opaque_are_counted_once() -> None:
    both = Rule(number=1, text="", exprs=(Opaque(text="a"), Opaque(text="b", role="target")))
    plain = Rule(number=2, text="", exprs=(Verdict(kind="drop"),))
    assert opaque_rules(table(both, plain)) == 1
