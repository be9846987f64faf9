"""What an earlier entry's rule had brought, and a later one held, goes with the later one's rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.execution.take_back import take_back
from dnet_tui.actions.journal.captured_state import RuleState
from dnet_tui.actions.journal.entries import Before, Made, RecordedChange, StepLocation
from dnet_tui.actions.journal.journal import opened
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.rule import InsertRule
from unit.builders.fake_host import FakeHost

HERE = StepLocation(netns=1, cookie=7, boot="b")


class Tidying(HostExecutor):
    def __init__(self) -> None:
        super().__init__(FakeHost())
        self.tidied: list[tuple[str, bool]] = []

    def revert(self, change: RecordedChange, *, resumed: bool) -> str:  # noqa: ARG002
        return "deleted"

    def tidy(self, action: InsertRule, *, whole: bool) -> str:
        self.tidied.append((action.chain, whole))
        return ", and more"


def rule(chain: str = "PREROUTING", table: str = "raw") -> InsertRule:
    return InsertRule(backend="iptables-nft", family="ip", table=table, chain=chain, spec="-j DROP", position=1)


def state(*, table: bool, chain: bool) -> RuleState:
    return RuleState(table_existed=table, chain_existed=chain, digest="", position=1, text="-j DROP", same=0)


@pytest.mark.parametrize(
    ("first", "captured", "place", "tidied"),
    [
        (rule(), state(table=False, chain=False), HERE, [("PREROUTING", True)]),
        (rule("OUTPUT"), state(table=False, chain=False), HERE, [("PREROUTING", True)]),
        (rule(), state(table=True, chain=False), HERE, [("PREROUTING", False)]),
        (rule("OUTPUT"), state(table=True, chain=False), HERE, []),
        (rule(), state(table=True, chain=True), HERE, []),
        (rule(table="nat"), state(table=False, chain=False), HERE, []),
        (rule(), state(table=False, chain=False), StepLocation(netns=1, cookie=7, boot="a"), []),
    ],
)
def test_it_goes_with_the_last_rule(
    tmp_path: Path, first: InsertRule, captured: RuleState, place: StepLocation, tidied: list[tuple[str, bool]]
) -> None:
    folder = tmp_path / "state"
    for action, before, where in ((first, captured, place), (rule(), state(table=True, chain=True), HERE)):
        with opened(folder) as journal:
            identity = journal.begin(Plan(title="t", steps=(PlanStep(action=action),)), where)
            journal.write(Before(id=identity, time="", index=0, captured=before))
            journal.write(Made(id=identity, time="", index=0, after=before))
    executor = Tidying()
    with opened(folder) as journal:
        done = take_back(journal, executor, journal.entries[-1])
    assert executor.tidied == tidied
    assert done.notes == ("deleted, and more" if tidied else "deleted",)
