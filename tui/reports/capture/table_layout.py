"""How the capture's table fits a terminal: what comes first is when and where, then what.  Pure.

With room enough the packet stands beside the points' columns.  With less it
stands below them, and where not even the columns fit, each point is named
with its delay.  Lines break between words; nothing is cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dnet_tui.inspect.text.cells import cells, pad
from dnet_tui.tui.reports.wrapping import paragraph, wrap

_GAP = "  "
_INDENT = "    "
_BESIDE = 48
"""Cells for a packet beside the columns: less would break it into too many lines."""

TIME_WIDTH = 15
_LEAST = 8


class TableLayout:
    """Lays out lines for ``width`` cells; None is unlimited: one line for a packet, however long."""

    def __init__(self, labels: Sequence[str], width: int | None) -> None:
        self._labels = labels
        self._widths = [max(cells(label), _LEAST) for label in labels]
        self._columns = TIME_WIDTH + sum(len(_GAP) + item for item in self._widths)
        self._width = width
        self._room = None if width is None else width - self._columns - len(_GAP)

    def header(self) -> str:
        """The line above the rows."""
        if self._width is not None and self._columns > self._width:
            return "\n".join(wrap("time, delay at each point, packet", self._width)) + "\n"
        columns = [
            " " * (width - cells(label)) + label for label, width in zip(self._labels, self._widths, strict=True)
        ]
        beside = ["packet"] if self._room is None or self._room >= _BESIDE else []
        return _GAP.join([pad("time", TIME_WIDTH), *columns, *beside]) + "\n"

    def row(self, time: str, delays: Sequence[str], packet: str) -> str:
        """One packet: ``delays`` has a text for every point."""
        if self._width is not None and self._columns > self._width:
            known = [f"{label} {text}" for label, text in zip(self._labels, delays, strict=True) if text != "-"]
            lines = [*_filled([time, *known], self._width), *paragraph(packet, self._width, _INDENT)]
            return "\n".join(lines) + "\n"
        columns = _GAP.join([time, *(text.rjust(width) for text, width in zip(delays, self._widths, strict=True))])
        if self._room is None:
            return f"{columns}{_GAP}{packet}\n"
        if self._room >= _BESIDE:
            first, *rest = wrap(packet, self._room)
            return (
                "\n".join([columns + _GAP + first, *(" " * (self._columns + len(_GAP)) + line for line in rest)]) + "\n"
            )
        return "\n".join([columns, *paragraph(packet, self._width, _INDENT)]) + "\n"


def _filled(items: Sequence[str], width: int) -> Iterator[str]:
    """Lines of whole items; one that is wider than a line is broken between its words."""
    line = ""
    for item in items:
        if line and cells(line) + len(_GAP) + cells(item) > width:
            yield line
            line = ""
        if not line and cells(item) > width:
            *full, item = wrap(item, width)  # noqa: PLW2901  its rest goes on
            yield from full
        line = f"{line}{_GAP}{item}" if line else item
    if line:
        yield line
