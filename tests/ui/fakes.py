"""A host that isn't there: services for the app that remember what was asked of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.capture.board.capture_board import CaptureBoard
from dnet_tui.inspect.capture.correlation.correlator import Correlator
from dnet_tui.inspect.capture.packet import CapturedPacket
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.change_events import Moved
from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.joined_packets import JoinedPackets
from dnet_tui.tui.app.live import services_forms
from dnet_tui.tui.app.live.services_capture import check_filter
from dnet_tui.tui.app.model.forms import PlannedChange
from dnet_tui.tui.app.model.guided import Answered, ProbeLine, SeenPacket
from dnet_tui.tui.app.model.services import Batch, FlowBatch, LastChange, Services
from dnet_tui.tui.app.model.timeline import JournalLine
from ui import hosts

LAST_CHANGE = LastChange(entry="0007", title="ip-forward-off", commands=("sysctl -w net.ipv4.ip_forward=0",))


class FakeCapture(JoinedPackets):
    """A capture source that gives what is fed to it, joined as on a real host."""

    def __init__(self, *labels: str) -> None:
        names = labels or ("docker0",)
        super().__init__(CaptureBoard(names, Correlator(len(names)), names={"172.17.0.2": "web"}))
        self._waiting: list[CapturedPacket] = []
        self.dropped = 0
        self._received = 0
        self._fed = threading.Condition()
        self.ended = ""
        self.closed = threading.Event()
        self.saved: list[str] = []
        self.failure: DnetError | None = None
        self.gave_way: list[float] = []

    def feed(self, *packets: CapturedPacket) -> None:
        """Let packets arrive."""
        with self._fed:
            self._waiting += packets
            self._fed.notify()

    def poll(self, timeout: float, give_way: Callable[[], float]) -> Batch:
        """Join what arrived."""
        self.gave_way.append(give_way())
        with self._fed:
            if not self._waiting and not self.ended:
                self._fed.wait(min(timeout, 0.02))
            packets, self._waiting = tuple(self._waiting), []
        self._received += len(packets)
        if packets:
            self.take(packets, packets[-1].time_ns + 10_000_000_000)
        return Batch(received=self._received, dropped=self.dropped, ended=self.ended)

    def close(self) -> None:
        """Note that it was closed."""
        self.closed.set()

    def save(self, name: str) -> str:
        """Note what was to be saved."""
        if self.failure is not None:
            raise self.failure
        self.saved.append(name)
        return f"{len(self.packets())} packets are in /tmp/{name}"


class FakeFlow:
    """A flow's capture that gives what is fed to it."""

    def __init__(self, points: tuple[str, ...]) -> None:
        self.points = points
        self._waiting: list[SeenPacket] = []
        self._fed = threading.Condition()
        self.closed = threading.Event()
        self.ended = ""

    def feed(self, *packets: SeenPacket) -> None:
        """Let packets be seen."""
        with self._fed:
            self._waiting += packets
            self._fed.notify()

    def poll(self, timeout: float) -> FlowBatch:
        """Return what was seen."""
        with self._fed:
            if not self._waiting and not self.ended:
                self._fed.wait(min(timeout, 0.02))
            packets, self._waiting = tuple(self._waiting), []
        return FlowBatch(packets=packets, ended=self.ended)

    def close(self) -> None:
        """Note that it was closed."""
        self.closed.set()


class FakeWatch:
    """Listens for nothing; :meth:`FakeHost.move` tells what moved."""

    def __init__(self, notify: Callable[[frozenset[Moved]], None]) -> None:
        self.notify = notify
        self.closed = False

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


