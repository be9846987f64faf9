"""Styled text as data: pieces with a role, lines, wrapping and column layout.  Pure.

A role says what a piece *is* (a name, a fault); the theme decides its colour,
and a glyph or word always says the same without colour.  Every piece passes
through :func:`~dnet_tui.inspect.text.sanitize.clean` when it is made, so nothing
here can carry a terminal escape; nothing is ever parsed as markup.

Widths are terminal cells, not characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from rich.cells import cell_len, chop_cells, set_cell_size

from dnet_tui.inspect.text.sanitize import clean

TextRole = Literal["plain", "dim", "head", "name", "key", "good", "warn", "bad", "info", "frame"]
ROLES: tuple[TextRole, ...] = ("plain", "dim", "head", "name", "key", "good", "warn", "bad", "info", "frame")
"""All the roles; the widgets have one style for each."""

CROSS, TICK = "\N{MULTIPLICATION SIGN}", "\N{SQUARE ROOT}"
"""Signs that every usual font has, also the Linux console's."""

LONGEST = 4096
"""No single piece is longer than this: a rule's text fits, a megabyte of label does not."""


class TextSpan(NamedTuple):
    """A run of text with one role.  Make it with :func:`say`, which neutralises the text."""

    text: str
    role: TextRole = "plain"


StyledLine = tuple[TextSpan, ...]


class Paragraph(NamedTuple):
    """A line that may wrap; continuation lines are indented by ``hang`` cells."""

    line: StyledLine
    hang: int = 0


def say(text: str, role: TextRole = "plain") -> TextSpan:
    """Return ``text``, made harmless, as a piece."""
    return TextSpan(clean(text, LONGEST), role)


def line(*parts: str | TextSpan | Iterable[TextSpan]) -> StyledLine:
    """Join texts, pieces and lines into one line."""
    out: list[TextSpan] = []
    for part in parts:
        if isinstance(part, str):
            out.append(say(part))
        elif isinstance(part, TextSpan):
            out.append(part)
        else:
            out.extend(part)
    return tuple(piece for piece in out if piece.text)


def plain(pieces: Iterable[TextSpan]) -> str:
    """Return the text without its roles."""
    return "".join(piece.text for piece in pieces)


def width_of(pieces: Iterable[TextSpan]) -> int:
    """Return how many cells the pieces take."""
    return sum(cell_len(piece.text) for piece in pieces)


def fit(pieces: StyledLine, width: int) -> StyledLine:
    """Cut a line to ``width`` cells, ending in ``…`` where something was cut."""
    if width <= 0:
        return ()
    if width_of(pieces) <= width:
        return pieces
    out: list[TextSpan] = []
    room = width - 1
    for piece in pieces:
        size = cell_len(piece.text)
        if size > room:
            out.append(TextSpan(set_cell_size(piece.text, room).rstrip() + "…", piece.role))
            break
        out.append(piece)
        room -= size
    return tuple(out)


def pad(pieces: StyledLine, width: int, align: Literal["left", "right"] = "left") -> StyledLine:
    """Cut or fill a line to exactly ``width`` cells."""
    cut = fit(pieces, width)
    gap = width - width_of(cut)
    if gap <= 0:
        return cut
    blank = TextSpan(" " * gap)
    return (blank, *cut) if align == "right" else (*cut, blank)


_WORDS = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+")


def wrap(para: Paragraph, width: int) -> list[StyledLine]:
    """Break a paragraph into lines of at most ``width`` cells, between words where it can."""
    if width <= 0:
        return []
    hang = para.hang if para.hang < width - 8 else min(2, width - 1)
    lines: list[list[TextSpan]] = [[]]
    used = 0
    for piece in para.line:
        for word in _WORDS.findall(piece.text):
            chunk = word
            if used + cell_len(chunk) > width and used > hang:
                lines.append([TextSpan(" " * hang)] if hang else [])
                used = hang
                chunk = chunk.lstrip()
            room = width - used
            for index, part in enumerate(_chop(chunk, room, width - hang)):
                if index:
                    lines.append([TextSpan(" " * hang)] if hang else [])
                    used = hang
                lines[-1].append(TextSpan(part, piece.role))
                used += cell_len(part)
    return [_merged(pieces) for pieces in lines]


