"""The app's state: one frozen value, replaced as a whole.

Screens are a function of it.  Freezing means that ``snapshot``, ``report``
and the packets are not replaced; nothing else stops.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dnet_tui.diagnostics.difference.rates import Rates
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.capture.board.capture_board import BoardView
from dnet_tui.inspect.model import LinkRef, Snapshot
from dnet_tui.tui.app.model.guided import GuidedView
from dnet_tui.tui.app.model.timeline import TIMELINE_KEPT, JournalLine, TimelineEntry

ModeId = str
"""Names a mode; the modes there are stand in one place, :data:`dnet_tui.tui.app.modes.MODES`."""


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Something went wrong: what, and the next step."""

    message: str
    hint: str = ""


class FilterProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a display filter, and at which characters of it; no length: something is missing there."""

    message: str
    position: int
    length: int


class CaptureView(msgspec.Struct, frozen=True, kw_only=True):
    """A capture: where, what for, and what came of it.

    ``board`` is what there is to see, which stays when the capture ends; ``received``
    counts all packets, and ``dropped`` those that the kernel had no room for.
    """

    points: tuple[str, ...] = ()
    """Chosen by the user; none means "whatever is selected"."""
    filter: str = ""
    """A pcap-filter(7) expression: what is captured."""
    running: tuple[str, ...] = ()
    """The points that are captured at now; none when nothing is."""
    started: tuple[str, ...] = ()
    """The points of what is shown."""
    board: BoardView = BoardView(points=())
    wrong: FilterProblem | None = None
    """Of the display filter as it is typed."""
    received: int = 0
    dropped: int = 0
    trouble: ErrorInfo | None = None


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What the user chose, by id, for each mode; it survives refreshes."""

    rows: dict[str, str] = {}
    filters: dict[str, str] = {}
    folded: frozenset[str] = frozenset()
    unfolded: frozenset[str] = frozenset()
    """Rows that were opened by hand, of those that are folded unless they are."""
    namespace: str = ""
    """Whose rules are shown; empty for the host's."""
    about: str = ""
    """Only rules that concern this container, network or address are shown; empty for all."""
    about_label: str = ""


class ConcerningRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a snapshot that concern something: their rows' ids, by namespace, or why there are none."""

    about: str
    snapshot: Snapshot
    rows: dict[str, frozenset[str]] = {}
    trouble: str = ""


class AppState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the screens are made of.  ``busy`` says what is being done just now.

    ``read_at`` is when the snapshot was read (:func:`time.monotonic`);
    ``rates`` compare it with the one that was shown before.
    """

    snapshot: Snapshot | None = None
    read_at: float = 0.0
    rates: Rates | None = None
    traffic: tuple[Mapping[LinkRef, float], ...] = ()
    """Bytes a second of the host's links between two looks, the newest last."""
    report: Report | None = None
    selection: Selection = Selection()
    concerning: ConcerningRules | None = None
    capture: CaptureView = CaptureView()
    guided: GuidedView = GuidedView()
    timeline: tuple[TimelineEntry, ...] = ()
    """What changed since the app was opened, oldest first."""
    journal: tuple[JournalLine, ...] = ()
    frozen: bool = False
    busy: str = ""
    trouble: ErrorInfo | None = None
    may_write: bool = False
    offline: bool = False

    def selected(self, mode: ModeId) -> str:
        """Return the id of the row that is selected in a mode."""
        return self.selection.rows.get(mode, "")

    def filter(self, mode: ModeId) -> str:
        """Return the words a mode's list is filtered by."""
        return self.selection.filters.get(mode, "")


def changed(state: AppState, **fields: object) -> AppState:
    """Return ``state`` with some fields replaced."""
    return msgspec.structs.replace(state, **fields)


def looked(
    state: AppState,
    snapshot: Snapshot,
    report: Report | None,
    read_at: float,
    trouble: ErrorInfo | None,
    counted: Snapshot | None = None,
) -> AppState:
    """Return ``state`` with a newer snapshot and its report; ``counted`` is what rates need of the one on show."""
    earlier = state.snapshot
    if earlier is snapshot:  # the first one, which is shown before its report is there
        rates = state.rates
    else:
        rates = Rates(counted or earlier, snapshot, read_at - state.read_at) if earlier is not None else None
    return changed(state, snapshot=snapshot, report=report, read_at=read_at, rates=rates, trouble=trouble)


TRAFFIC_KEPT = 8
"""So many looks at the host's traffic are kept."""


def with_traffic(state: AppState, traffic: Mapping[LinkRef, float]) -> AppState:
    """Return ``state`` with one more look at the host's traffic."""
    return changed(state, traffic=(*state.traffic, traffic)[-TRAFFIC_KEPT:]) if traffic else state


def with_news(state: AppState, entries: tuple[TimelineEntry, ...]) -> AppState:
    """Return ``state`` with more on its timeline, as much as is kept."""
    return changed(state, timeline=(*state.timeline, *entries)[-TIMELINE_KEPT:]) if entries else state


def select(state: AppState, mode: ModeId, row: str) -> AppState:
    """Return ``state`` with another row selected in a mode."""
    return _chosen(state, rows=state.selection.rows | {mode: row})


def filter_by(state: AppState, mode: ModeId, words: str) -> AppState:
    """Return ``state`` with a mode's list filtered."""
    return _chosen(state, filters=state.selection.filters | {mode: words})


def fold(state: AppState, row: str, *, shut: bool) -> AppState:
    """Return ``state`` with a row folded or unfolded."""
    folded, unfolded = state.selection.folded, state.selection.unfolded
    if shut:
        return _chosen(state, folded=folded | {row}, unfolded=unfolded - {row})
    return _chosen(state, folded=folded - {row}, unfolded=unfolded | {row})


def look_into(state: AppState, namespace: str) -> AppState:
    """Return ``state`` with the rules of another namespace on show."""
    return _chosen(state, namespace=namespace)


def look_at_rules_of(state: AppState, about: str, label: str) -> AppState:
    """Return ``state`` with only the rules on show that concern something; with all when ``about`` is empty."""
    return _chosen(state, about=about, about_label=label)


def capturing(state: AppState, **fields: object) -> AppState:
    """Return ``state`` with fields of its capture replaced."""
    return changed(state, capture=msgspec.structs.replace(state.capture, **fields))


def guiding(state: AppState, **fields: object) -> AppState:
    """Return ``state`` with fields of its guided check replaced."""
    return changed(state, guided=msgspec.structs.replace(state.guided, **fields))


def _chosen(state: AppState, **fields: object) -> AppState:
    return changed(state, selection=msgspec.structs.replace(state.selection, **fields))
