"""Tables of live traces that were killed: which are left, and taking them out before another change is made."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from dnet_tui.actions.execution.execute import Executor
from dnet_tui.actions.execution.take_back import take_back
from dnet_tui.actions.journal.entries import JournalEntry, StepLocation, UndoFinished, Undoing, now
from dnet_tui.actions.journal.journal import Journal
from dnet_tui.actions.plans.operations import AddTraceTable
from dnet_tui.inspect.errors import ActionFailedError

_PATIENCE = timedelta(minutes=2)
"""After so long a trace has ended: it watches for a minute at most."""


def left_tables(entries: Iterable[JournalEntry], place: StepLocation) -> tuple[JournalEntry, ...]:
    """The entries of live traces that were killed and whose tables may still be there: of this boot, wherever in it."""
    return tuple(
        entry
        for entry in entries
        if entry.standing
        and not entry.unreadable
        and entry.status != "undone"
        and entry.place.boot == place.boot
        and all(isinstance(change.action, AddTraceTable) for change in entry.changes)
        and _is_over(entry)
    )


def sweep(journal: Journal, executor: Executor, place: StepLocation) -> None:
    """Take out what live traces have left; what can't be taken out stays, and is named by the doctor."""
    for entry in left_tables(journal.entries, place):
        with suppress(ActionFailedError):
            journal.write(Undoing(id=entry.id, time=now()))
            if not take_back(journal, executor, entry).standing:
                journal.write(UndoFinished(id=entry.id, time=now()))


def _is_over(entry: JournalEntry) -> bool:
    try:
        begun = datetime.fromisoformat(entry.time)
        return datetime.now(tz=UTC) - begun > _PATIENCE
    except (ValueError, TypeError):
        return True
