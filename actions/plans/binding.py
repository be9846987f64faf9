"""A plan and the host that it was made for: whether it still is the one, and where its rules belong.  Pure.

Between the question and the answer minutes may pass.  So a plan is made anew
once nobody else of dnet-tui can change the host any more, and only what was
shown is applied.  What other programs do in the moment after that is met by
anchors: a new rule knows its neighbours' texts, not only a number.
"""

from __future__ import annotations

import msgspec

from dnet_tui.actions.plans.operations import AnyAction
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.model import Snapshot, Unread
from dnet_tui.inspect.model.view import View

_Key = tuple[str, str, str, str]


class PlanOutdatedError(ActionFailedError):
    """The host is not any more as it was when the plan was shown; ``plan`` is the one that fits it now."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(
            "the host has changed since the plan was made, and another one fits it now (nothing was changed)",
            "run the command again to see it",
        )
        self.plan = plan


def same_changes(one: Plan, other: Plan) -> bool:
    """Whether two plans make the same changes in the same places; counters and anchors don't count."""
    return [_bare(step) for step in one.steps] == [_bare(step) for step in other.steps]


def _bare(step: PlanStep) -> PlanStep:
    return msgspec.structs.replace(
        step, action=_uncounted(step.action), undo=tuple(_uncounted(item) for item in step.undo)
    )


def _uncounted(action: AnyAction) -> AnyAction:
    if isinstance(action, InsertRule):
        return msgspec.structs.replace(action, packets=0, bytes=0, below="", above="")
    if isinstance(action, DeleteRule):
        return msgspec.structs.replace(action, packets=0, bytes=0)
    return action


def anchored(plan: Plan, snapshot: Snapshot) -> Plan:
    """The plan with each rule that it inserts told by its neighbours, as they stand when its turn has come.

    Chains that were not seen keep their numbers.
    """
    chains = _chains(snapshot)
    steps: list[PlanStep] = []
    for step in plan.steps:
        action = step.action
        if isinstance(action, InsertRule | DeleteRule):
            texts = chains.get(_key(action))
            if texts is not None:
                step = msgspec.structs.replace(step, action=_followed(action, texts))  # noqa: PLW2901
        steps.append(step)
    return msgspec.structs.replace(plan, steps=tuple(steps))


def _followed(action: InsertRule | DeleteRule, texts: list[str]) -> InsertRule | DeleteRule:
    """The change with its anchors; ``texts`` become what the chain is after it."""
    if isinstance(action, DeleteRule):
        if action.spec in texts:
            at = action.position - 1
            same = 0 <= at < len(texts) and texts[at] == action.spec
            del texts[at if same else texts.index(action.spec)]
        return action
    number = action.position if action.position is not None else len(texts) + 1
    if 1 <= number <= len(texts) + 1 and action.position is not None:
        below = texts[number - 2] if number > 1 else ""
        above = texts[number - 1] if number <= len(texts) else ""
        texts.insert(number - 1, action.spec)
        return msgspec.structs.replace(action, below=below, above=above)
    texts.append(action.spec)
    return action


def _key(action: InsertRule | DeleteRule) -> _Key:
    return action.backend, action.family, action.table, action.chain


def _chains(snapshot: Snapshot) -> dict[_Key, list[str]]:
    host = View(snapshot).host
    firewall = None if host is None or isinstance(host.firewall, Unread) else host.firewall
    return {
        (table.backend, table.family, table.name, chain.name): [rule.text for rule in chain.rules]
        for table in (firewall.tables if firewall else ())
        for chain in table.chains
    }
