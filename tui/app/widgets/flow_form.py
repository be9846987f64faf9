"""The line in which a flow is given: from, to, port; each field completes from the list below it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label

from dnet_tui.tui.app.widgets.entry import Entry

Field = Literal["from", "to", "port"]
FIELDS: tuple[Field, ...] = ("from", "to", "port")


class FlowForm(Horizontal):
    """Three fields on one line.  It posts what is typed and which field has the keys; its screen completes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "pick(1)", "down", show=False, priority=True),
        Binding("up", "pick(-1)", "up", show=False, priority=True),
        Binding("tab", "next", "next field", show=False, priority=True),
        Binding("shift+tab", "previous", "previous field", show=False, priority=True),
        Binding("escape", "leave", "back", show=False),
        Binding("ctrl+c", "leave", "back", show=False, priority=True),
    ]

    class Edited(Message):
        """A field was edited, or another one has the keys."""

    class Submitted(Message):
        """Enter in a field."""

    class Picked(Message):
        """The cursor of the list of places is to move."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class Left(Message):
        """The user wants back."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._asked: tuple[Field, ...] = FIELDS

    def compose(self) -> Iterator[Widget]:
        """Lay out the fields."""
        for field in FIELDS:
            yield Label(field, markup=False, classes=f"field-{field}")
            hint = "443, 53/udp, icmp" if field == "port" else "type to choose"
            box = Entry(placeholder=hint, id=f"flow-{field}", classes=f"field-{field}")
            yield box

    def box(self, field: Field) -> Input:
        """Return a field's input."""
        return self.query_one(f"#flow-{field}", Input)

    def value(self, field: Field) -> str:
        """Return what is in a field."""
        return self.box(field).value.strip()

    @property
    def has_keys(self) -> bool:
        """Whether one of the fields has them."""
        return any(self.box(item).has_focus for item in FIELDS)

    @property
    def field(self) -> Field:
        """The field that has the keys, else the first that is asked for."""
        return next((item for item in FIELDS if self.box(item).has_focus), self._asked[0])

    def fill(self, values: dict[Field, str], asked: tuple[Field, ...]) -> None:
        """Put values into the fields, and show those that are asked for."""
        self._asked = asked
        for field in FIELDS:
            self.box(field).value = values.get(field, "")
            for part in self.query(f".field-{field}"):
                part.display = field in asked

    def put(self, field: Field, text: str) -> None:
        """Complete a field."""
        box = self.box(field)
        box.value = text
        box.cursor_position = len(text)

    def take_keys(self) -> None:
        """Give the keys to the first field that is asked for and empty, else to the last."""
        empty = (item for item in self._asked if not self.value(item))
        self._go(next(empty, self._asked[-1]))

    def next_after(self, field: Field) -> Field | None:
        """Return the field that comes after one."""
        place = self._asked.index(field)
        return self._asked[place + 1] if place + 1 < len(self._asked) else None

    def go_on(self) -> bool:
        """Go to the next field; False when there is none."""
        after = self.next_after(self.field)
        if after is not None:
            self._go(after)
        return after is not None

    def _go(self, field: Field) -> None:
        # At once, not when the queue comes to it: what is typed ahead belongs there.
        self.screen.set_focus(self.box(field))
        self.post_message(self.Edited())

    def action_next(self) -> None:
        """Go to the next field, after the last to the first."""
        if not self.go_on():
            self._go(self._asked[0])

    def action_previous(self) -> None:
        """Go to the field before."""
        self._go(self._asked[self._asked.index(self.field) - 1])

    def action_pick(self, step: int) -> None:
        """Move in the list of places."""
        self.post_message(self.Picked(step))

    def action_leave(self) -> None:
        """Leave."""
        self.post_message(self.Left())

    @on(Input.Changed)
    def edited(self, event: Input.Changed) -> None:
        """Pass on that a field was edited."""
        event.stop()
        self.post_message(self.Edited())

    @on(Input.Submitted)
    def submitted(self, event: Input.Submitted) -> None:
        """Pass on that a field is done."""
        event.stop()
        self.post_message(self.Submitted())
