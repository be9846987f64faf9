"""Journal entries: the lines they are kept as, and how lines fold into entries.  Pure but for the clock.

Each change of an entry has a line before it (``step``, with what was there)
and one after it (``made``, with how it turned out); an entry opens with
``begin`` and ends with ``done`` or ``failed``.  An undo adds ``undoing``,
``unmade`` per change, and ``undone``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

import msgspec

from dnet_tui.actions.journal.captured_state import AnyState, RuleState
from dnet_tui.actions.plans.boot_files import EnableUnit, WriteFile
from dnet_tui.actions.plans.operations import AnyAction
from dnet_tui.actions.plans.plan import PlanStep

FORMAT = 1
"""Version of the journal's lines."""

EntryStatus = Literal["begun", "done", "failed", "undone"]


class StepLocation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a change was made.  Inode numbers of namespaces are reused, cookies are not (0: an old kernel)."""

    netns: int
    cookie: int = 0
    boot: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event"):
    """Base of the lines; ``id`` is the entry's."""

    id: str
    time: str


class Begin(Record, frozen=True, kw_only=True, tag="begin"):
    """An entry opens."""

    format: int = FORMAT
    title: str
    place: StepLocation
    steps: tuple[PlanStep, ...]


class Before(Record, frozen=True, kw_only=True, tag="step"):
    """A change is about to be made; ``captured`` is what was there."""

    index: int
    captured: AnyState = msgspec.field(name="prior")


class Made(Record, frozen=True, kw_only=True, tag="made"):
    """A change was made; ``after`` is how it turned out."""

    index: int
    after: AnyState


class Done(Record, frozen=True, kw_only=True, tag="done"):
    """All changes of the entry were made."""


class Failed(Record, frozen=True, kw_only=True, tag="failed"):
    """A change could not be made; those before it stand."""

    reason: str


class Undoing(Record, frozen=True, kw_only=True, tag="undoing"):
    """An undo begins."""


class StepReverted(Record, frozen=True, kw_only=True, tag="unmade"):
    """One change was taken back."""

    index: int
    note: str = ""


class UndoFinished(Record, frozen=True, kw_only=True, tag="undone"):
    """All changes of the entry were taken back."""


class UnreadableRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of an entry that another version wrote: what can be told of it.  Never written."""

    id: str
    time: str
    title: str
    place: StepLocation
    reason: str


AnyRecord = Begin | Before | Made | Done | Failed | Undoing | StepReverted | UndoFinished


class RecordedChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of an entry, as far as it got.  ``after`` is None when nobody lived to say that it was made."""

    step: PlanStep
    captured: AnyState | None = None
    after: AnyState | None = None
    unmade: bool = False

    @property
    def action(self) -> AnyAction:
        """The change itself."""
        return self.step.action


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One journalled plan, folded from its lines.

    ``unreadable`` says why it can only be listed, and not taken back, by this
    version; empty otherwise.
    """

    id: str
    time: str
    title: str
    place: StepLocation
    status: EntryStatus = "begun"
    reason: str = ""
    undo_begun: bool = False
    unreadable: str = ""
    changes: tuple[RecordedChange, ...] = ()

    @property
    def standing(self) -> tuple[int, ...]:
        """The indexes of the changes that were, or may have been, made and not taken back; in their order."""
        return tuple(index for index, item in enumerate(self.changes) if item.captured is not None and not item.unmade)

    @property
    def lost(self) -> tuple[int, ...]:
        """The indexes of the changes that were, or may have been, made, but whose captured state can't be read."""
        begun = [
            index for index, item in enumerate(self.changes) if item.captured is not None or item.after is not None
        ]
        last = begun[-1] + 1 if begun else 0
        if self.status == "done":
            last = len(self.changes)
        return tuple(i for i, item in enumerate(self.changes[:last]) if item.captured is None and not item.unmade)

    @property
    def writers(self) -> tuple[str, ...]:
        """What its legacy rules were written by, each once."""
        states = (item.after for item in self.changes)
        return tuple(dict.fromkeys(item.writer for item in states if isinstance(item, RuleState) and item.writer))


def fold(records: Iterable[AnyRecord | UnreadableRecord]) -> tuple[JournalEntry, ...]:
    """Return the entries that ``records`` tell of, oldest first."""
    entries: dict[str, JournalEntry] = {}
    for record in records:
        if isinstance(record, UnreadableRecord):
            known = entries.get(record.id)
            entry = known or JournalEntry(id=record.id, time=record.time, title=record.title, place=record.place)
            entries[record.id] = msgspec.structs.replace(entry, unreadable=record.reason)
        elif isinstance(record, Begin):
            entries[record.id] = JournalEntry(
                id=record.id,
                time=record.time,
                title=record.title,
                place=record.place,
                changes=tuple(RecordedChange(step=step) for step in record.steps),
            )
        elif record.id in entries:
            entries[record.id] = _advance(entries[record.id], record)
    return tuple(entries.values())


def _advance(entry: JournalEntry, record: AnyRecord) -> JournalEntry:
    replace = msgspec.structs.replace
    match record:
        case Before(index=index, captured=captured):
            return _with_change(entry, index, captured=captured)
        case Made(index=index, after=after):
            return _with_change(entry, index, after=after)
        case StepReverted(index=index):
            return _with_change(entry, index, unmade=True)
        case Done():
            return replace(entry, status="done")
        case Failed(reason=reason):
            return replace(entry, status="failed", reason=reason)
        case Undoing():
            return replace(entry, undo_begun=True)
        case UndoFinished():
            return replace(entry, status="undone")
        case _:
            return entry


def without_capture(entry: JournalEntry, index: int) -> JournalEntry:
    """The entry as if the change at ``index`` had never been begun: for what must be left alone."""
    return _with_change(entry, index, captured=None)


def _with_change(entry: JournalEntry, index: int, **fields: object) -> JournalEntry:
    changes = list(entry.changes)
    if not 0 <= index < len(changes):
        return entry
    changes[index] = msgspec.structs.replace(changes[index], **fields)
    return msgspec.structs.replace(entry, changes=tuple(changes))


def elsewhere(entry: JournalEntry, place: StepLocation) -> str:
    """Return why an entry's change isn't one of ``place``, empty when it is.  Files outlive a reboot."""
    if entry.changes and all(isinstance(change.action, WriteFile | EnableUnit) for change in entry.changes):
        return ""
    if entry.place.boot and place.boot and entry.place.boot != place.boot:
        return "the machine has been restarted since, and the change did not outlive that"
    if entry.place.cookie and place.cookie:
        same = entry.place.cookie == place.cookie
    else:
        same = entry.place.netns == place.netns
    return "" if same else f"it was made in another network namespace (net:[{entry.place.netns}])"


def now() -> str:
    """Return the time as ISO 8601 UTC text, in seconds."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
