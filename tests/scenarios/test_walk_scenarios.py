"""Recorded packets: the walk must say what the kernel did with them.

Each scenario is a snapshot, packets, and what the kernel did; recorded by
``script/differential --record``.
"""

from __future__ import annotations

import msgspec
import pytest

from lab.differential import scenario
from lab.differential.account import account
from lab.differential.known import KNOWN

NAMES = scenario.names()


@pytest.mark.parametrize("name", NAMES)
def test_the_walk_says_what_the_kernel_did(name: str) -> None:
    kept = scenario.load(name)
    judged = tuple(scenario.judge(kept.probes, kept.seen))
    assert [(item.probe, item.reasons) for item in judged if item.result != "agrees"] == []
    assert tuple(scenario.verdict(item) for item in judged) == kept.spec.packets


@pytest.mark.parametrize("name", NAMES)
def test_a_record_can_tell_a_wrong_walk(name: str) -> None:
    # The kernel's account turned round: a walk that agrees with both would agree with anything.
    kept = scenario.load(name)
    probe = kept.probes[0]
    outcome = next(item for item in kept.seen.outcomes if item.probe == probe.number)
    arrived = account(outcome, "there", probe.origin).where == "arrived"
    sights = tuple(s for s in outcome.sights if s.direction == "there" and s.stage != "input") if arrived else ()
    other = msgspec.structs.replace(outcome, sights=sights)
    if arrived:
        turned = msgspec.structs.replace(kept.seen, outcomes=(other,))
        assert next(scenario.judge((probe,), turned)).result == "wrong"


def test_every_known_host_is_recorded() -> None:
    assert set(KNOWN) <= set(NAMES)