def _merged(pieces: Sequence[TextSpan]) -> StyledLine:
    """Join neighbours of one role: fewer changes of style, fewer bytes to the terminal."""
    return tuple(
        TextSpan("".join(piece.text for piece in group), role)
        for role, group in groupby(pieces, key=lambda piece: piece.role)
    )


def _chop(word: str, first: int, rest: int) -> list[str]:
    """Cut a word that is wider than a whole line."""
    if cell_len(word) <= first:
        return [word]
    head = chop_cells(word, first)[0]
    return [head, *chop_cells(word[len(head) :], rest)]


class Row(NamedTuple):
    """One line of a list.

    ``id`` names what it stands for and survives a refresh; ``cells`` are its
    columns, the first of which takes the room that is left.  ``parent`` is the
    id of the row it hangs under (for filters and folding); ``search`` is what
    a filter looks at besides the visible text.  Headings can't be selected.
    """

    id: str
    cells: tuple[StyledLine, ...]
    parent: str = ""
    search: str = ""
    selectable: bool = True


class LateRow(Row):
    """A row of one cell that is made when it is first looked at: of thousands only a screenful is."""

    make: Callable[[], StyledLine]

    @classmethod
    def of(cls, ident: str, make: Callable[[], StyledLine], parent: str = "", search: str = "") -> LateRow:
        """Return a row that ``make`` will make."""
        row = cls(id=ident, cells=(), parent=parent, search=search)
        row.make = make
        return row

    @property
    def cells(self) -> tuple[StyledLine, ...]:
        """The row's only cell."""
        found: tuple[StyledLine, ...] | None = self.__dict__.get("made")
        if found is None:
            found = self.__dict__["made"] = (self.make(),)
        return found


GAP = 2
"""Cells between two columns."""
SHORTEST = 8
"""A column is not cut below this: it is left out."""


def natural_columns(rows: Sequence[Row]) -> tuple[int, ...]:
    """Return how wide each column of a list would be if there were room for all.

    Rows with one cell span all columns and have no say.
    """
    several = [row.cells for row in rows if not isinstance(row, LateRow) and len(row.cells) > 1]
    count = max(map(len, several), default=1)
    return tuple(
        max((width_of(cells[col]) for cells in several if len(cells) > col), default=0) for col in range(count)
    )


def columns(natural: Sequence[int], width: int, *, cut_last: bool = False, least: int = 16) -> tuple[int, ...]:
    """Return the width of each column of a list that is ``width`` cells wide; :func:`place` puts a row into them.

    Columns have their ``natural`` width.  Where there is no room, the first one
    is cut, down to ``least`` cells, and then the last ones are left out; with
    ``cut_last`` the last one is cut before the first.
    """
    first, others = natural[0], list(natural[1:])
    while others:
        over = _taken(others) + first - width
        if over <= 0 or (cut_last and others[-1] - over >= SHORTEST):
            others[-1] -= max(over, 0)
            break
        if _taken(others) + min(first, least) <= width:
            break
        others.pop()
    return (min(first, width - _taken(others)), *others)


def _taken(others: Sequence[int]) -> int:
    return sum(size + GAP for size in others if size)


def place(row: Row, width: int, sizes: Sequence[int]) -> StyledLine:
    """Return a row as one line of at most ``width`` cells."""
    return fit(whole(row, sizes), width)


