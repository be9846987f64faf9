"""The capture pane: where, what, and the packets as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from dnet_tui.inspect.capture.board.capture_board import BoardView
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present.capture import packets, points
from dnet_tui.tui.app.present.styled_text import fit
from dnet_tui.tui.app.widgets.bar import Bar
from dnet_tui.tui.app.widgets.entry import Entry
from dnet_tui.tui.app.widgets.listing import Listing

BRIEF = 70
"""Below so many cells a packet is told in fewer words."""


class CapturePane(Vertical):
    """Shows the app's one capture, more briefly where there is little room."""

    def __init__(self, *, id: str, classes: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id, classes=classes)
        self.border_title = "Capture"
        self._shown: tuple[BoardView, bool, bool] | None = None
        self._ready = False
        self._late: Callable[[], None] | None = None

    def on_mount(self) -> None:
        """Show what was to be shown before there was anything to show it in."""
        self._ready = True
        if self._late is not None:
            self._late()

    def compose(self) -> Iterator[Widget]:
        """Lay out the point, the filter, the status and the rows."""
        with Horizontal(id="capture-where"):
            yield Bar(id="capture-point")
            box = Entry(id="pcap")
            yield box
        yield Bar(id="capture-status")
        rows = Listing(id="packets", follow=True)
        rows.add_class("packet-rows")
        yield rows

    def show(self, state: AppState, chosen: tuple[str, ...], *, can_capture: bool) -> None:
        """Show the state's capture; it would start at the points that are ``chosen``."""
        if not self._ready:
            self._late = partial(self.show, state, chosen, can_capture=can_capture)
            return
        capture = state.capture
        board = capture.board
        wanted = tuple(points.label(state.snapshot, point) for point in capture.running or chosen)
        labels = board.points if board.points and (capture.running or board.total) else wanted
        self.query_one("#capture-point", Bar).show(packets.points_line(labels or ("",)))
        other = wanted if board.total and not capture.running and chosen != capture.started else ()
        status = packets.status(capture, wanted, frozen=state.frozen, can_capture=can_capture, other=other)
        self.query_one("#capture-status", Bar).show(fit(status, max(self.size.width - 1, 1)))
        box = self.query_one("#pcap", Input)
        box.disabled = not can_capture
        if not box.has_focus and box.value != capture.filter:
            box.value = capture.filter
        self.set_class(bool(capture.running or board.total), "-live")
        brief = self.size.width < BRIEF
        waiting = bool(capture.running)
        if self._shown is None or board is not self._shown[0] or (brief, waiting) != self._shown[1:]:
            self._show_rows(board, brief=brief, waiting=waiting)

    def _show_rows(self, board: BoardView, *, brief: bool, waiting: bool) -> None:
        followed = self._shown[0].follow if self._shown else True
        self._shown = (board, brief, waiting)
        listing = self.query_one("#packets", Listing)
        listing.follow = board.follow
        empty = "nothing passes the filter" if board.kept else "no packet has come yet" if waiting else ""
        listing.show(packets.rows(board, brief=brief), listing.selected, empty)
        if board.follow and not followed:
            listing.action_jump(-1)

    @property
    def expression(self) -> str:
        """The filter as it is typed now."""
        return self.query_one("#pcap", Input).value.strip()
