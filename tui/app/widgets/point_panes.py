"""The points of a capture side by side: each in a pane of its own, the same packet under the cursor in all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from textual import on
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from dnet_tui.inspect.capture.board.capture_board import BoardView
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.app.present.capture import packets
from dnet_tui.tui.app.widgets.listing import Listing

PANES = 4
"""So many points are shown at once."""


class PointPanes(Container):
    """Up to four lists of packets, one for each point."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._shown: tuple[BoardView, int] | None = None

    def compose(self) -> Iterator[Widget]:
        """Lay out the panes."""
        for place in range(PANES):
            rows = Listing(id=f"side-{place + 1}", follow=True)
            rows.add_class("pane", "packet-rows", "side-rows")
            yield rows

    @property
    def lists(self) -> list[Listing]:
        """The panes that are shown."""
        return [item for item in self.query(Listing) if not item.has_class("-unused")]

    def show(self, board: BoardView, page: int, labels: Sequence[str], selected: str) -> None:
        """Show four points, beginning with ``page`` times four; ``labels`` are those of all points."""
        if self._shown is not None and self._shown[0] is board and self._shown[1] == page:
            return
        followed = self._shown[0].follow if self._shown else True
        self._shown = board, page
        points = range(page * PANES, min((page + 1) * PANES, len(labels)))
        for count in range(1, PANES + 1):
            self.set_class(len(points) == count, f"-panes-{count}")
        for place, rows in enumerate(self.query(Listing)):
            rows.set_class(place >= len(points), "-unused")
            if place >= len(points):
                continue
            point = points[place]
            rows.border_title = Content(f"{point + 1} {clean(labels[point], 40)}")
            rows.follow = board.follow
            rows.show(packets.pane_rows(board, point), rows.selected or selected, "no packet here")
            if board.follow and not followed:
                rows.action_jump(-1)

    @on(Listing.Moved)
    def packet_selected(self, event: Listing.Moved) -> None:
        """Have the same packet under the cursor in every pane; where it was not seen, the last one before it."""
        if not event.listing.has_focus:
            event.stop()  # it only followed
            return
        for rows in self.lists:
            if rows is not event.listing:
                numbers = [number_of(row.id) for row in rows.rows]
                at = bisect_right(numbers, number_of(event.row)) - 1
                if numbers:
                    rows.put_cursor(rows.rows[max(at, 0)].id)

    @on(Listing.Shifted)
    def moved_sideways(self, event: Listing.Shifted) -> None:
        """Move all panes alike."""
        event.stop()
        if event.listing.has_focus:
            for rows in self.lists:
                rows.go_sideways(event.listing.shift)


def number_of(row: str) -> int:
    """Return the number of the packet that a row stands for."""
    return int(row.partition(":")[2])
