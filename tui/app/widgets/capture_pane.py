"""The capture pane: where, what, and the packets as they come."""

from __future__ import annotations

from collections.abc import Iterator

from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present import packets
from dnet_tui.tui.app.present.styled_text import fit, line, say
from dnet_tui.tui.app.widgets.bar import Bar
from dnet_tui.tui.app.widgets.listing import Listing

BRIEF = 70
"""Below so many cells a packet is told in fewer words."""


class CapturePane(Vertical):
    """Shows the app's one capture, more briefly where there is little room."""

    def __init__(self, *, id: str, classes: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id, classes=classes)
        self.border_title = "Capture"
        self._shown: tuple[object, ...] = ()

    def compose(self) -> Iterator[Widget]:
        """Lay out the point, the filter, the status and the rows."""
        with Horizontal(id="capture-where"):
            yield Bar(id="capture-point")
            box = Input(placeholder="no filter: / types one", id="pcap")
            box.cursor_blink = False
            yield box
        yield Bar(id="capture-status")
        yield Listing(id="packets", follow=True)

    def show(self, state: AppState, point: str, *, can_capture: bool) -> None:
        """Show the state's capture; ``point`` is where it would start."""
        capture = state.capture
        at = packets.label(state.snapshot, capture.running or point)
        self.query_one("#capture-point", Bar).show(line(say("at ", "dim"), say(at or "?", "info")))
        status = packets.status(capture, point, frozen=state.frozen, can_capture=can_capture)
        self.query_one("#capture-status", Bar).show(fit(status, max(self.size.width - 1, 1)))
        box = self.query_one("#pcap", Input)
        box.disabled = not can_capture
        if not box.has_focus and box.value != capture.filter:
            box.value = capture.filter
        self.set_class(bool(capture.running or capture.packets), "-live")
        brief = self.size.width < BRIEF
        key = (capture.packets, brief)
        if key != self._shown:
            self._shown = key
            listing = self.query_one("#packets", Listing)
            rows = packets.rows(capture.packets, brief=brief, total=capture.total)
            listing.show(rows, listing.selected)

    @property
    def expression(self) -> str:
        """The filter as it is typed now."""
        return self.query_one("#pcap", Input).value.strip()
