"""A few random pairs of faults at once; ``script/faults pairs`` tries as many as one likes."""

from __future__ import annotations

from lab.faults.matrix import CASES
from lab.faults.pairs import draw, left_out, name_pairs
from lab.hosts import DemoHost

COUNT, SEED = 12, 2026


def test_both_root_causes_of_a_pair_are_named(demo_host: DemoHost) -> None:
    pairs = draw(CASES, demo_host, COUNT, SEED)
    assert len(pairs) == COUNT
    assert [named for named in name_pairs(demo_host, pairs) if named.why] == []


def test_what_is_left_out_has_a_reason_whatever_the_order() -> None:
    assert left_out("isolation-missing", "two-backends")
    assert left_out("two-backends", "isolation-missing")
    assert left_out("masq-missing", "fwd-off-bridge") == ""
