"""Taking a journalled change back: last step first, exactly, also after a ``kill -9``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from dnet_tui.actions.changes.bridges import recreate
from dnet_tui.actions.execution.execute import Executor
from dnet_tui.actions.execution.sweep import left_tables, sweep
from dnet_tui.actions.execution.take_back import take_back
from dnet_tui.actions.execution.undo_order import blocked_by
from dnet_tui.actions.journal.captured_state import BridgeState, ProgramState, RuleState, SysctlState
from dnet_tui.actions.journal.entries import (
    JournalEntry,
    RecordedChange,
    StepLocation,
    UndoFinished,
    Undoing,
    elsewhere,
    now,
)
from dnet_tui.actions.journal.journal import here, opened, read
from dnet_tui.actions.plans.plan import line
from dnet_tui.diagnostics.operations.base import Argv
from dnet_tui.diagnostics.operations.bridge import DeleteBridge
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.inspect.errors import ActionFailedError, UsageError
from dnet_tui.inspect.text.sanitize import clean


def preview(entry: JournalEntry) -> tuple[str, ...]:
    """Return the commands that take back what still stands of an entry, last change first, one a line.

    They come from the captured state; the undo itself looks where things stand
    by then, and puts back more than commands can say (a sysctl's followers).
    """
    changes = [entry.changes[index] for index in reversed(entry.standing)]
    return tuple(line(words) for change in changes for words in undo_words(change))


def undo_words(change: RecordedChange) -> tuple[Argv, ...]:
    """Return the commands that take one change back, by what was captured of it; empty when it was never begun."""
    match change.action, change.captured, change.after:
        case _, None, _:
            return ()
        case SetSysctl(key=key), SysctlState(values=values), _:
            return SetSysctl(key=key, value=values.get(key, "")).commands()
        case DeleteRule() as action, RuleState() as state, _:
            stood = {"position": state.position, "packets": state.packets, "bytes": state.bytes}
            return msgspec.structs.replace(action, spec=state.text, **stood).undo_commands()
        case InsertRule() as action, _, RuleState(text=text):
            return msgspec.structs.replace(action, spec=text).undo_commands()
        case DeleteBridge() as action, BridgeState() as state, _:
            return recreate(action, state).commands()
        case _, ProgramState(undo=undo), _:
            return tuple(words for item in undo for words in item.commands())
    return change.action.undo_commands()


class UndoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo did: the entry, and a note per change, last change first."""

    entry: JournalEntry
    notes: tuple[str, ...]


def choose(
    entries: tuple[JournalEntry, ...], wanted: str | None, place: StepLocation, *, force: bool = False
) -> JournalEntry:
    """Return the entry to undo: the one asked for, else the latest of this host that is still standing.

    Raises:
        UsageError: There is no such entry, it is undone already, or it belongs to another host or time.
    """
    if wanted is not None:
        entry = _named(entries, wanted, place, force=force)
        later, why = blocked_by(entries, entry, place)
        if why:
            what = f"entry {later.id} ({clean(later.title)})"
            msg = f"entry {entry.id} can't be undone before {what}, which did: {clean(why)}"
            raise UsageError(msg, f"`dnet-tui undo {later.id}` first")
        return entry
    standing = [entry for entry in entries if entry.status != "undone" and entry.standing and not entry.unreadable]
    ours = standing if force else [entry for entry in standing if not elsewhere(entry, place)]
    if ours:
        return ours[-1]
    if not standing:
        msg = "there is nothing to undo"
        raise UsageError(msg, "`dnet-tui journal` lists what dnet-tui has changed")
    latest = standing[-1]
    msg = f"there is nothing to undo here: entry {latest.id} isn't of this host: {elsewhere(latest, place)}"
    raise UsageError(msg, f"`dnet-tui undo {latest.id} --force` undoes it here all the same")


def _named(entries: tuple[JournalEntry, ...], wanted: str, place: StepLocation, *, force: bool) -> JournalEntry:
    number = f"{int(wanted):04d}" if wanted.isascii() and wanted.isdecimal() else wanted
    entry = next((item for item in entries if item.id == number), None)
    if entry is None:
        msg = f"the journal has no entry {wanted}"
        raise UsageError(msg, "`dnet-tui journal` lists them")
    if entry.unreadable:
        msg = f"entry {entry.id} can't be undone by this version: {entry.unreadable}"
        raise UsageError(msg, "use the version that wrote it; `dnet-tui journal` lists what this one can take back")
    if entry.status == "undone":
        msg = f"entry {entry.id} is undone already"
        raise UsageError(msg, "`dnet-tui journal` lists what still stands")
    if not entry.standing and entry.lost:
        error = _lost(entry, ())
        raise UsageError(error.message, error.hint)
    if not entry.standing:
        msg = f"entry {entry.id} changed nothing, so there is nothing to undo"
        raise UsageError(msg, f"it failed: {entry.reason}" if entry.reason else "")
    if not force and (why := elsewhere(entry, place)):
        msg = f"entry {entry.id} is not undone here: {why}"
        raise UsageError(msg, "run it where the change was made, or add --force if you are sure")
    return entry


def undo_entry(
    executor: Executor,
    folder: Path,
    wanted: str | None = None,
    *,
    force: bool = False,
    place: Callable[[], StepLocation] = here,
) -> UndoResult:
    """Take back one entry, in reverse order; without ``wanted`` the latest of this host that still stands.

    A change that can't be taken back doesn't keep others from it that have
    nothing to do with it; see :mod:`dnet_tui.actions.execution.take_back`.

    Raises:
        UsageError: See :func:`choose`.
        ActionFailedError: Not everything could be taken back.  The message says what was and what still stands.
    """
    with opened(folder) as journal:
        entry = choose(journal.entries, wanted, place(), force=force)
        if entry not in left_tables([entry], place()):
            sweep(journal, executor, place())
        journal.write(Undoing(id=entry.id, time=now()))
        notes, standing, errors = take_back(journal, executor, entry)
        if errors:
            raise _in_part(entry, standing, errors, notes) from errors[0]
        if entry.lost:
            raise _lost(entry, notes)
        journal.write(UndoFinished(id=entry.id, time=now()))
    entries, _ = read(folder)
    return UndoResult(entry=next(item for item in entries if item.id == entry.id), notes=notes)


def _lost(entry: JournalEntry, notes: Collection[str]) -> ActionFailedError:
    """The account of an undo of what can still be read of an entry."""
    lost = "; ".join(entry.changes[index].action.text for index in entry.lost)
    msg = (
        f"entry {entry.id} is undone only in part: the journal's lines about {len(entry.lost)} change(s) can't be read"
    )
    back = f"; taken back: {'; '.join(notes)}" if notes else ""
    return ActionFailedError(f"{msg}: {lost}{back}", "look at these by hand: what was there before is not known")


def _in_part(
    entry: JournalEntry,
    standing: Collection[RecordedChange],
    errors: Collection[ActionFailedError],
    notes: Collection[str],
) -> ActionFailedError:
    """The account of an undo that did not get through."""
    msg = f"entry {entry.id} is undone only in part, {len(standing)} change(s) still stand: "
    msg += "; ".join(error.message for error in errors)
    if len(standing) > len(errors):
        msg += f"; {len(standing) - len(errors)} made before that were left alone, for that may stand on them"
    if notes:
        msg += f"; taken back: {'; '.join(notes)}"
    hints = dict.fromkeys(error.hint for error in errors if error.hint)
    again = f"put that right and run `dnet-tui undo {entry.id}` again: what is taken back already stays so"
    return ActionFailedError(msg, "; ".join((*hints, again)))
