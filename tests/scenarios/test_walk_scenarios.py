"""Recorded packets: the walk must say what the kernel did with them.

Each file holds a snapshot, packets, and what the kernel did; recorded by
``script/differential``.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lab.differential.account import account
from lab.differential.known import KNOWN
from lab.differential.scenario import FOLDER, judge, load

FILES = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_walk_says_what_the_kernel_did(path: Path) -> None:
    for judgement in judge(load(path)):
        assert judgement.result == "agrees", (judgement.probe, judgement.reasons)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_record_can_tell_a_wrong_walk(path: Path) -> None:
    # The kernel's account turned round: a walk that agrees with both would agree with anything.
    scenario = load(path)
    probe = scenario.probes[0]
    outcome = next(item for item in scenario.seen.outcomes if item.probe == probe.number)
    arrived = account(outcome, "there", probe.origin).where == "arrived"
    sights = tuple(s for s in outcome.sights if s.direction == "there" and s.stage != "input") if arrived else ()
    other = msgspec.structs.replace(outcome, sights=sights)
    seen = msgspec.structs.replace(scenario.seen, outcomes=(other,))
    turned = msgspec.structs.replace(scenario, seen=seen, probes=(probe,))
    if arrived:
        assert next(judge(turned)).result == "wrong"


def test_every_known_host_is_recorded() -> None:
    assert set(KNOWN) <= {path.stem for path in FILES}
