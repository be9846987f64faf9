"""The one loop that takes changes back, last first: an undo's, and that of a plan which failed half-way."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from dnet_tui.actions.execution.execute import Executor
from dnet_tui.actions.journal.captured_state import RuleState, SysctlState
from dnet_tui.actions.journal.entries import JournalEntry, RecordedChange, StepReverted, now
from dnet_tui.actions.journal.journal import Journal
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.inspect.errors import ActionFailedError


class TakenBack(NamedTuple):
    """What became of it: a note per change that was taken back, those that still stand, and why they do."""

    notes: tuple[str, ...]
    standing: tuple[RecordedChange, ...]
    errors: tuple[ActionFailedError, ...]


def take_back(journal: Journal, executor: Executor, entry: JournalEntry) -> TakenBack:
    """Take back what stands of ``entry``, in reverse order, and journal each.

    A change that can't be taken back doesn't keep others from it that have
    nothing to do with it; see :func:`stands_alone`.

    Raises:
        ActionFailedError: The journal could not be written.
    """
    notes: list[str] = []
    standing: list[RecordedChange] = []
    errors: list[ActionFailedError] = []
    for index in reversed(entry.standing):
        change = entry.changes[index]
        if not stands_alone(change, standing):
            standing.append(change)
            continue
        try:
            note = executor.revert(change, resumed=entry.undo_begun)
        except ActionFailedError as error:
            standing.append(change)
            errors.append(error)
            continue
        note += _tidied(journal.entries, executor, entry, change)
        journal.write(StepReverted(id=entry.id, time=now(), index=index, note=note))
        notes.append(note)
    return TakenBack(tuple(notes), tuple(standing), tuple(errors))


def _tidied(entries: Collection[JournalEntry], executor: Executor, entry: JournalEntry, change: RecordedChange) -> str:
    """Delete the empty chain or table that another entry's rule had brought, and which held this one too; says so.

    The other entry could not: it was undone while this rule still stood there.
    """
    action = change.action
    if not isinstance(action, InsertRule):
        return ""
    states = [
        (one.action, one.captured)
        for other in entries
        if other.place == entry.place
        for one in other.changes
        if isinstance(one.action, InsertRule) and isinstance(one.captured, RuleState)
    ]
    of_table = [item for item in states if _chain(item[0])[:3] == _chain(action)[:3]]
    if any(not state.table_existed for _, state in of_table):
        return executor.tidy(action, whole=True)
    if any(not state.chain_existed and _chain(one) == _chain(action) for one, state in of_table):
        return executor.tidy(action, whole=False)
    return ""


def stands_alone(change: RecordedChange, standing: Collection[RecordedChange]) -> bool:
    """Whether a change can be taken back while later ones, which could not be, still stand.

    A rule can, if they are of other chains, and a kernel parameter if they
    are none of those that it moves.  Of a command, a network or a bridge
    nobody knows what else stands on it.
    """
    if not standing:
        return True
    action, captured = change.action, change.captured
    if isinstance(action, InsertRule | DeleteRule):
        others = [item.action for item in standing if isinstance(item.action, InsertRule | DeleteRule)]
        return all(_chain(action) != _chain(other) for other in others)
    if isinstance(action, SetSysctl) and isinstance(captured, SysctlState):
        keys = captured.values.keys() | {action.key}
        moved = [item.captured.values.keys() for item in standing if isinstance(item.captured, SysctlState)]
        return not any(keys & other for other in moved)
    return False


def _chain(action: InsertRule | DeleteRule) -> tuple[str, str, str, str]:
    return action.backend, action.family, action.table, action.chain
