"""The app's workers: they call the services in threads, touch no widget, and only post what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from textual import work
from textual.app import App
from textual.worker import get_current_worker

from dnet_tui.diagnostics.finding import Finding
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.tui.app import messages as fact
from dnet_tui.tui.app.services import Services
from dnet_tui.tui.app.state import Trouble

POLL = 0.25
"""Seconds between two looks at a running capture; nothing is drawn when nothing came."""


class HostApp(App[None]):
    """An app with services, and a worker for each of them."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services

    @work(thread=True, exclusive=True, group="snapshot")
    def _take_snapshot(self) -> None:
        try:
            taken = self._services.take()
        except Exception as error:  # noqa: BLE001  a reader's fault must not end the app
            self.post_message(fact.SnapshotFailed(_trouble(error)))
        else:
            self.post_message(fact.SnapshotTaken(taken))

    @work(thread=True, exclusive=True, group="report")
    def _examine_snapshot(self, snapshot: Snapshot) -> None:
        try:
            report = self._services.examine(snapshot)
        except Exception as error:  # noqa: BLE001  a check's fault must not end the app
            self.post_message(fact.ReportReady(snapshot, None, _trouble(error)))
        else:
            self.post_message(fact.ReportReady(snapshot, report))

    @work(thread=True, group="change")
    def _apply_fix(self, finding: Finding) -> None:
        self._change_host(f"Fix {finding.check}", lambda: (self._services.apply_fix or _refuse)(finding))

    @work(thread=True, group="change")
    def _undo_change(self, entry: str) -> None:
        self._change_host("Undo", lambda: (self._services.undo or _refuse)(entry))

    @work(thread=True, group="change")
    def _look_up_change(self) -> None:
        try:
            change = (self._services.last_change or _refuse)()
        except Exception as error:  # noqa: BLE001  an unreadable journal must not end the app
            self.post_message(fact.HostChanged("Undo", (), _trouble(error)))
        else:
            self.post_message(fact.ChangeFound(change))

    def _change_host(self, title: str, change: Callable[[], list[str]]) -> None:
        try:
            lines = tuple(change())
        except Exception as error:  # noqa: BLE001  what failed is told in the dialog
            self.post_message(fact.HostChanged(title, (), _trouble(error)))
        else:
            self.post_message(fact.HostChanged(title, lines))

    @work(thread=True, exclusive=True, group="capture")
    def _capture_packets(self, serial: int, point: str, expression: str, snapshot: Snapshot) -> None:
        worker = get_current_worker()
        trouble: Trouble | None = None
        try:
            source = (self._services.open_capture or _refuse)(point, expression, snapshot)
            try:
                counts = (-1, -1)
                while not worker.is_cancelled and trouble is None:
                    batch = source.poll(POLL)
                    if batch.packets or (batch.received, batch.dropped) != counts:
                        counts = (batch.received, batch.dropped)
                        self.post_message(fact.PacketsCaptured(serial, batch.packets, *counts))
                    trouble = Trouble(message=batch.ended) if batch.ended else None
            finally:
                source.close()
        except Exception as error:  # noqa: BLE001  no permission, a wrong filter, a vanished interface: all are told
            trouble = _trouble(error)
        self.post_message(fact.CaptureEnded(serial, trouble))


def _refuse(*_: object) -> NoReturn:
    raise DnetError("This isn't possible here.")


def _trouble(error: Exception) -> Trouble:
    """Return an error in words; one that isn't ours is named by its type."""
    if isinstance(error, DnetError):
        return Trouble(message=error.message, hint=error.hint)
    return Trouble(message=f"{type(error).__name__}: {error}", hint="This is a fault of dnet-tui; please report it.")
