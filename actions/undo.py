"""Taking a journalled change back: last step first, exactly, also after a ``kill -9``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from dnet_tui.actions.bridges import again
from dnet_tui.actions.entries import Change, Entry, Place, Undoing, Undone, Unmade, elsewhere, now
from dnet_tui.actions.execute import Executor
from dnet_tui.actions.journal import here, opened, read
from dnet_tui.actions.operations import Argv, DeleteBridge, commands, undo_commands
from dnet_tui.actions.plan import line
from dnet_tui.actions.prior import BridgeState, CommandState, RuleState, SysctlState
from dnet_tui.diagnostics.remedy import DeleteRule, InsertRule, SetSysctl
from dnet_tui.inspect.errors import ActionFailedError, UsageError


def preview(entry: Entry) -> tuple[str, ...]:
    """Return the commands that take back what still stands of an entry, last change first, one a line.

    They come from the captured state; the undo itself looks where things stand
    by then, and puts back more than commands can say (a sysctl's followers).
    """
    changes = [entry.changes[index] for index in reversed(entry.standing)]
    return tuple(line(words) for change in changes for words in undo_words(change))


def undo_words(change: Change) -> tuple[Argv, ...]:
    """Return the commands that take one change back, by what was captured of it; empty when it was never begun."""
    if change.prior is None:
        return ()
    action, prior, after = change.action, change.prior, change.after
    if isinstance(action, SetSysctl) and isinstance(prior, SysctlState):
        return commands(SetSysctl(key=action.key, value=prior.values.get(action.key, "")))
    if isinstance(action, DeleteRule) and isinstance(prior, RuleState):
        stood = {"position": prior.position, "packets": prior.packets, "bytes": prior.bytes}
        return undo_commands(msgspec.structs.replace(action, spec=prior.text, **stood))
    if isinstance(action, InsertRule) and isinstance(after, RuleState):
        return undo_commands(msgspec.structs.replace(action, spec=after.text))
    if isinstance(action, DeleteBridge) and isinstance(prior, BridgeState):
        return commands(again(action, prior))
    if isinstance(prior, CommandState):
        return tuple(item.argv for item in prior.undo)
    return undo_commands(action)


class UndoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo did: the entry, and a note per change, last change first."""

    entry: Entry
    notes: tuple[str, ...]


def choose(entries: tuple[Entry, ...], wanted: str | None, place: Place, *, force: bool = False) -> Entry:
    """Return the entry to undo: the one asked for, else the latest of this host that is still standing.

    Raises:
        UsageError: There is no such entry, it is undone already, or it belongs to another host or time.
    """
    if wanted is not None:
        return _named(entries, wanted, place, force=force)
    standing = [entry for entry in entries if entry.status != "undone" and entry.standing]
    ours = standing if force else [entry for entry in standing if not elsewhere(entry, place)]
    if ours:
        return ours[-1]
    if not standing:
        msg = "there is nothing to undo"
        raise UsageError(msg, "`dnet-tui journal` lists what dnet-tui has changed")
    latest = standing[-1]
    msg = f"there is nothing to undo here: entry {latest.id} isn't of this host: {elsewhere(latest, place)}"
    raise UsageError(msg, f"`dnet-tui undo {latest.id} --force` undoes it here all the same")


def _named(entries: tuple[Entry, ...], wanted: str, place: Place, *, force: bool) -> Entry:
    number = f"{int(wanted):04d}" if wanted.isascii() and wanted.isdecimal() else wanted
    entry = next((item for item in entries if item.id == number), None)
    if entry is None:
        msg = f"the journal has no entry {wanted}"
        raise UsageError(msg, "`dnet-tui journal` lists them")
    if entry.status == "undone":
        msg = f"entry {entry.id} is undone already"
        raise UsageError(msg, "`dnet-tui journal` lists what still stands")
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
    place: Callable[[], Place] = here,
) -> UndoResult:
    """Take back one entry, in reverse order; without ``wanted`` the latest of this host that still stands.

    Raises:
        UsageError: See :func:`choose`.
        ActionFailedError: A change could not be taken back; those after it were, and the rest still stands.
    """
    with opened(folder) as journal:
        entry = choose(journal.entries, wanted, place(), force=force)
        journal.write(Undoing(id=entry.id, time=now()))
        notes: list[str] = []
        for index in reversed(entry.standing):
            try:
                note = executor.revert(entry.changes[index], resumed=entry.undo_begun)
            except ActionFailedError as error:
                left = index + 1
                msg = f"entry {entry.id} is undone only in part, {left} change(s) still stand: {error.message}"
                raise ActionFailedError(msg, error.hint) from error
            journal.write(Unmade(id=entry.id, time=now(), index=index, note=note))
            notes.append(note)
        journal.write(Undone(id=entry.id, time=now()))
    entries, _ = read(folder)
    return UndoResult(entry=next(item for item in entries if item.id == entry.id), notes=tuple(notes))
