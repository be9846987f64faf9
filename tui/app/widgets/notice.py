"""A line or a few under the title that say what went wrong; it takes no room when nothing did."""

from __future__ import annotations

from textual.geometry import Size

from dnet_tui.tui.app.model.state import ErrorInfo
from dnet_tui.tui.app.present.styled_text import CROSS, Paragraph, StyledLine, line, say, wrap
from dnet_tui.tui.app.widgets.painted import Painted

_MOST = 4
"""Lines; a longer message is cut."""


class Notice(Painted, can_focus=False):
    """Shows a trouble and its hint."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._trouble: ErrorInfo | None = None
        self._lines: list[StyledLine] = []

    def show(self, trouble: ErrorInfo | None) -> None:
        """Replace the message; None hides it."""
        self._trouble = trouble
        self.display = trouble is not None
        self.reflow(self.room or max(self.app.size.width - 2, 1))

    def reflow(self, width: int) -> None:
        """Wrap the message and take as much height as it needs."""
        self._lines = []
        if self._trouble is not None:
            hint = f"  {self._trouble.hint}" if self._trouble.hint else ""
            para = Paragraph(line(say(f"{CROSS} ", "bad"), say(self._trouble.message, "bad"), hint), hang=2)
            self._lines = wrap(para, width)[:_MOST]
            self.styles.height = len(self._lines)
        self.virtual_size = Size(width, max(len(self._lines), 1))
        self.refresh()

    def line_at(self, index: int) -> tuple[StyledLine, bool]:
        """Return a line of the message."""
        return (self._lines[index] if index < len(self._lines) else (), False)
