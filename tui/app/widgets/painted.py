"""The base of what shows lines: styled pieces to terminal cells, without any markup in between."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.scroll_view import ScrollView
from textual.strip import Strip

from dnet_tui.tui.app.present.styled_text import ROLES, StyledLine


class Painted(ScrollView):
    """A scrolling view over lines.  Subclasses give :meth:`line_at` and :meth:`reflow`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"painted--{role}" for role in ROLES} | {"painted--cursor"}

    def line_at(self, index: int) -> tuple[StyledLine, bool]:
        """Return line ``index`` and whether the cursor is on it.  ``index`` may be past the end."""
        raise NotImplementedError

    def reflow(self, width: int) -> None:
        """Lay the lines out for ``width`` cells and set ``virtual_size``."""
        raise NotImplementedError

    def on_resize(self, event: Resize) -> None:
        """Lay out anew when the width changed."""
        del event
        self.reflow(self.room)

    def watch_show_vertical_scrollbar(self, shown: bool) -> None:  # noqa: FBT001  Textual's signature
        """Lay out anew beside the scroll bar, and put that where the lines are.

        Textual says nothing of the room that it takes, and doesn't move one that can't be seen.
        """
        if shown:
            self.vertical_scrollbar.position = self.scroll_y
        self.call_after_refresh(lambda: self.reflow(self.room))

    @property
    def room(self) -> int:
        """How many cells a line may take."""
        return self.scrollable_content_region.width

    def render_line(self, y: int) -> Strip:
        """Return one visible line (Textual's line API)."""
        pieces, under_cursor = self.line_at(y + self.scroll_offset.y)
        width = self.room
        base = self.get_component_rich_style("painted--cursor") if under_cursor else self.rich_style
        segments = [Segment(piece.text, base + self._style(piece.role)) for piece in pieces]
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, role: str) -> Style:
        return self.get_component_rich_style(f"painted--{role}", partial=True)
