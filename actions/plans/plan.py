"""Plans: what would be done, with what undo, before anything is touched.  Pure.

A plan is made from a finding's remedy or from a create action
(:mod:`dnet_tui.actions.networks.engine_networks`), shown as text, confirmed, and only then
given to :mod:`dnet_tui.actions.execution.apply`.
"""

from __future__ import annotations

import shlex

import msgspec

from dnet_tui.actions.plans.boot_files import WriteFile
from dnet_tui.actions.plans.operations import AnyAction
from dnet_tui.diagnostics.operations.base import Argv, ProgramOperation
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy, Risk
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.inspect.model.rule_writers.owner import DecisionOwner
from dnet_tui.inspect.text.sanitize import clean

_WIDE = 4096
"""Commands are shown whole: a cut command can't be judged."""


class PlanStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change.  ``undo`` shows how it is taken back, and *is* how a :class:`ProgramOperation` is taken back.

    For the others the undo that runs is derived from the state captured just
    before the change, so it is exact even when the host moved on since the
    plan was made.  ``covered``: an operation that is taken back together with
    an earlier one, by that one's undo.
    """

    action: AnyAction
    undo: tuple[AnyAction, ...] = ()
    covered: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A titled sequence of steps, in order.  ``notes`` are for the reader, one paragraph each."""

    title: str
    steps: tuple[PlanStep, ...] = ()
    risk: Risk = "ask"
    persists: bool = False
    notes: tuple[str, ...] = ()
    overrides: DecisionOwner | None = None
    """Whose decision it changes: then it is made only where that was asked for."""

    @property
    def operations(self) -> tuple[AnyAction, ...]:
        """The changes in the order they are made."""
        return tuple(step.action for step in self.steps)

    @property
    def undo(self) -> tuple[AnyAction, ...]:
        """The stated undo, in the order it would run: last change first."""
        return tuple(action for step in reversed(self.steps) for action in step.undo)


def plan_for(finding: Finding) -> Plan | None:
    """Return the plan that puts ``finding`` right, None when it has no remedy with steps."""
    remedy = finding.remedy
    if remedy is None or not remedy.steps:
        return None
    restored = {item.key: item for item in remedy.undo if isinstance(item, SetSysctl)}
    steps: list[PlanStep] = []
    by_program = iter(_by_program(remedy))
    for operation in remedy.steps:
        if isinstance(operation, ProgramOperation):
            steps.append(next(by_program))
        elif isinstance(operation, SetSysctl) and operation.key in restored:
            steps.append(PlanStep(action=operation, undo=(restored[operation.key],)))
        else:
            steps.append(PlanStep(action=operation))
    return Plan(
        title=f"{finding.check}: {remedy.summary}",
        steps=tuple(steps),
        risk=remedy.risk,
        persists=remedy.persists,
        notes=(remedy.note,) if remedy.note else (),
        overrides=remedy.overrides,
    )


def _by_program(remedy: Remedy) -> tuple[PlanStep, ...]:
    """The steps that programs make, each with what takes it back; undo is stated in the order it runs.

    As many of the one as of the other are pairs.  Otherwise all of the undo
    hangs on the first: it runs once, when everything that came after that has
    been taken back.
    """
    made = [item for item in remedy.steps if isinstance(item, ProgramOperation)]
    undo = tuple(item for item in remedy.undo if isinstance(item, ProgramOperation))
    if len(made) == len(undo):
        return tuple(PlanStep(action=one, undo=(back,)) for one, back in zip(made, reversed(undo), strict=True))
    return tuple(
        PlanStep(action=one, undo=() if number else undo, covered=bool(number and undo))
        for number, one in enumerate(made)
    )


def command_lines(plan: Plan) -> tuple[str, ...]:
    """Return the commands of ``plan``, one a line, quoted as a shell would want them typed."""
    return tuple(line(words) for step in plan.steps for words in step.action.commands())


def undo_lines(plan: Plan) -> tuple[str, ...]:
    """Return the commands that take ``plan`` back, last change first."""
    return tuple(line(words) for step in reversed(plan.steps) for words in _undo_of(step))


def line(words: Argv) -> str:
    """Return an argument vector as one safe line of text."""
    return clean(shlex.join(words), limit=_WIDE)


def render(plan: Plan) -> tuple[str, ...]:
    """Return ``plan`` as lines of text: title, commands, undo, what to know before saying yes."""
    lines = [clean(plan.title, limit=_WIDE), "  will run:"]
    for step in plan.steps:
        lines += [f"    {line(words)}" for words in step.action.commands()]
        if isinstance(step.action, WriteFile):
            lines += [f"      | {clean(text, limit=_WIDE)}" for text in step.action.content.splitlines()]
    undo = undo_lines(plan)
    lines.append("  undo:" if undo else "  undo: none")
    lines += [f"    {text}" for text in undo]
    if not plan.persists:
        lines.append("  lasts until the next reboot, or until its owner rewrites it")
    if plan.overrides is not None:
        lines.append(f"  yours to decide: it changes what {clean(plan.overrides.whose)} decided")
    lines += [f"  note: {clean(note, limit=_WIDE)}" for note in plan.notes]
    return tuple(lines)


def _undo_of(step: PlanStep) -> tuple[Argv, ...]:
    if step.undo or isinstance(step.action, ProgramOperation):
        return tuple(words for action in step.undo for words in action.commands())
    return step.action.undo_commands()
