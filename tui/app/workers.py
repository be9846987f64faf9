"""The app's workers: they call the services in threads, touch no widget, and only post what came of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from textual.message import Message
from textual.timer import Timer
from textual.worker import get_current_worker

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.change_events import Moved
from dnet_tui.tui.app.changed_cells import ChangedCells
from dnet_tui.tui.app.memory import PAUSE, give_back, tidy
from dnet_tui.tui.app.model import capture_messages as packets
from dnet_tui.tui.app.model import messages as fact
from dnet_tui.tui.app.model.forms import Draft, PlannedChange
from dnet_tui.tui.app.model.services import CaptureSource, Services, Watch
from dnet_tui.tui.app.model.state import ErrorInfo
from dnet_tui.tui.app.present.map import map_tree
from dnet_tui.tui.app.present.styled_text import Paragraph
from dnet_tui.tui.app.thread_work import in_thread

POLL = 0.25
"""Seconds between two looks at a running capture; nothing is drawn when nothing came."""


class DrawingMade(Message):
    """It was drawn, or why it couldn't be."""

    def __init__(self, paras: tuple[Paragraph, ...], trouble: ErrorInfo | None = None) -> None:
        super().__init__()
        self.paras = paras
        self.trouble = trouble


class HostApp(ChangedCells):
    """An app with services, and a worker for each of them."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self._watch: Watch | None = None
        self._watch_lock = threading.Lock()
        self._has_ended = False
        self._tidying: Timer | None = None
        self._changing = threading.Lock()
        """Held while the host is being changed: that is never broken off."""

    @in_thread("snapshot", exclusive=True)
    def _take_snapshot(self) -> None:
        self._watch_host()
        self._post_snapshot(self._services.take, unasked=False)

    @in_thread("snapshot", exclusive=True)
    def _refresh_snapshot(self, shown: Snapshot, moved: frozenset[Moved]) -> None:
        refresh = self._services.refresh
        self._post_snapshot(self._services.take if refresh is None else lambda: refresh(shown, moved), unasked=True)

    def _post_snapshot(self, take: Callable[[], Snapshot], *, unasked: bool) -> None:
        """Take a snapshot and post it, unless another one was begun meanwhile."""
        at = time.monotonic()
        told: Message
        try:
            snapshot = take()
            authors = self._services.authors() if self._services.authors is not None else ()
            told = fact.SnapshotTaken(snapshot, at=at, unasked=unasked, authors=authors)
        except Exception as error:  # noqa: BLE001  a reader's fault must not end the app
            told = fact.SnapshotFailed(trouble(error), unasked=unasked)
        if not get_current_worker().is_cancelled:
            self.post_message(told)

    def _watch_host(self) -> None:
        """Begin to listen for changes, once, before the first look: what happens from then on isn't missed."""
        with self._watch_lock:
            if self._services.watch is None or self._watch is not None or self._has_ended:
                return
            with suppress(OSError):  # without it the app shows what it is asked for
                self._watch = self._services.watch(self._tell_moved)

    def _tell_moved(self, moved: frozenset[Moved]) -> None:
        self.post_message(fact.HostChangeNotified(moved))

    def _end_watch(self) -> None:
        with self._watch_lock:
            self._has_ended = True
            if self._watch is not None:
                self._watch.close()

    @in_thread("report", exclusive=True)
    def _examine_snapshot(
        self, taken: fact.SnapshotTaken, shown: Snapshot | None, read_at: float, folded: frozenset[str] | None
    ) -> None:
        """``folded``: what is folded away on the map; None while that isn't on show."""
        try:
            report = self._services.examine(taken.snapshot)
            ready = _since(shown, taken, read_at, report)
            if folded is not None:
                map_tree.make_ready(taken.snapshot, report, folded)
        except Exception as error:  # noqa: BLE001  a check's fault must not end the app
            ready = fact.ReportReady(taken, None, trouble(error))
        give_back()
        if not get_current_worker().is_cancelled:
            self.post_message(ready)

    def tidy_later(self) -> None:
        """Tidy the memory when nobody types; that one look at the host is over is reason enough, once."""
        if self._tidying is None:
            self._tidying = self.set_timer(PAUSE, self._tidy)

    def _tidy(self) -> None:
        self._tidying = None
        if self.is_left_alone(PAUSE) and not self.is_reading:
            tidy()
        else:
            self.tidy_later()

    @property
    def is_reading(self) -> bool:
        """Whether a look at the host is under way: what it made is not to be looked through over and over."""
        return any(item.group in {"snapshot", "report"} and not item.is_finished for item in self.workers)

    @in_thread("drawing", exclusive=True)
    def _draw(self, snapshot: Snapshot, row: str) -> None:
        from dnet_tui.tui.app.present.map.topology import drawing  # noqa: PLC0415  the walk: in the worker

        try:
            made = DrawingMade(drawing(snapshot, row))
        except Exception as error:  # noqa: BLE001  what was not seen can't be walked: told
            made = DrawingMade((), trouble(error))
        if not get_current_worker().is_cancelled:
            self.post_message(made)

    @in_thread("journal", exclusive=True)
    def _read_journal(self) -> None:
        if self._services.journal is None:
            return
        with suppress(Exception):  # an unreadable journal is told where something is to be undone
            self.post_message(fact.JournalRead(self._services.journal()))

    @in_thread("change")
    def _apply_fix(self, finding: Finding) -> None:
        self._change_host(f"Fix {finding.check}", lambda: (self._services.apply_fix or refuse)(finding))

    @in_thread("change")
    def _undo_change(self, entry: str) -> None:
        self._change_host("Undo", lambda: (self._services.undo or refuse)(entry))

    @in_thread("plan", exclusive=True)
    def _plan_change(self, snapshot: Snapshot, draft: Draft) -> None:
        try:
            planned = fact.ChangePlanned(draft, (self._services.plan or refuse)(snapshot, draft))
        except Exception as error:  # noqa: BLE001  a field that doesn't fit, or a fault of ours: both are shown
            planned = fact.ChangePlanned(draft, None, trouble(error))
        if not get_current_worker().is_cancelled:
            self.post_message(planned)

    @in_thread("change")
    def _make_change(self, planned: PlannedChange) -> None:
        self._change_host(planned.title, lambda: (self._services.make or refuse)(planned))

    @in_thread("change")
    def _look_up_change(self) -> None:
        try:
            change = (self._services.last_change or refuse)()
        except Exception as error:  # noqa: BLE001  an unreadable journal must not end the app
            self.post_message(fact.ChangeApplied("Undo", (), trouble(error)))
        else:
            self.post_message(fact.ChangeFound(change))

    def end_changes(self) -> None:
        """Wait until no change of the host is under way."""
        with self._changing:
            return

    def _change_host(self, title: str, change: Callable[[], list[str]]) -> None:
        try:
            with self._changing:
                lines = tuple(change())
        except Exception as error:  # noqa: BLE001  what failed is told in the dialog
            self.post_message(fact.ChangeApplied(title, (), trouble(error)))
        else:
            self.post_message(fact.ChangeApplied(title, lines))

    @in_thread("capture", exclusive=True)
    def _capture_packets(self, serial: int, points: tuple[str, ...], expression: str, snapshot: Snapshot) -> None:
        worker = get_current_worker()
        wrong: ErrorInfo | None = None
        try:
            source = (self._services.open_capture or refuse)(points, expression, snapshot)
            try:
                self.post_message(packets.CaptureOpened(serial, source))
                shown: tuple[object, ...] = ()
                while not worker.is_cancelled and wrong is None:
                    batch = source.poll(POLL, self.wanted_for_keys)
                    # The rows are made here, not where keys are waited for.
                    seen = (batch.received, batch.dropped, id(source.view()))
                    if seen != shown:
                        shown = seen
                        self.post_message(packets.PacketsCaptured(serial, batch.received, batch.dropped))
                    wrong = ErrorInfo(message=batch.ended) if batch.ended else None
            finally:
                source.close()
        except Exception as error:  # noqa: BLE001  no permission, a wrong filter, a vanished interface: all are told
            wrong = trouble(error)
        self.post_message(packets.CaptureEnded(serial, wrong))

    @in_thread("filter", exclusive=True)
    def _check_filter(self, asked: packets.CaptureAsked) -> None:
        try:
            if self._services.check_filter is not None:
                self._services.check_filter(asked.expression)
        except Exception as error:  # noqa: BLE001  a wrong expression, no compiler for it: both are told
            self.post_message(packets.CaptureRefused(trouble(error)))
        else:
            self.post_message(packets.CaptureAsked(asked.points, asked.expression, checked=True))

    @in_thread("save")
    def _save_capture(self, source: CaptureSource, name: str) -> None:
        try:
            saved = packets.CaptureSaved(source.save(name))
        except Exception as error:  # noqa: BLE001  a full disk, a file that is there already: told
            saved = packets.CaptureSaved("", trouble(error))
        self.post_message(saved)


def _since(shown: Snapshot | None, taken: fact.SnapshotTaken, read_at: float, report: Report) -> fact.ReportReady:
    """The report, with what differs from the snapshot on show and was counted since that was read."""
    now = taken.snapshot
    if shown is None or shown is now:
        return fact.ReportReady(taken, report)
    from dnet_tui.diagnostics.difference.rates import counted, link_traffic  # noqa: PLC0415  when there are two
    from dnet_tui.diagnostics.difference.snapshots import compare  # noqa: PLC0415  in the worker, when there are two

    return fact.ReportReady(
        taken,
        report,
        changes=compare(shown, now).changes,
        traffic=link_traffic(shown, now, taken.at - read_at),
        counted=counted(shown, now),
    )


def refuse(*_: object) -> NoReturn:
    """Stand for a service that there is not."""
    raise DnetError("This isn't possible here.")


def trouble(error: Exception) -> ErrorInfo:
    """Return an error in words; one that isn't ours is named by its type."""
    if isinstance(error, DnetError):
        return ErrorInfo(message=error.message, hint=error.hint)
    return ErrorInfo(message=f"{type(error).__name__}: {error}", hint="This is a fault of dnet-tui; please report it.")
