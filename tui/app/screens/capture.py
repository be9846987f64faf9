"""Mode 5: the capture pane, full screen, with the selected packet below."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input

from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present import packets
from dnet_tui.tui.app.screens.capturing import CapturingScreen
from dnet_tui.tui.app.widgets.capture_pane import CapturePane
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.listing import Listing


class CaptureScreen(CapturingScreen):
    """Packets at one point."""

    shows = "capture"
    AUTO_FOCUS = "#packets"

    def panes(self) -> Iterable[Widget]:
        """Return the capture pane above the packet's detail."""
        detail = DetailPane(id="capture-detail")
        detail.add_class("pane")
        detail.border_title = "Packet"
        return (Vertical(CapturePane(id="capture", classes="pane"), detail, id="capture-body"),)

    def paint(self, state: AppState) -> None:
        """Show the packets and the selected one."""
        self.query_one(CapturePane).show(state, self.point(state), can_capture=self.can_capture)
        self._packet()

    def _packet(self) -> None:
        listing = self.query_one("#packets", Listing)
        known = self.state.capture.packets
        shown = packets.detail(known[listing.cursor]) if 0 <= listing.cursor < len(known) else ()
        self.query_one("#capture-detail", DetailPane).show(shown, listing.selected)

    @on(Listing.Moved, "#packets")
    def packet_selected(self) -> None:
        """Show the packet under the cursor."""
        self._packet()

    def action_filter(self) -> None:
        """Edit the pcap filter: here that is the filter."""
        if self.can_capture:
            self.set_focus(self.query_one("#pcap", Input))

    def action_back(self) -> None:
        """Back to the packets."""
        if self.has_class("-max"):
            self.action_enlarge()
        self.set_focus(self.query_one("#packets"))
