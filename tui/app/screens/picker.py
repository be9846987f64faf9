"""A dialog with a list to choose from, filtered as one types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input

from dnet_tui.tui.app.present.frame import Hint, hint_zones, hints
from dnet_tui.tui.app.present.styled_text import Row, best, filtered
from dnet_tui.tui.app.widgets.bar import Bar
from dnet_tui.tui.app.widgets.entry import Entry
from dnet_tui.tui.app.widgets.listing import Listing


class Picker(ModalScreen[str]):
    """Ends with the id of the chosen row, or with nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False),
        Binding("ctrl+c", "cancel", "cancel", show=False, priority=True),
        Binding("enter", "choose", "choose", show=False, priority=True),
        Binding("down", "move(1)", "down", show=False, priority=True),
        Binding("up", "move(-1)", "up", show=False, priority=True),
    ]

    def __init__(self, title: str, rows: Sequence[Row], selected: str) -> None:
        super().__init__(classes="-tall")
        self._title = title
        self._rows = tuple(rows)
        self._selected = selected

    def compose(self) -> Iterator[Widget]:
        """Lay out the filter over the list."""
        with Vertical(id="dialog") as box:
            box.border_title = Content(self._title)  # a str would be read as markup
            yield Entry(placeholder="type to filter", id="pick-words")
            yield Listing(id="dialog-list")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        """Show all there is."""
        self.query_one(Listing).show(self._rows, self._selected)
        keys = [Hint("↑ ↓", "move"), Hint("Enter", "choose", "enter"), Hint("Esc", "cancel", "escape")]
        self.query_one(Bar).show(hints(keys, 60), zones=hint_zones(keys, 60))
        self.set_focus(self.query_one(Input))

    @on(Input.Changed)
    def words_changed(self, event: Input.Changed) -> None:
        """Narrow the list."""
        event.stop()
        listing = self.query_one(Listing)
        wanted = best(self._rows, event.value) if event.value.strip() else listing.selected
        listing.show(filtered(self._rows, event.value), wanted, "nothing has that")

    @on(Input.Submitted)
    @on(Listing.Opened)
    def action_choose(self) -> None:
        """End with the row under the cursor."""
        chosen = self.query_one(Listing).selected
        if chosen:
            self.dismiss(chosen)

    def action_move(self, step: int) -> None:
        """Move the list's cursor while typing."""
        self.query_one(Listing).action_move(step)

    def action_cancel(self) -> None:
        """End without a choice."""
        self.dismiss(None)
