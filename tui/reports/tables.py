"""Tables for a terminal of any width.  Pure.

Where a table doesn't fit, cells wrap between words; where that isn't enough,
each row becomes a small paragraph.  Into a pipe it is printed at full width,
one line per row.  Nothing is ever cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from dnet_tui.inspect.text.cells import cells, pad
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.wrapping import paragraph, wrap

_GAP = "  "
_NOTHING = "-"


def render(headers: Sequence[str], rows: Sequence[Sequence[str]], paper: OutputStyle) -> str:
    """A table as text with a final line break.  Cells are made harmless here; an empty one shows as ``-``."""
    table = [[clean(cell, 4096) or _NOTHING for cell in row] for row in rows]
    widths = _fit(headers, table, paper.width)
    if widths is None:
        return _records(headers, table, paper)
    lines = [paper.bold(_line(headers, widths))]
    for row in table:
        wrapped = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
        lines += [_line(cells_of_line, widths) for cells_of_line in zip_longest(*wrapped, fillvalue="")]
    return "\n".join(lines) + "\n"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _fit(headers: Sequence[str], table: Sequence[Sequence[str]], available: int | None) -> list[int] | None:
    """Column widths that fit without breaking a word: the widest give way first.  None when there are none."""
    columns = list(zip(headers, *table, strict=True))
    widths = [max(map(cells, column)) for column in columns]
    if available is None:
        return widths
    least = [max(cells(column[0]), *(cells(word) for cell in column for word in cell.split())) for column in columns]
    room = available - len(_GAP) * (len(widths) - 1)
    if sum(least) > room:
        return None
    while sum(widths) > room:
        widths[max((i for i in range(len(widths)) if widths[i] > least[i]), key=widths.__getitem__)] -= 1
    return widths


def _records(headers: Sequence[str], table: Sequence[Sequence[str]], paper: OutputStyle) -> str:
    """Each row as its first cell and, beneath, the others that aren't empty with their headers."""
    lines: list[str] = []
    for first, *rest in table:
        lines += [paper.bold(line) for line in wrap(first, paper.width)]
        line = ""
        for header, cell in zip(headers[1:], rest, strict=True):
            if cell == _NOTHING:
                continue
            item = f"{header.lower()} {cell}"
            if line and paper.width is not None and cells(line) + len(_GAP) + cells(item) > paper.width:
                lines += paragraph(line.strip(), paper.width, _GAP, "    ")
                line = ""
            line += _GAP + item
        lines += paragraph(line.strip(), paper.width, _GAP, "    ") if line else []
    return "\n".join(lines) + "\n"
