"""Applying a plan: journal, capture, change, journal; one step after the other."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dnet_tui.actions.execution.execute import Executor
from dnet_tui.actions.journal.captured_state import ProgramState
from dnet_tui.actions.journal.entries import (
    Before,
    Done,
    Failed,
    JournalEntry,
    Made,
    RecordedChange,
    StepLocation,
    StepReverted,
    now,
)
from dnet_tui.actions.journal.journal import Journal, here, opened, read
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.inspect.errors import ActionFailedError


def apply_plan(
    plan: Plan, executor: Executor, folder: Path, *, place: Callable[[], StepLocation] = here
) -> JournalEntry:
    """Make all changes of ``plan``, in order, and return its journal entry.

    Raises:
        ActionFailedError: Something that the plan needs isn't there: nothing was changed.  Or a step
            failed.  It is taken back at once; the steps before it stand: the message says how
            many, and the hint how to take them back.
    """
    with opened(folder) as journal:
        executor.preflight(plan.steps)
        identity = journal.begin(plan, place())
        try:
            for index, step in enumerate(plan.steps):
                _make(journal, executor, identity, index, step)
            journal.write(Done(id=identity, time=now()))
        except ActionFailedError as error:
            with suppress(ActionFailedError):  # a full disk: the entry stays "begun", which undo handles as well
                journal.write(Failed(id=identity, time=now(), reason=error.message))
            raise _told(error, plan, _entry(folder, identity)) from error
    return _entry(folder, identity)


def _make(journal: Journal, executor: Executor, identity: str, index: int, step: PlanStep) -> None:
    captured = executor.prepare(step)
    journal.write(Before(id=identity, time=now(), index=index, captured=captured))
    try:
        after = executor.perform(step.action, captured)
    except ActionFailedError:
        # A command may have done anything or nothing: whether to run its undo is for a person to say.
        if not isinstance(captured, ProgramState):
            with suppress(ActionFailedError):  # what can't be taken back now still can by `dnet-tui undo`
                note = executor.revert(RecordedChange(step=step, captured=captured), resumed=False)
                journal.write(StepReverted(id=identity, time=now(), index=index, note=note))
        raise
    journal.write(Made(id=identity, time=now(), index=index, after=after))


def _entry(folder: Path, identity: str) -> JournalEntry:
    entries, _ = read(folder)
    return next(entry for entry in entries if entry.id == identity)


def _told(error: ActionFailedError, plan: Plan, entry: JournalEntry) -> ActionFailedError:
    standing = len(entry.standing)
    if not standing:
        return ActionFailedError(f"{error.message} (nothing was changed)", error.hint)
    how = f"`dnet-tui undo {entry.id}` takes back what was done"
    return ActionFailedError(
        f"{error.message} ({standing} of {len(plan.steps)} changes were made)",
        f"{error.hint}; {how}" if error.hint else how,
    )
