"""Counters as rates, and when there is none to tell."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dnet_tui.diagnostics.difference.rates import LinkRate, Rates, RuleRate, counted, spoken
from dnet_tui.inspect.model import Link, LinkRef, LinkStats, Namespace, Snapshot, Unread
from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, Table

HOST = "net:[1]"
ETH0 = LinkRef(namespace=HOST, ifindex=2)


def host(packets: int, *rules: Rule, name: str = "eth0", **more: Any) -> Snapshot:
    stats = LinkStats(rx_packets=packets, rx_bytes=packets * 100, tx_packets=2 * packets, tx_bytes=packets)
    chain = Chain(name="FORWARD", hook="forward", rules=rules, packets=packets, bytes=packets)
    table = Table(family="ip", name="filter", backend="iptables-nft", chains=(chain,))
    ns = Namespace(
        id=HOST,
        inode=1,
        kind="host",
        links=(Link(ifindex=2, name=name, stats=stats),),
        firewall=Firewall(tables=(table,)),
        **more,
    )
    return Snapshot(namespaces=(ns,), taken_at="2026-11-21T10:00:20+00:00")


def rule(number: int, packets: int | None, text: str = "-j ACCEPT", handle: int | None = None) -> Rule:
    return Rule(number=number, text=text, packets=packets, bytes=packets and packets * 10, handle=handle)


def rule_rate(before: Snapshot, after: Snapshot, number: int = 1, seconds: float = 2.0) -> RuleRate | None:
    firewall = after.namespaces[0].firewall
    assert firewall is not None
    table = firewall.tables[0]
    return Rates(before, after, seconds).rule(HOST, table, table.chains[0], table.chains[0].rules[number - 1])


def test_a_links_counters_become_rates() -> None:
    assert Rates(host(100), host(120), 4.0).link(ETH0) == LinkRate(
        rx_packets=5.0, rx_bytes=500.0, tx_packets=10.0, tx_bytes=5.0, seconds=4.0
    )


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        (host(100), host(90), 4.0),  # the counters began anew
        (host(100), host(120), 0.1),  # too soon to say
        (host(100), host(120, name="eth1"), 4.0),  # another device with its number
        (host(100), host(120, read_at="2026-11-21T10:00:00+00:00"), 4.0),  # taken over, not read
        (Snapshot(), host(120), 4.0),
    ],
)
def test_a_link_without_two_comparable_readings_has_no_rate(before: Snapshot, after: Snapshot, seconds: float) -> None:
    assert Rates(before, after, seconds).link(ETH0) is None


def test_a_rules_matches_become_a_rate() -> None:
    assert rule_rate(host(0, rule(1, 10)), host(0, rule(1, 16))) == RuleRate(packets=3.0, bytes=30.0, seconds=2.0)


def test_a_rule_is_found_again_behind_another_one() -> None:
    after = host(0, rule(1, 0, "-j DROP"), rule(2, 16))

    assert rule_rate(host(0, rule(1, 10)), after, 2) == RuleRate(packets=3.0, bytes=30.0, seconds=2.0)
    assert rule_rate(host(0, rule(1, 10)), after, 1) is None


def test_of_equal_rules_the_same_occurrence_is_compared_if_their_number_is_the_same() -> None:
    two = host(0, rule(1, 10), rule(2, 20))

    assert rule_rate(two, host(0, rule(1, 10), rule(2, 24)), 2) == RuleRate(packets=2.0, bytes=20.0, seconds=2.0)
    assert rule_rate(two, host(0, rule(1, 24)), 1) is None


def test_a_handle_tells_equal_rules_apart() -> None:
    before = host(0, rule(1, 10, handle=7), rule(2, 20, handle=8))
    after = host(0, rule(1, 24, handle=8))

    assert rule_rate(before, after) == RuleRate(packets=2.0, bytes=20.0, seconds=2.0)
    assert rule_rate(before, host(0, rule(1, 24, "-j DROP", handle=8))) is None


@pytest.mark.parametrize("packets", [None, 5])
def test_a_rule_that_is_not_counted_or_began_anew_has_no_rate(packets: int | None) -> None:
    assert rule_rate(host(0, rule(1, 10)), host(0, rule(1, packets))) is None


def test_rules_taken_over_have_no_rate_and_then_one_since_they_were_read() -> None:
    stale = host(0, rule(1, 10), firewall_at="2026-11-21T10:00:00+00:00")

    assert rule_rate(host(0, rule(1, 10)), stale) is None
    assert rule_rate(stale, host(0, rule(1, 30))) == RuleRate(packets=1.0, bytes=10.0, seconds=20.0)
    just = msgspec.structs.replace(stale.namespaces[0], firewall_at="2026-11-21T10:00:18+00:00")
    assert rule_rate(msgspec.structs.replace(stale, namespaces=(just,)), host(0, rule(1, 30))) is None


def test_a_policys_matches_become_a_rate() -> None:
    before, after = host(100), host(104)
    firewall = after.namespaces[0].firewall
    assert firewall is not None
    table = firewall.tables[0]

    assert Rates(before, after, 2.0).policy(HOST, table, table.chains[0]) == RuleRate(
        packets=2.0, bytes=2.0, seconds=2.0
    )


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0, "", "0/s"), (0.5, "", "0.5/s"), (12.0, "", "12/s"), (1234.0, "", "1.2k/s"), (12345.0, "", "12k/s"),
     (3400.0, "B", "3.4 kB/s"), (0.0, "B", "0 B/s"), (5e9, "B", "5 GB/s")],
)  # fmt: skip
def test_rates_are_spoken_in_few_characters(value: float, unit: str, text: str) -> None:
    assert spoken(value, unit) == text


def test_what_is_kept_of_an_earlier_snapshot_says_the_same_and_no_more() -> None:
    text = "-s 10.0.0.0/8 -j ACCEPT"
    before, after = host(100, rule(1, 5, text), rule(2, 1)), host(120, rule(1, 9, text[:5] + text[5:]), rule(2, 1))
    kept = counted(before, after)
    assert Rates(kept, after, 4.0).link(ETH0) == Rates(before, after, 4.0).link(ETH0) is not None
    for number in (1, 2):
        assert rule_rate(kept, after, number) == rule_rate(before, after, number) is not None
    table = after.namespaces[0].firewall.tables[0]
    chain = table.chains[0]
    assert Rates(kept, after, 4.0).policy(HOST, table, chain) == Rates(before, after, 4.0).policy(HOST, table, chain)
    slim = kept.namespaces[0].firewall.tables[0].chains[0].rules[0]
    assert slim.text is chain.rules[0].text
    assert not slim.exprs


def test_what_was_taken_over_or_not_read_has_no_rate_either_way() -> None:
    before, after = host(100, rule(1, 5)), host(120, rule(1, 9), read_at="2026-11-21T10:00:00+00:00")
    assert rule_rate(counted(before, after), after) is rule_rate(before, after) is None
    unread = msgspec.structs.replace(before.namespaces[0], firewall=Unread(reason="no right"))
    earlier = msgspec.structs.replace(before, namespaces=(unread,))
    assert rule_rate(counted(earlier, host(120, rule(1, 9))), host(120, rule(1, 9))) is None
