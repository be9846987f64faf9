"""A few random pairs of faults at once; ``script/faults pairs`` tries as many as one likes."""

from __future__ import annotations

from lab.faults.matrix import CASES
from lab.faults.pairs import left_out, name_pairs, shuffled
from lab.machines.hosts import DemoHost

COUNT, SEED = 12, 2026


def test_both_root_causes_of_a_pair_are_named(demo_host: DemoHost) -> None:
    named = list(name_pairs(demo_host, shuffled(CASES, demo_host, SEED), COUNT))
    assert len(named) == COUNT
    assert [pair for pair in named if pair.why] == []


def test_what_is_left_out_has_a_reason_whatever_the_order() -> None:
    assert left_out("isolation-missing", "two-backends")
    assert left_out("two-backends", "isolation-missing")
    assert left_out("masq-missing", "fwd-off-bridge") == ""
