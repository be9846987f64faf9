"""A line of input."""

from __future__ import annotations

from textual.events import Resize
from textual.suggester import Suggester
from textual.widgets import Input

from dnet_tui.tui.app.present.styled_text import fit, line, plain


class Entry(Input):
    """An input whose placeholder stays in its line.

    Textual wraps a longer one, and writes the line break into the middle of the screen's row.
    """

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        id: str,  # noqa: A002  Textual's name for it
        classes: str = "",
        suggester: Suggester | None = None,
    ) -> None:
        super().__init__(value, placeholder=placeholder, id=id, classes=classes, suggester=suggester)
        self.cursor_blink = False
        self._whole = placeholder

    def on_resize(self, event: Resize) -> None:
        """Cut the placeholder where there is no room for it."""
        del event
        self.placeholder = plain(fit(line(self._whole), max(self.scrollable_content_region.width, 1))).rstrip()