def whole(row: Row, sizes: Sequence[int]) -> StyledLine:
    """Return a row as one line, however long, with its columns as wide as ``sizes`` says."""
    if len(row.cells) == 1:
        return row.cells[0]
    out: list[TextSpan] = list(pad(row.cells[0], sizes[0]))
    for size, cell in zip(sizes[1:], row.cells[1:], strict=False):
        if size:
            out.append(TextSpan(" " * GAP))
            out.extend(pad(cell, size))
    return tuple(out)


def moved(pieces: StyledLine, cells: int) -> StyledLine:
    """Return a line without its first ``cells`` cells; where these showed anything it begins with ``…``."""
    gone, rest = _split(pieces, cells)
    if not gone.strip():
        return rest
    return (TextSpan("…", "dim"), *_split(rest, 1)[1])


def _split(pieces: StyledLine, cells: int) -> tuple[str, StyledLine]:
    """Cut a line after so many cells; of a wide character that the cut goes through a blank is left."""
    gone, left = "", cells
    for at, piece in enumerate(pieces):
        for index, letter in enumerate(piece.text):
            if left <= 0:
                return gone, (TextSpan(" " * -left + piece.text[index:], piece.role), *pieces[at + 1 :])
            gone += letter
            left -= cell_len(letter)
    return gone, (TextSpan(" " * -left),) if left < 0 else ()


def filtered(rows: Sequence[Row], words: str) -> tuple[Row, ...]:
    """Keep the rows that contain every word, whatever its case, with the rows they hang under.

    Where nothing hangs under anything, those that fit best come first.
    """
    wanted = words.casefold().split()
    if not wanted:
        return tuple(rows)
    by_id = {row.id: row for row in rows}
    keep: set[str] = set()
    for row in rows:
        if not row.selectable or not _has(row, wanted):
            continue
        current: Row | None = row
        while current is not None and current.id not in keep:
            keep.add(current.id)
            current = by_id.get(current.parent)
    kept = tuple(row for row in rows if row.id in keep)
    flat = all(row.selectable and not row.parent for row in rows)
    return tuple(sorted(kept, key=lambda row: rank(row, words))) if flat else kept


_GUIDES = "│├└─ "
"""What a tree draws before a name."""


def rank(row: Row, words: str) -> int:
    """How well a row fits words: 0 it is called so, 1 its name begins so, 2 it shows them, 3 it is found by them."""
    wanted = " ".join(words.casefold().split())
    name = plain(row.cells[0]).strip(_GUIDES).casefold()
    if wanted in {name, name.partition(" ")[0], row.id.casefold()}:
        return 0
    if name.startswith(wanted):
        return 1
    return 2 if wanted in " ".join(plain(cell) for cell in row.cells).casefold() else 3


def best(rows: Sequence[Row], words: str) -> str:
    """Return the id of the row that fits words best; of equals the first.  Empty where none has them."""
    wanted = words.casefold().split()
    fitting = [row for row in rows if row.selectable and wanted and _has(row, wanted)]
    return min(fitting, key=lambda row: rank(row, words)).id if fitting else ""


def _has(row: Row, wanted: Sequence[str]) -> bool:
    text = (" ".join(plain(cell) for cell in row.cells) + " " + row.search).casefold()
    return all(word in text for word in wanted)


def heading(text: str) -> Paragraph:
    """Return a section's heading for a detail pane."""
    return Paragraph(line(say(text, "head")))


BLANK = Paragraph(())
KEY = 11
"""Width of the key column in a detail pane."""


def fact(key: str, *value: str | TextSpan | Iterable[TextSpan]) -> Paragraph:
    """Return ``key  value`` with the values of all facts aligned."""
    return Paragraph(line(say(f"{key:<{KEY}} ", "key"), *value), hang=KEY + 1)


def bullet(*value: str | TextSpan | Iterable[TextSpan], mark: TextSpan | None = None) -> Paragraph:
    """Return one item of a list, wrapped under its own text."""
    return Paragraph(line(mark or say("•", "dim"), " ", *value), hang=2)
