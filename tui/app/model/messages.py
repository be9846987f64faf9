"""What happened: facts in the past tense.  Workers and widgets post them, the app draws the consequences."""

from __future__ import annotations

from collections.abc import Mapping

from textual.message import Message

from dnet_tui.diagnostics.difference.base import DifferenceItem
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import LinkRef, Snapshot
from dnet_tui.inspect.model.change_events import Moved
from dnet_tui.tui.app.model.forms import Draft, PlannedChange
from dnet_tui.tui.app.model.services import LastChange
from dnet_tui.tui.app.model.state import ConcerningRules, ErrorInfo, ModeId
from dnet_tui.tui.app.model.timeline import JournalLine


class HostChangeNotified(Message):
    """Something on the host changed."""

    def __init__(self, moved: frozenset[Moved]) -> None:
        super().__init__()
        self.moved = moved


class SnapshotTaken(Message):
    """The host was read, from ``at`` on (:func:`time.monotonic`).

    ``unasked``: because it moved, not for the user.  ``authors`` are the
    processes that wrote rules since it was read before.
    """

    def __init__(
        self, snapshot: Snapshot, *, at: float = 0.0, unasked: bool = False, authors: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self.authors = authors
        self.snapshot = snapshot
        self.at = at
        self.unasked = unasked


class SnapshotFailed(Message):
    """The host could not be read."""

    def __init__(self, trouble: ErrorInfo, *, unasked: bool = False) -> None:
        super().__init__()
        self.trouble = trouble
        self.unasked = unasked


class ReportReady(Message):
    """A snapshot that was ``taken`` was examined; ``report`` is None when the examination failed.

    ``changes`` are its differences from the snapshot that is on show, ``traffic``
    are the bytes a second of the host's links since then, ``counted`` is what
    rates need of the one on show.
    """

    def __init__(
        self,
        taken: SnapshotTaken,
        report: Report | None,
        trouble: ErrorInfo | None = None,
        changes: tuple[DifferenceItem, ...] = (),
        traffic: Mapping[LinkRef, float] | None = None,
        counted: Snapshot | None = None,
    ) -> None:
        super().__init__()
        self.counted = counted
        self.changes = changes
        self.traffic = traffic or {}
        self.taken = taken
        self.report = report
        self.trouble = trouble


class ChangeApplied(Message):
    """A fix or an undo ended; ``lines`` say what was done."""

    def __init__(self, title: str, lines: tuple[str, ...], trouble: ErrorInfo | None = None) -> None:
        super().__init__()
        self.title = title
        self.lines = lines
        self.trouble = trouble


class FormEdited(Message):
    """A form was filled in so far that it may come to something."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft


class ChangePlanned(Message):
    """What a form comes to, or what is wrong with it."""

    def __init__(self, draft: Draft, planned: PlannedChange | None, trouble: ErrorInfo | None = None) -> None:
        super().__init__()
        self.draft = draft
        self.planned = planned
        self.trouble = trouble


class DrawingAsked(Message):
    """The way from a row of the map to the outside is to be drawn."""

    def __init__(self, row: str) -> None:
        super().__init__()
        self.row = row


class ChangeFound(Message):
    """The last change was looked up in the journal."""

    def __init__(self, change: LastChange) -> None:
        super().__init__()
        self.change = change


class JournalAsked(Message):
    """The journal of dnet-tui's own changes is wanted."""


class JournalRead(Message):
    """The journal was read."""

    def __init__(self, lines: tuple[JournalLine, ...]) -> None:
        super().__init__()
        self.lines = lines


class RowSelected(Message):
    """The cursor of a mode's list moved to another row."""

    def __init__(self, mode: ModeId, row: str) -> None:
        super().__init__()
        self.mode: ModeId = mode
        self.row = row


class RowFolded(Message):
    """A row was folded or unfolded."""

    def __init__(self, row: str, *, shut: bool) -> None:
        super().__init__()
        self.row = row
        self.shut = shut


class ListFiltered(Message):
    """The words a mode's list is filtered by changed."""

    def __init__(self, mode: ModeId, words: str) -> None:
        super().__init__()
        self.mode: ModeId = mode
        self.words = words


class NamespaceChosen(Message):
    """Another namespace's rules are wanted."""

    def __init__(self, chosen: str) -> None:
        super().__init__()
        self.chosen = chosen


class FixConfirmed(Message):
    """The user saw the commands of ``shown`` and said yes."""

    def __init__(self, shown: Finding) -> None:
        super().__init__()
        self.shown = shown


class RulesAboutChosen(Message):
    """Only rules that concern something are wanted; all of them, when ``about`` is empty."""

    def __init__(self, about: str, label: str = "") -> None:
        super().__init__()
        self.about = about
        self.label = label


class RulesFound(Message):
    """The rules that concern something were found."""

    def __init__(self, found: ConcerningRules) -> None:
        super().__init__()
        self.found = found
