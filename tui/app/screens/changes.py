"""Mode 6: what changed since the app was opened, by whom where the kernel says so, and what dnet-tui did, with undo."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from dnet_tui.tui.app.model.guided_messages import JumpAsked
from dnet_tui.tui.app.model.messages import ChangeFound, JournalAsked
from dnet_tui.tui.app.model.services import LastChange
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.model.timeline import JournalLine
from dnet_tui.tui.app.present import timeline_rows
from dnet_tui.tui.app.present.styled_text import Paragraph, Row, line, say
from dnet_tui.tui.app.screens.base import ModeScreen
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.listing import Listing

_OFFLINE = "a saved snapshot does not change; two are compared by: dnet-tui snapshot diff"
_WAITING = "Rules, links, routes, kernel parameters, containers and networks that change from now on are listed here."


class ChangesScreen(ModeScreen):
    """A timeline, newest first, and the selected entry in full."""

    shows = "changes"
    AUTO_FOCUS = "#changes-list"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "drill", "details"),
        Binding("u", "undo_this", "undo this"),
    ]

    def panes(self) -> Iterable[Widget]:
        """Return the timeline and the detail."""
        changes = Listing(id="changes-list", cut_last=True)
        changes.add_class("pane")
        changes.border_title = "Changes since the app was opened"
        detail = DetailPane(id="changes-detail")
        detail.add_class("pane", "right")
        detail.border_title = "Detail"
        return changes, detail

    def on_mount(self) -> None:
        """Have the style of a timeline."""
        self.add_class("-timeline")
        super().on_mount()

    def on_screen_resume(self) -> None:
        """Have the journal read: somebody else may have written it."""
        self.post_message(JournalAsked())

    def paint(self, state: AppState) -> None:
        """Show the timeline and the selected entry."""

        def make() -> tuple[Row, ...]:
            return timeline_rows.rows(state.timeline, state.journal)

        empty = state.busy or (_OFFLINE if state.offline else "nothing has changed so far")
        key = (state.timeline, state.journal, empty if not state.timeline else "")
        selected = self.show_rows(make, key, "" if state.offline else empty)
        nothing = (Paragraph(line(say(_OFFLINE if state.offline else _WAITING, "dim"))),)
        detail = timeline_rows.detail(state.timeline, state.journal, selected) or nothing
        self.query_one("#changes-detail", DetailPane).show(detail, selected)

    def _own(self) -> JournalLine | None:
        return timeline_rows.journal_of(self.state.journal, self.state.selected(self.shows))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to undo an entry that stands."""
        if action == "undo_this":
            own = self._own()
            return self.state.may_write and own is not None and bool(own.undo)
        if action == "drill" and self.is_mounted:
            listing = self.query_one("#changes-list", Listing)
            return listing.has_focus and bool(listing.selected)
        return super().check_action(action, parameters)

    @on(Listing.Opened, "#changes-list")
    def action_drill(self) -> None:
        """Go to the finding that came or went; of a change to its detail."""
        item = timeline_rows.entry_of(self.state.timeline, self.state.selected(self.shows))
        if item is not None and item.subject is not None and item.kind == "broken":
            self.post_message(JumpAsked("doctor", f"finding:{':'.join(item.subject)}"))
        else:
            self.set_focus(self.query_one("#changes-detail"))

    def action_undo_this(self) -> None:
        """Show how the entry is taken back, and ask."""
        own = self._own()
        if own is not None:
            self.post_message(ChangeFound(LastChange(entry=own.entry, title=own.title, commands=own.undo)))
