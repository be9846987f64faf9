"""How many cells of a terminal a text takes.  Pure.

Counted by the Unicode database of Python, without loading anything.  The app
counts with Rich, as Textual does when it paints; the two agree.
"""

from __future__ import annotations

import unicodedata


def cells(text: str) -> int:
    """How many terminal cells a text takes: 2 for wide characters, 0 for combining ones."""
    if text.isascii():
        return len(text)
    return sum(map(cells_of, text))


def cells_of(char: str) -> int:
    """How many cells one character takes."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def pad(text: str, width: int) -> str:
    """The text with spaces to ``width`` cells."""
    return text + " " * max(0, width - cells(text))
