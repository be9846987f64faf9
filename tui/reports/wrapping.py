"""Text that fits a width, counted in terminal cells.  Pure.

Nothing is ever cut: a narrow terminal gets more lines, not less information.
"""

from __future__ import annotations

from dnet_tui.inspect.text.cells import cells, cells_of


def wrap(text: str, width: int | None) -> list[str]:
    """Break a text at spaces into lines of at most ``width`` cells; a longer word is broken where it must be."""
    if width is None or cells(text) <= width:
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and cells(line) + 1 + cells(word) <= width:
            line = f"{line} {word}"
            continue
        if line:
            lines.append(line)
        *full, line = _break(word, width)
        lines += full
    return [*lines, line] if line or not lines else lines


def _break(word: str, width: int) -> list[str]:
    pieces: list[str] = []
    piece, used = "", 0
    for char in word:
        size = cells_of(char)
        if piece and used + size > max(1, width):
            pieces.append(piece)
            piece, used = "", 0
        piece, used = piece + char, used + size
    return [*pieces, piece]


def paragraph(text: str, paper_width: int | None, indent: str = "", hanging: str | None = None) -> list[str]:
    """Wrap a text with an indent; following lines get ``hanging`` (the same as ``indent`` if None)."""
    later = indent if hanging is None else hanging
    if paper_width is None:
        return [indent + text]
    room = max(8, paper_width - max(cells(indent), cells(later)))
    first, *rest = wrap(text, room)
    return [indent + first, *(later + line for line in rest)]
