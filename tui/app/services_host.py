"""The app's real services: this host, or a saved snapshot.

Everything heavy is imported when it is first used, in a worker thread: the
first screen is there before the readers are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.change_events import Moved, touched
from dnet_tui.tui.app.live import services_capture, services_flow, services_forms
from dnet_tui.tui.app.model.services import LastChange, Services, Watch
from dnet_tui.tui.app.model.timeline import JournalLine

if TYPE_CHECKING:
    from dnet_tui.inspect.snapshot.take_snapshot import Observer
    from dnet_tui.inspect.watch.rule_authors import RuleAuthors


def live(*, readonly: bool, follow: bool = True, docker_socket: str = "") -> Services:
    """Return the services of this host; with ``follow`` the app notices by itself when it changes.

    ``docker_socket`` is where Docker is asked; empty for where it usually listens.
    """
    host = LiveHost(docker_socket)
    return Services(
        take=host.take,
        refresh=host.refresh,
        watch=_watch if follow else None,
        examine=_examine,
        apply_fix=None if readonly else _apply_fix,
        last_change=None if readonly else _last_change,
        undo=None if readonly else _undo,
        open_capture=services_capture.open_capture,
        check_filter=services_capture.check_filter,
        open_flow=services_flow.open_flow,
        probe=services_flow.probe,
        save=services_flow.save,
        authors=host.authors,
        journal=_journal,
        plan=None if readonly else services_forms.plan_change,
        make=None if readonly else lambda planned: services_forms.make_change(planned, host.take),
    )


def saved(path: Path) -> Services:
    """Return the services of a snapshot file: to look at, nothing else."""

    def take() -> Snapshot:
        from dnet_tui.inspect.archive.snapshot_file import load  # noqa: PLC0415  in the worker, not before the first screen

        return load(path)

    return Services(take=take, examine=_examine, save=services_flow.save)


class LiveHost:
    """Reads this host again and again: what nothing says has changed isn't read anew when it only moved."""

    def __init__(self, docker_socket: str = "") -> None:
        self._lock = threading.Lock()
        self._docker_socket = docker_socket
        self._observer: Observer | None = None
        self._authors: RuleAuthors | None = None

    def take(self) -> Snapshot:
        """Read everything; from the first time on it is noted who writes rules."""
        with self._lock:
            if self._authors is None:
                from dnet_tui.inspect.watch.rule_authors import RuleAuthors  # noqa: PLC0415  as above

                with suppress(OSError):  # without it nobody is named
                    self._authors = RuleAuthors()
            return self._observing().take()

    def refresh(self, shown: Snapshot, moved: frozenset[Moved]) -> Snapshot:
        """Read what moved since ``shown``."""
        with self._lock:
            return self._observing().refresh(touched(shown, moved))

    def authors(self) -> tuple[str, ...]:
        """The processes that wrote rules since this was last asked, but for this one."""
        with self._lock:
            found = self._authors.take() if self._authors is not None else ()
            return tuple(dict.fromkeys(f"{item.name} (process {item.pid})" for item in found))

    def _observing(self) -> Observer:
        from dnet_tui.inspect.snapshot.take_snapshot import Observer, Options  # noqa: PLC0415  in the worker, not before the first screen

        if self._observer is None:
            self._observer = Observer(Options(docker_socket=self._docker_socket))
        return self._observer


def _watch(notify: Callable[[frozenset[Moved]], None]) -> Watch:
    from dnet_tui.inspect.watch.host_events import HostEvents  # noqa: PLC0415  in the worker, not before the first screen

    return HostEvents(notify).start()


def _examine(snapshot: Snapshot) -> Report:
    from dnet_tui.diagnostics.checks.run_checks import run_checks  # noqa: PLC0415  in the worker, not before the first screen
    from dnet_tui.tui.app.live.examined_apart import examined_apart, is_big  # noqa: PLC0415  as above

    return examined_apart(run_checks, snapshot) if is_big(snapshot) else run_checks(snapshot)


def _apply_fix(finding: Finding) -> list[str]:
    """Apply one finding's remedy, look again and probe; the user has confirmed this very plan."""
    from dnet_tui.actions.plans.plan import plan_for  # noqa: PLC0415  as above
    from dnet_tui.actions.repair.host_io import HostRepairIO, repair_session  # noqa: PLC0415  as above
    from dnet_tui.actions.repair.session import GOOD, Repair  # noqa: PLC0415  only when something is fixed

    (result,) = repair_session(HostRepairIO()).run((Repair(finding=finding, plan=plan_for(finding)),))
    if result.status not in GOOD:
        raise ActionFailedError(result.text, result.hint)
    return [*result.text.splitlines(), result.hint] if result.hint else result.text.splitlines()


def _last_change() -> LastChange:
    from dnet_tui.actions.execution.undo import choose, preview  # noqa: PLC0415  as above
    from dnet_tui.actions.journal.journal import here, read, state_folder  # noqa: PLC0415  only when something is undone

    entries, _ = read(state_folder())
    entry = choose(entries, None, here())
    return LastChange(entry=entry.id, title=entry.title, commands=preview(entry))


def _journal() -> tuple[JournalLine, ...]:
    from dnet_tui.actions.execution.undo import preview  # noqa: PLC0415  only when the journal is looked at
    from dnet_tui.actions.journal.entries import elsewhere  # noqa: PLC0415  as above
    from dnet_tui.actions.journal.journal import here, read, state_folder  # noqa: PLC0415  as above

    entries, _ = read(state_folder())
    place = here()
    return tuple(
        JournalLine(
            entry=entry.id,
            time=entry.time,
            title=entry.title,
            status=entry.status,
            reason=entry.reason,
            undo=preview(entry) if entry.status != "undone" and not elsewhere(entry, place) else (),
        )
        for entry in entries
    )


def _undo(entry: str) -> list[str]:
    from dnet_tui.actions.execution.execute import HostExecutor  # noqa: PLC0415  only when something is undone
    from dnet_tui.actions.execution.undo import undo_entry  # noqa: PLC0415  as above
    from dnet_tui.actions.journal.journal import state_folder  # noqa: PLC0415  as above

    result = undo_entry(HostExecutor(), state_folder(), entry)
    return [f"entry {result.entry.id} is undone", *result.notes]
