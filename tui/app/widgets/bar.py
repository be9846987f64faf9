"""One-line bars: the title at the top, the verdict, and the key hints at the bottom."""

from __future__ import annotations

from textual.events import Click
from textual.geometry import Size
from textual.message import Message

from dnet_tui.tui.app.present.frame import KeyZone
from dnet_tui.tui.app.present.styled_text import StyledLine, fit, pad, width_of
from dnet_tui.tui.app.widgets.painted import Painted


class Bar(Painted, can_focus=False):
    """One line: a left part that is cut if it must be, and a right part that is kept."""

    class Pressed(Message):
        """A key's hint or a mode's tab was clicked: it is as if the key was pressed."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._left: StyledLine = ()
        self._right: StyledLine = ()
        self._zones: tuple[KeyZone, ...] = ()

    def show(self, left: StyledLine, right: StyledLine = (), zones: tuple[KeyZone, ...] = ()) -> None:
        """Replace the line; a click into one of the ``zones`` presses its key."""
        self._zones = zones
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

    def on_click(self, event: Click) -> None:
        """Press the key whose hint was clicked."""
        at = event.x - self.gutter.left
        found = next((zone.press for zone in self._zones if zone.start <= at < zone.end), "")
        if found:
            event.stop()
            self.post_message(self.Pressed(found))

    def reflow(self, width: int) -> None:
        """Take the new width."""
        self.virtual_size = Size(width, 1)
        self.refresh()

    def line_at(self, index: int) -> tuple[StyledLine, bool]:
        """Return the line."""
        if index:
            return ((), False)
        room = self.room - width_of(self._right)
        return ((*pad(self._left, room), *self._right) if room > 0 else fit(self._right, self.room), False)
