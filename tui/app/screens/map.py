"""Mode 1: what is connected to what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.widget import Widget

from dnet_tui.tui.app.model.messages import DrawingAsked, RowFolded
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present.map import map_detail, map_tree
from dnet_tui.tui.app.present.styled_text import Row
from dnet_tui.tui.app.screens.base import ModeScreen
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.listing import Listing

_ROOMY = 120
"""From so many cells on the tree has columns for ports, NAT and traffic: as -wide in the style sheet."""


class MapScreen(ModeScreen):
    """Host → bridge → port → container, and everything known of the selected one."""

    shows = "map"
    AUTO_FOCUS = "#map-list"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "drill", "details"),
        Binding("d", "draw", "draw"),
        Binding("left", "fold", "fold", show=False),
        Binding("right", "unfold", "unfold", show=False),
    ]

    def panes(self) -> Iterable[Widget]:
        """Return the tree and the detail."""
        tree = Listing(id="map-list")
        tree.add_class("pane")
        tree.border_title = "Map"
        detail = DetailPane(id="map-detail")
        detail.add_class("pane", "right")
        detail.border_title = "Detail"
        return tree, detail

    def paint(self, state: AppState) -> None:
        """Show the tree and the selected item."""
        snapshot, report, folded = state.snapshot, state.report, state.selection.folded

        traffic = state.traffic if self.size.width >= _ROOMY else None

        def make() -> tuple[Row, ...]:
            return map_tree.rows(snapshot, report, folded, traffic) if snapshot else ()

        empty = state.busy or "nothing was read"
        key = (snapshot, report, folded, traffic, empty if snapshot is None else "")
        selected = self.show_rows(make, key, empty)
        detail = map_detail.detail(state.snapshot, state.report, selected, state.rates) if state.snapshot else ()
        self.query_one("#map-detail", DetailPane).show(detail, selected)

    @on(Listing.Opened, "#map-list")
    def action_drill(self) -> None:
        """Go to the detail."""
        self.set_focus(self.query_one("#map-detail"))

    def on_resize(self, event: Resize) -> None:
        """Show more where there is more room."""
        super().on_resize(event)
        if self.is_mounted and self.query("#map-list"):
            self.paint(self.state)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to draw where something may lead from, and to fold what has something below it."""
        if action == "draw":
            return self.state.selected(self.shows).partition(":")[0] in {"ctr", "link", "net"}
        if action in {"drill", "fold", "unfold"} and self.is_mounted:
            listing = self.query_one("#map-list", Listing)
            if not listing.has_focus or not listing.selected:
                return False
            shut = listing.selected in self.state.selection.folded
            return {"drill": True, "unfold": shut, "fold": not shut and self._is_foldable(listing)}[action]
        return super().check_action(action, parameters)

    @staticmethod
    def _is_foldable(listing: Listing) -> bool:
        """Whether the selected row has rows below it, or hangs under one: they come at once after it."""
        row, following = listing.rows[listing.cursor], listing.rows[listing.cursor + 1 : listing.cursor + 2]
        return bool(row.parent) or any(other.parent == row.id for other in following)

    def action_draw(self) -> None:
        """Draw the way from the selected row to the outside."""
        self.post_message(DrawingAsked(self.state.selected(self.shows)))

    def action_fold(self) -> None:
        """Fold the selected row; where there is nothing to fold, go to what it hangs under."""
        listing = self.query_one("#map-list", Listing)
        row = listing.rows[listing.cursor] if listing.selected else None
        if row is None:
            return
        has_children = any(other.parent == row.id for other in listing.rows)
        if has_children:
            self.post_message(RowFolded(row.id, shut=True))
        elif row.parent:
            listing.put_cursor(row.parent)

    def action_unfold(self) -> None:
        """Unfold the selected row."""
        listing = self.query_one("#map-list", Listing)
        if listing.selected in self.state.selection.folded:
            self.post_message(RowFolded(listing.selected, shut=False))
