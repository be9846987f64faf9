"""A list of rows with a cursor that holds on to an id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message

from dnet_tui.tui.app.present.styled_text import (
    Row,
    StyledLine,
    TextSpan,
    columns,
    fit,
    line,
    moved,
    natural_columns,
    place,
    say,
    whole,
    width_of,
)
from dnet_tui.tui.app.widgets.painted import Painted

_CURSOR = TextSpan("> ")
_NO_CURSOR = TextSpan("  ")


class Listing(Painted, can_focus=True, inherit_bindings=False):
    """Rows in aligned columns, one line each, with a cursor.

    The cursor follows its row's id when the rows are replaced; when that row
    is gone it stays at the same place in the list.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
        Binding("g,home", "jump(0)", "first", show=False),
        Binding("G,end", "jump(-1)", "last", show=False),
        Binding("pagedown,ctrl+d", "page(1)", "page down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False),
        Binding("greater_than_sign", "sideways(1)", "the right of long rows", show=False),
        Binding("less_than_sign", "sideways(-1)", "their left", show=False),
    ]

    class Moved(Message):
        """The cursor came to another row."""

        def __init__(self, listing: Listing, row: str) -> None:
            super().__init__()
            self.listing = listing
            self.row = row

        @property
        def control(self) -> Listing:
            """The list (for ``@on`` selectors)."""
            return self.listing

    class Opened(Moved):
        """Enter, or a click on the row that was selected already."""

    class Shifted(Message):
        """Its rows were moved sideways."""

        def __init__(self, listing: Listing) -> None:
            super().__init__()
            self.listing = listing

        @property
        def control(self) -> Listing:
            """The list (for ``@on`` selectors)."""
            return self.listing

    def __init__(self, *, id: str, follow: bool = False, cut_last: bool = False) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self.rows: tuple[Row, ...] = ()
        self.cursor = -1
        self._columns: tuple[int, ...] = ()
        self._natural: tuple[int, ...] = (0,)
        self.shift = 0
        """So many cells of its rows are out of sight to the left."""
        self._seen_over: tuple[int, int] | None = None
        """The first row in sight, and how many cells of those in sight have no room."""
        self._empty: StyledLine = ()
        self.follow = follow
        """Whether the cursor stays at the end while it is there."""
        self._cut_last = cut_last

    @property
    def selected(self) -> str:
        """The id of the row under the cursor; empty when there is none."""
        return self.rows[self.cursor].id if 0 <= self.cursor < len(self.rows) else ""

    def show(self, rows: Sequence[Row], selected: str, empty: str = "") -> str:
        """Replace the rows, put the cursor on ``selected`` if it is there, and return the row it came to."""
        at_end = self.follow and self.cursor >= len(self.rows) - 1
        self.rows = tuple(rows)
        self._natural = natural_columns(self.rows)
        self._empty = line(say(empty, "dim"))
        found = next((index for index, row in enumerate(self.rows) if row.id == selected), None)
        wanted = len(self.rows) - 1 if at_end else found if found is not None else max(self.cursor, 0)
        self.cursor = self._nearest(min(wanted, len(self.rows) - 1))
        self.reflow(self.room)
        self._keep_in_view()
        return self.selected

    def put_cursor(self, row: str) -> bool:
        """Move the cursor to a row by its id; False when it isn't in the list."""
        for index, item in enumerate(self.rows):
            if item.id == row:
                self._go(index)
                return True
        return False

    def reflow(self, width: int) -> None:
        """Lay the columns out; the lines themselves are made when they are seen."""
        self._columns = columns(self._natural, max(width - 2, 1), cut_last=self._cut_last)
        self._seen_over = None
        if self.shift:
            self.shift = min(self.shift, self._over())
        self.virtual_size = Size(width, max(len(self.rows), 1))
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """Lay out anew, and keep the cursor in sight."""
        super().on_resize(event)
        self._keep_in_view()

    def line_at(self, index: int) -> tuple[StyledLine, bool]:
        """Return a line with the cursor's mark, so that it shows without colour too."""
        if index >= len(self.rows):
            return (fit(self._empty, self.room) if index == 0 and not self.rows else (), False)
        under_cursor = index == self.cursor
        row, room = self.rows[index], max(self.room - 2, 1)
        if self.shift:
            shown = fit(moved(whole(row, self._natural), self.shift), room)
        else:
            shown = place(row, room, self._columns)
        return (_CURSOR if under_cursor else _NO_CURSOR, *shown), under_cursor

    def _over(self) -> int:
        """How many cells of the rows in sight have no room."""
        top = self.scroll_offset.y
        if self._seen_over is None or self._seen_over[0] != top:
            seen = self.rows[top : top + max(self.size.height, 1)]
            longest = max((width_of(whole(row, self._natural)) for row in seen), default=0)
            self._seen_over = top, max(longest - max(self.room - 2, 1), 0)
        return self._seen_over[1]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to move where there are rows, and to go sideways where something is out of sight there."""
        if action != "sideways":
            return len(self.rows) > 1
        return self.shift < self._over() if parameters == (1,) else self.shift > 0

    def action_sideways(self, step: int) -> None:
        """Bring into sight what the rows have to the right, or to the left, by half a screenful."""
        self.go_sideways(max(0, min(self.shift + step * max(self.room // 2, 1), self._over())))

    def go_sideways(self, shift: int) -> None:
        """Leave out so many cells of each row."""
        if shift != self.shift:
            self.shift = shift
            self.refresh()
            self.post_message(self.Shifted(self))

    def action_move(self, step: int) -> None:
        """Move the cursor by rows, over headings."""
        index = self.cursor + step
        while 0 <= index < len(self.rows) and not self.rows[index].selectable:
            index += step
        if 0 <= index < len(self.rows):
            self._go(index)
        elif step < 0:
            self.scroll_to(y=0, animate=False, immediate=True)

    def action_jump(self, where: int) -> None:
        """Go to the first (0) or last (-1) row."""
        self._go(self._nearest(0 if where == 0 else len(self.rows) - 1))

    def action_page(self, step: int) -> None:
        """Move the cursor by a screenful."""
        size = max(self.size.height - 1, 1)
        self._go(self._nearest(min(max(self.cursor + step * size, 0), len(self.rows) - 1)))

    def action_open(self) -> None:
        """Say that the row was opened."""
        if self.selected:
            self.post_message(self.Opened(self, self.selected))

    def on_click(self, event: Click) -> None:
        """Select by mouse; a second click opens."""
        index = event.y + self.scroll_offset.y
        if not 0 <= index < len(self.rows) or not self.rows[index].selectable:
            return
        if index == self.cursor:
            self.action_open()
        else:
            self._go(index)

    def _nearest(self, index: int) -> int:
        """The selectable row at or after ``index``, else before it; -1 when there is none."""
        after = range(max(index, 0), len(self.rows))
        before = range(min(index, len(self.rows) - 1), -1, -1)
        return next((at for at in (*after, *before) if self.rows[at].selectable), -1)

    def _go(self, index: int) -> None:
        if index == self.cursor or not 0 <= index < len(self.rows):
            return
        before, self.cursor = self.cursor, index
        self.refresh_line(before)
        self.refresh_line(index)
        self._keep_in_view()
        self.post_message(self.Moved(self, self.selected))

    def _keep_in_view(self) -> None:
        if self.cursor < 0 or not self.size.height:
            return
        top = self.cursor
        while top > 0 and not self.rows[top - 1].selectable:
            top -= 1
        span = min(self.cursor - top + 1, self.size.height)
        self.scroll_to_region(
            Region(0, self.cursor - span + 1, 1, span), animate=False, immediate=True, force=True, x_axis=False
        )