class FakeHost:
    """The services, and a record of the calls."""

    def __init__(self, snapshot: Snapshot | None = None, report: Report | None = None) -> None:
        self.snapshot = snapshot or hosts.host()
        self.report = report or hosts.sick()
        self.capture = FakeCapture()
        self.failure: DnetError | None = None
        self.fix_failure: DnetError | None = None
        self.release = threading.Event()
        self.release.set()
        """While it is clear, reading the host takes its time."""
        self.taken = 0
        self.fixed: list[Finding] = []
        self.undone: list[str] = []
        self.captured: list[tuple[tuple[str, ...], str]] = []
        self.refreshed: list[frozenset[Moved]] = []
        self.watches: list[FakeWatch] = []
        self.flows: list[FakeFlow] = []
        self.flow_failure: DnetError | None = None
        self.probed = 0
        self.saved: dict[str, str] = {}
        self.authors: tuple[str, ...] = ()
        self.journal: list[JournalLine] = []
        self.made: list[PlannedChange] = []

    def renew_capture(self, *labels: str) -> None:
        """The next capture that is opened is another one, at points of these names."""
        self.capture = FakeCapture(*labels)

    def services(self) -> Services:
        """Everything a live host offers."""
        return Services(
            take=self._take,
            examine=lambda _: self.report,
            apply_fix=self._fix,
            last_change=lambda: LastChange(
                entry="0007", title="ip-forward-off", commands=("sysctl -w net.ipv4.ip_forward=0",)
            ),
            undo=self._undo,
            open_capture=self._open,
            check_filter=check_filter,
            refresh=self._refresh,
            watch=self._watch,
            open_flow=self._open_flow,
            probe=self._probe,
            save=self._save,
            authors=self._take_authors,
            journal=lambda: tuple(self.journal),
            plan=services_forms.plan_change,
            make=self._make,
        )

    def app(self) -> DnetApp:
        """The app over this host."""
        return DnetApp(self.services())

    def move(self, *sections: str) -> None:
        """Tell the app that something moved, as a thread of its own would."""
        told = threading.Thread(
            target=self.watches[-1].notify, args=(frozenset(Moved(section) for section in sections),)
        )
        told.start()
        told.join()

    def _watch(self, notify: Callable[[frozenset[Moved]], None]) -> FakeWatch:
        self.watches.append(FakeWatch(notify))
        return self.watches[-1]

    def _refresh(self, shown: Snapshot, moved: frozenset[Moved]) -> Snapshot:
        assert shown is not None
        self.refreshed.append(moved)
        return self._take()

    def _take(self) -> Snapshot:
        self.taken += 1
        assert self.release.wait(5)
        if self.failure is not None:
            raise self.failure
        return self.snapshot

    def _fix(self, finding: Finding) -> list[str]:
        self.fixed.append(finding)
        if self.fix_failure is not None:
            raise self.fix_failure
        return [f"{finding.check} is gone", "`dnet-tui undo 0001` takes it back"]

    def _undo(self, entry: str) -> list[str]:
        self.undone.append(entry)
        return [f"entry {entry} is undone"]

    def _make(self, planned: PlannedChange) -> list[str]:
        if self.failure is not None:
            raise self.failure
        self.made.append(planned)
        return [planned.title, "`dnet-tui undo 0008` takes it back"]

    def _take_authors(self) -> tuple[str, ...]:
        authors, self.authors = self.authors, ()
        return authors

    def _open_flow(self, answered: Answered) -> FakeFlow:
        if self.flow_failure is not None:
            raise self.flow_failure
        self.flows.append(FakeFlow(answered.labels))
        return self.flows[-1]

    def _probe(self, answered: Answered) -> ProbeLine:
        assert answered.labels
        self.probed += 1
        return ProbeLine(text=f"probe {self.probed}: 0 answered", good=False)

    def _save(self, name: str, text: str) -> str:
        if self.failure is not None:
            raise self.failure
        self.saved[name] = text
        return f"/tmp/{name}"

    def _open(self, points: Sequence[str], expression: str, snapshot: Snapshot) -> FakeCapture:
        assert snapshot == self.snapshot
        self.captured.append((tuple(points), expression))
        if self.failure is not None:
            raise self.failure
        return self.capture
