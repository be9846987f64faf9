"""The line in which a list is filtered: hidden until ``/`` is pressed, shown while it filters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label

from dnet_tui.tui.app.widgets.entry import Entry


class FilterBar(Horizontal):
    """Posts what is typed as it is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "clear the filter", show=False),
        Binding("ctrl+c", "clear", "clear the filter", show=False, priority=True),
        Binding("down,tab", "leave", "to the list", show=False),
    ]

    def __init__(self, hint: str, *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._hint = hint

    class Changed(Message):
        """Other words are wanted."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class Left(Message):
        """The user is done typing."""

    def compose(self) -> Iterator[Widget]:
        """Lay out the label and the input."""
        yield Label("filter /", markup=False)
        yield Entry(placeholder=self._hint, id="filter-words")

    def open(self) -> None:
        """Show the line and take the keys."""
        self.add_class("-open")
        # At once, not when the queue comes to it: what is typed ahead belongs here.
        self.screen.set_focus(self.query_one(Input))

    def show(self, words: str) -> None:
        """Follow the state: a filter that is in force stays visible."""
        box = self.query_one(Input)
        if box.value != words and not box.has_focus:
            box.value = words
        self.set_class(bool(words) or box.has_focus, "-open")

    @on(Input.Changed, "#filter-words")
    def words_changed(self, event: Input.Changed) -> None:
        """Pass the words on."""
        event.stop()
        if self.has_class("-open"):
            self.post_message(self.Changed(event.value))

    @on(Input.Submitted, "#filter-words")
    def words_submitted(self, event: Input.Submitted) -> None:
        """Go back to the list, filtered."""
        event.stop()
        self.action_leave()

    def action_leave(self) -> None:
        """Give the keys back; the filter stays."""
        self.set_class(bool(self.query_one(Input).value), "-open")
        self.post_message(self.Left())

    def action_clear(self) -> None:
        """Drop the filter and hide."""
        self.query_one(Input).value = ""
        self.post_message(self.Changed(""))
        self.remove_class("-open")
        self.post_message(self.Left())
