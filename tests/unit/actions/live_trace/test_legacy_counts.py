"""Counters of legacy rules before and after: what they prove, and when they prove nothing."""

from __future__ import annotations

from dnet_tui.actions.live_trace.legacy_counts import Counts, has_legacy, moved, read_counts
from unit.builders.factories import docker_like_snapshot

RULE, OTHER, POLICY = ("ip", "filter", "FORWARD", 1), ("ip", "filter", "FORWARD", 2), ("ip", "filter", "FORWARD", 0)


def counts(rule: int, other: int, policy: int, text: str = "-j DROP") -> Counts:
    return {RULE: (text, rule), OTHER: ("-j LOG", other), POLICY: ("accept", policy)}


def test_a_rule_counts_when_its_counter_moved() -> None:
    assert moved(counts(1, 5, 7), counts(2, 5, 9)) == {RULE: True, OTHER: False, POLICY: True}


def test_changed_rules_prove_nothing() -> None:
    after = counts(2, 5, 9)

    assert moved(counts(1, 5, 7, text="-j ACCEPT"), after) == {}
    assert moved({RULE: after[RULE]}, after) == {}


def test_a_namespace_without_legacy_tables_is_not_asked() -> None:
    # Asking would make the tables.
    for namespace in docker_like_snapshot().namespaces:
        assert not has_legacy(namespace)
        assert read_counts(namespace) == {}
