"""Mode 5: packets at one or several points, each one row; the selected one in full below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input

from dnet_tui.inspect.capture.board.display_filter import EXAMPLE
from dnet_tui.tui.app.model.capture_messages import CaptureCleared, CaptureFollowed, CaptureSaveAsked
from dnet_tui.tui.app.model.messages import ListFiltered
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present.capture import packet_detail, packets
from dnet_tui.tui.app.screens.capturing import CapturingScreen
from dnet_tui.tui.app.widgets.bar import Bar
from dnet_tui.tui.app.widgets.capture_pane import CapturePane
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.listing import Listing
from dnet_tui.tui.app.widgets.point_panes import PANES, PointPanes

_FILTER_AT = 11
"""The cell in which the display filter's first character stands."""


class CaptureScreen(CapturingScreen):
    """Packets, joined across the points; a display filter; the packet's fields and bytes."""

    shows = "capture"
    filter_hint = f"{EXAMPLE}; Esc clears"
    AUTO_FOCUS = "#packets"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit_filter", "pcap filter"),
        Binding("v", "side_by_side", "side by side"),
        Binding("f", "follow", "follow"),
        Binding("x", "clear_packets", "clear"),
        Binding("w", "save", "save"),
        Binding("enter", "drill", "packet"),
    ]

    _page = -1
    """Which four points are shown side by side; none of them: one table."""

    def panes(self) -> Iterable[Widget]:
        """Return the capture pane above the packet's detail."""
        detail = DetailPane(id="capture-detail")
        detail.add_class("pane")
        detail.border_title = "Packet"
        panes = (CapturePane(id="capture", classes="pane"), PointPanes(id="capture-sides"), detail)
        return (Vertical(*panes, id="capture-body"),)

    def foot(self) -> Iterable[Widget]:
        """Return the line that says what is wrong with the display filter."""
        return (Bar(id="filter-wrong"),)

    def paint(self, state: AppState) -> None:
        """Show the packets and the selected one."""
        self.query_one(CapturePane).show(state, self.points(state), can_capture=self.can_capture)
        if self._page * PANES >= len(state.capture.board.points):
            self._show_page(-1)
        if self._page >= 0:
            self._paint_sides()
        wrong = self.query_one("#filter-wrong", Bar)
        wrong.show(packets.problem_line(state.capture.wrong, _FILTER_AT, self.size.width))
        wrong.set_class(state.capture.wrong is not None, "-wrong")
        self._packet()

    def _paint_sides(self) -> None:
        board = self.state.capture.board
        selected = self.query_one("#packets", Listing).selected
        self.query_one(PointPanes).show(board, self._page, board.points, selected)

    def _packet(self) -> None:
        listing, board = self.query_one("#packets", Listing), self.state.capture.board
        known = 0 <= listing.cursor < len(board.rows)
        shown = packet_detail.detail(board.rows[listing.cursor], board.points) if known else packet_detail.NOTHING
        self.query_one("#capture-detail", DetailPane).show(shown, listing.selected)

    @on(Listing.Moved, "#packets")
    def packet_selected(self) -> None:
        """Show the packet under the cursor."""
        self._packet()

    @on(Listing.Moved, ".side-rows")
    def packet_selected_at_a_point(self, event: Listing.Moved) -> None:
        """Show the packet under the cursor of a point's pane."""
        event.stop()
        self.query_one("#packets", Listing).put_cursor(event.row)

    def action_side_by_side(self) -> None:
        """Show each point in a pane of its own, the next four, and after the last the one table again."""
        held = self._packet_list.has_focus or self.is_alone  # else nothing would be seen of it
        following = (self._page + 1) * PANES
        self._show_page(self._page + 1 if following < len(self.state.capture.board.points) else -1)
        if held:
            self.focus_list()

    def _show_page(self, page: int) -> None:
        self._page = page
        self.set_class(page >= 0, "-sides")
        if page >= 0:
            self._paint_sides()

    @property
    def _packet_list(self) -> Listing:
        """The list of packets that has the keys, or would get them."""
        panes = self.query_one(PointPanes).lists if self._page >= 0 else []
        shown = panes or [self.query_one("#packets", Listing)]
        return next((item for item in shown if item.has_focus), shown[0])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what there is something for."""
        if action == "edit_filter":
            return self.can_capture
        if action in {"follow", "clear_packets", "save"}:
            return self.state.capture.board.total > 0
        if action == "side_by_side":
            return len(self.state.capture.board.points) > 1
        if action == "drill":
            return bool(self.state.capture.board.rows) and self._packet_list.has_focus
        return super().check_action(action, parameters)

    @on(Listing.Opened, ".packet-rows")
    def action_drill(self) -> None:
        """Go to the packet's fields."""
        self.set_focus(self.query_one("#capture-detail"))

    def action_edit_filter(self) -> None:
        """Edit the pcap filter: what is captured."""
        self.set_focus(self.query_one("#pcap", Input))

    def action_follow(self) -> None:
        """Show the newest packet as it comes, or stay where the cursor is."""
        self.post_message(CaptureFollowed(wanted=not self.state.capture.board.follow))

    def action_clear_packets(self) -> None:
        """Forget what came."""
        self.post_message(CaptureCleared())

    def action_save(self) -> None:
        """Write what came to a pcapng file."""
        self.post_message(CaptureSaveAsked())

    def focus_list(self) -> None:
        """Give the keys to the packets."""
        self.set_focus(self._packet_list)

    def focus_packets(self) -> None:
        """Give the keys to the packets."""
        self.focus_list()

    def first_pane(self) -> Widget:
        """Return the packets."""
        return self._packet_list

    def can_go_back(self) -> bool:
        """Whether there is something to go back from."""
        away = self.has_class("-max") or not self._packet_list.has_focus
        return away or self._page >= 0 or bool(self.state.filter(self.shows))

    def action_back(self) -> None:
        """Back to the packets; from there out of the filter, and from the panes to the one table."""
        if self.has_class("-max"):
            self.action_enlarge()
        elif self._packet_list.has_focus and self.state.filter(self.shows):
            self.post_message(ListFiltered(self.shows, ""))
        elif self._packet_list.has_focus and self._page >= 0:
            self._show_page(-1)
        self.focus_list()
