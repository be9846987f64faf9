"""One-line bars: the title at the top, the verdict, and the key hints at the bottom."""

from __future__ import annotations

from textual.geometry import Size

from dnet_tui.tui.app.present.styled_text import StyledLine, fit, pad, width_of
from dnet_tui.tui.app.widgets.painted import Painted


class Bar(Painted, can_focus=False):
    """One line: a left part that is cut if it must be, and a right part that is kept."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._left: StyledLine = ()
        self._right: StyledLine = ()

    def show(self, left: StyledLine, right: StyledLine = ()) -> None:
        """Replace the line."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

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
