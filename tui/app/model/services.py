"""What the app needs from outside, as callables: so that it runs in tests without a host.

:func:`dnet_tui.tui.app.app.run_app` fills this in with the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.capture.board.capture_board import BoardView
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.change_events import Moved
from dnet_tui.tui.app.model.forms import Draft, PlannedChange
from dnet_tui.tui.app.model.guided import Answered, ProbeLine, SeenPacket
from dnet_tui.tui.app.model.timeline import JournalLine


class Batch(NamedTuple):
    """The counts of a capture after a poll: packets that came, and those that the kernel dropped.

    ``ended`` says why the capture ended by itself (its interface went away);
    it is empty while it goes on.
    """

    received: int
    dropped: int
    ended: str = ""


class CaptureSource(Protocol):
    """A capture.  One thread polls and closes it; all else may be called from another, also after it was closed."""

    def poll(self, timeout: float, give_way: Callable[[], float]) -> Batch:
        """Join what comes in ``timeout`` seconds, and return the counts.

        ``give_way`` tells for how many seconds the processor is wanted elsewhere: packets wait in the kernel so long.
        """

    def close(self) -> None:
        """End the capture; always called, once."""

    def view(self) -> BoardView:
        """What there is to see; the same object as long as nothing changed."""

    def choose(self, text: str) -> None:
        """Show only what a display filter lets through; :class:`FilterError` says where it is wrong."""

    def pause(self, wanted: bool) -> None:  # noqa: FBT001  a state, not a switch
        """Leave the rows as they are, or go on."""

    def follow(self, wanted: bool) -> None:  # noqa: FBT001  a state, not a switch
        """Whether the newest row is to be shown."""

    def clear(self) -> None:
        """Forget what came."""

    def save(self, name: str) -> str:
        """Write a pcapng file of that name in the current folder; return what was written, and where."""


class FlowBatch(NamedTuple):
    """What one poll of a flow's capture brought; ``ended`` as in :class:`Batch`."""

    packets: tuple[SeenPacket, ...]
    ended: str = ""


class FlowSource(Protocol):
    """A running capture of one flow at several points.  Used by one thread only."""

    points: tuple[str, ...]
    """What the points are called."""

    def poll(self, timeout: float) -> FlowBatch:
        """Wait up to ``timeout`` seconds for packets and return those that are finished."""

    def close(self) -> None:
        """End the capture; always called, once."""


class Watch(Protocol):
    """Listens for changes of the host."""

    def close(self) -> None:
        """Stop; once it returned, nothing is told any more."""


class LastChange(NamedTuple):
    """The change that undo would take back: its journal entry, what it was, and the commands that undo it."""

    entry: str
    title: str
    commands: tuple[str, ...]


class Services(NamedTuple):
    """The app's only ways to the host.  All of them may block and raise; they run in worker threads.

    ``apply_fix`` and ``undo`` (of a journal entry) return lines that say what
    was done; like ``last_change`` they are None where nothing may be changed.
    ``open_capture`` takes points, a
    pcap-filter(7) expression and the snapshot the points are to be found in;
    it is None where there is no live host.
    ``check_filter`` raises where such an expression is wrong.
    ``refresh`` takes the snapshot that is shown and what moved,
    and returns a new snapshot.  ``watch`` starts to listen; what it is given
    is called, in any thread, with what moved.  Without one of
    them the app looks at the host only when it is asked to.
    ``open_flow`` captures a flow's packets at its links, ``probe`` sends real
    ones along it and says what came of it; both are None without a live host.
    ``save`` writes a text to a new file in the current folder, of the name
    that is given, and returns its path.  ``authors`` says which processes
    wrote rules since it was last asked, ``journal`` what dnet-tui itself did.
    ``plan`` says what a form comes to on a snapshot, ``make`` does it and says
    what was done; both are None where nothing may be changed.
    """

    take: Callable[[], Snapshot]
    examine: Callable[[Snapshot], Report]
    apply_fix: Callable[[Finding], list[str]] | None = None
    last_change: Callable[[], LastChange] | None = None
    undo: Callable[[str], list[str]] | None = None
    open_capture: Callable[[Sequence[str], str, Snapshot], CaptureSource] | None = None
    check_filter: Callable[[str], None] | None = None
    refresh: Callable[[Snapshot, frozenset[Moved]], Snapshot] | None = None
    watch: Callable[[Callable[[frozenset[Moved]], None]], Watch] | None = None
    open_flow: Callable[[Answered], FlowSource] | None = None
    probe: Callable[[Answered], ProbeLine] | None = None
    save: Callable[[str, str], str] | None = None
    authors: Callable[[], tuple[str, ...]] | None = None
    journal: Callable[[], tuple[JournalLine, ...]] | None = None
    plan: Callable[[Snapshot, Draft], PlannedChange] | None = None
    make: Callable[[PlannedChange], list[str]] | None = None
