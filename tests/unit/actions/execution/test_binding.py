"""A plan is applied to the host that it was shown for, and its rules go where they belong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dnet_tui.actions.changes.chains import find_between
from dnet_tui.actions.execution.apply import apply_plan
from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.journal.entries import StepLocation
from dnet_tui.actions.journal.journal import opened, read
from dnet_tui.actions.plans.binding import PlanOutdatedError, anchored, same_changes
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.inspect.errors import ActionFailedError, UsageError
from unit.builders.factories import docker_like_snapshot
from unit.builders.fake_host import FakeHost

FORWARD: dict[str, Any] = {"backend": "iptables-nft", "family": "ip", "table": "filter", "chain": "FORWARD"}


def insert(spec: str, position: int | None, **more: Any) -> PlanStep:
    return PlanStep(action=InsertRule(**FORWARD, spec=spec, position=position, **more))


def plan(*steps: PlanStep) -> Plan:
    return Plan(title="t", steps=steps)


def attempt(host: FakeHost, folder: Path, shown: Plan, current: Plan) -> None:
    def again() -> Plan:
        with pytest.raises(ActionFailedError, match="another dnet-tui"), opened(folder, patience=0):
            pass  # the lock is held while the host is looked at
        return current

    apply_plan(shown, HostExecutor(host), folder, again, place=lambda: StepLocation(netns=1))


def test_a_plan_that_fits_another_host_is_not_applied(tmp_path: Path) -> None:
    host = FakeHost()
    host.chains["filter", "FORWARD"] = [("-j ACCEPT", 0, 0)]
    current = plan(insert("-j DROP", 2))
    with pytest.raises(PlanOutdatedError) as outdated:
        attempt(host, tmp_path, plan(insert("-j DROP", 1)), current)
    assert outdated.value.plan == current
    assert (host.log, read(tmp_path)) == ([], ((), 0))


def test_counters_and_anchors_make_no_other_plan(tmp_path: Path) -> None:
    host = FakeHost()
    host.chains["filter", "FORWARD"] = [("-j ACCEPT", 9, 0)]
    shown = plan(PlanStep(action=DeleteRule(**FORWARD, spec="-j ACCEPT", position=1, packets=1)), insert("-j DROP", 1))
    current = plan(
        PlanStep(action=DeleteRule(**FORWARD, spec="-j ACCEPT", position=1, packets=9)),
        insert("-j DROP", 1, above="-j X"),
    )
    assert same_changes(shown, current)
    attempt(host, tmp_path, shown, plan(current.steps[0], insert("-j DROP", 1)))
    assert host.texts("filter", "FORWARD") == ["-j DROP"]


def test_what_can_not_be_planned_any_more_is_not_done(tmp_path: Path) -> None:
    host = FakeHost()

    def again() -> Plan:
        raise UsageError("there is no network named front")

    with pytest.raises(UsageError, match="no network"):
        apply_plan(plan(insert("-j DROP", 1)), HostExecutor(host), tmp_path, again)
    assert (host.log, read(tmp_path)) == ([], ((), 0))


PLACES = {
    "as it was": (["A", "U", "Z"], 3, "U", "Z", 3),
    "a rule above came": (["N", "A", "U", "Z"], 3, "U", "Z", 4),
    "a rule between came": (["A", "U", "N", "Z"], 3, "U", "Z", 3),
    "the one below is gone": (["A", "U"], 3, "U", "Z", 3),
    "the one above is gone": (["A", "Z"], 3, "U", "Z", 2),
    "both are gone": (["A"], 2, "U", "Z", 0),
    "they have changed places": (["Z", "U"], 3, "U", "Z", 0),
    "twins": (["U", "U"], 2, "U", "Z", 0),
    "at the top": (["N", "Z"], 1, "", "Z", 1),
    "at the end": (["N", "U"], 2, "U", "", 3),
    "at the end, below a rule that is printed otherwise": (["N", "U"], 3, "u", "", 3),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_rule_goes_between_its_neighbours(case: str) -> None:
    texts, position, below, above, wanted = PLACES[case]
    assert find_between(texts, position, below, above) == wanted


def test_a_rule_stays_below_the_jump_that_someone_has_pushed_down(tmp_path: Path) -> None:
    host = FakeHost()
    host.chains["filter", "FORWARD"] = [("-j DOCKER-USER", 0, 0), ("-j ACCEPT", 0, 0)]

    def intrude(words: tuple[str, ...]) -> None:
        if words[0].endswith("-save"):
            host.before_run = lambda _: None
            host.chains["filter", "FORWARD"].insert(0, ("-s 203.0.113.9 -j DROP", 0, 0))

    host.before_run = intrude
    shown = plan(insert("-i br1 -j ACCEPT", 2, below="-j DOCKER-USER", above="-j ACCEPT"))
    apply_plan(shown, HostExecutor(host), tmp_path, place=lambda: StepLocation(netns=1))
    assert host.texts("filter", "FORWARD")[1:3] == ["-j DOCKER-USER", "-i br1 -j ACCEPT"]


def test_anchors_are_the_neighbours_at_their_turn() -> None:
    snapshot = docker_like_snapshot()
    first, second = (
        step.action
        for step in anchored(plan(insert("-i br1 -j ACCEPT", 2), insert("-i br1 -j DROP", 3)), snapshot).steps
    )
    assert isinstance(first, InsertRule)
    assert isinstance(second, InsertRule)
    assert second.below == "-i br1 -j ACCEPT"
    assert second.above == first.above != ""
    assert first.below not in ("", "-i br1 -j ACCEPT")
