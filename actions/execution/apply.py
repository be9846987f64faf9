"""Applying a plan: journal, capture, change, journal; one step after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from dnet_tui.actions.changes.programs import CommandRefusedError
from dnet_tui.actions.execution.execute import Executor
from dnet_tui.actions.execution.sweep import sweep
from dnet_tui.actions.execution.take_back import take_back
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
    Undoing,
    now,
    without_capture,
)
from dnet_tui.actions.journal.journal import Journal, here, opened, read
from dnet_tui.actions.plans.binding import PlanOutdatedError, same_changes
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.inspect.errors import ActionFailedError


def apply_plan(
    plan: Plan,
    executor: Executor,
    folder: Path,
    again: Callable[[], Plan] | None = None,
    *,
    place: Callable[[], StepLocation] = here,
) -> JournalEntry:
    """Make all changes of ``plan``, in order, and return its journal entry.

    ``again`` makes the plan anew, by another look at the host: it is called
    when no other dnet-tui can change the host any more.  What it raises means
    that there is nothing to do, or that it can't be done, any more.

    Raises:
        PlanOutdatedError: The host has changed so much that another plan fits it now: nothing was changed.
        ActionFailedError: Something that the plan needs isn't there: nothing was changed.  Or a step
            failed.  Then everything is taken back at once; the message says so, or what still
            stands, and the hint how to take it back.
    """
    with opened(folder) as journal:
        sweep(journal, executor, place())
        if again is not None:
            current = again()
            if not same_changes(plan, current):
                raise PlanOutdatedError(current)
            plan = current
        executor.preflight(plan.steps)
        identity = journal.begin(plan, place())
        try:
            for index, step in enumerate(plan.steps):
                _make(journal, executor, identity, index, step)
            journal.write(Done(id=identity, time=now()))
        except ActionFailedError as error:
            raise _taken_back(journal, executor, folder, identity, error) from error
    return _entry(folder, identity)


def _make(journal: Journal, executor: Executor, identity: str, index: int, step: PlanStep) -> None:
    captured = executor.prepare(step)
    journal.write(Before(id=identity, time=now(), index=index, captured=captured))
    try:
        after = executor.perform(step.action, captured)
    except CommandRefusedError as error:
        # It did nothing; running its undo could take away what somebody else has made.
        journal.write(StepReverted(id=identity, time=now(), index=index, note=f"was not made: {error.message}"))
        raise
    journal.write(Made(id=identity, time=now(), index=index, after=after))


def _entry(folder: Path, identity: str) -> JournalEntry:
    entries, _ = read(folder)
    return next(entry for entry in entries if entry.id == identity)


def _taken_back(
    journal: Journal, executor: Executor, folder: Path, identity: str, error: ActionFailedError
) -> ActionFailedError:
    """Take back what was made of a failed plan; returns the account of both."""
    with suppress(ActionFailedError):  # a full disk: the entry stays "begun", which undo handles as well
        journal.write(Failed(id=identity, time=now(), reason=error.message))
    entry = _entry(folder, identity)
    made = sum(change.after is not None for change in entry.changes)
    # Of a command that broke off only a person can say whether it was made; all else looks for itself.
    unsure = [index for index in entry.standing if _is_unsure(entry.changes[index])]
    rest = entry
    for index in unsure:
        rest = without_capture(rest, index)
    try:
        journal.write(Undoing(id=identity, time=now()))
        done = take_back(journal, executor, rest)
    except ActionFailedError as second:
        return _account(error, _entry(folder, identity), (second,))
    entry = _entry(folder, identity)
    if entry.standing:
        return _account(error, entry, done.errors)
    if not made:
        return ActionFailedError(f"{error.message} (nothing was changed)", error.hint)
    what = "the change made before was" if made == 1 else f"the {made} changes made before were"
    return ActionFailedError(f"{error.message} ({what} taken back)", error.hint)


def _is_unsure(change: RecordedChange) -> bool:
    return isinstance(change.captured, ProgramState) and change.after is None


def _account(error: ActionFailedError, entry: JournalEntry, others: Collection[ActionFailedError]) -> ActionFailedError:
    still = len(entry.standing)
    why = f": {'; '.join(item.message for item in others)}" if others else ""
    verb = "change still stands" if still == 1 else "changes still stand"
    how = f"`dnet-tui undo {entry.id}` takes back what was done"
    return ActionFailedError(
        f"{error.message} ({still} of {len(entry.changes)} {verb}{why})",
        f"{error.hint}; {how}" if error.hint else how,
    )
