"""What stdout can show: its width and whether it takes colour.  Reads the environment, changes nothing."""

from __future__ import annotations

import os
import shutil
import sys
from typing import NamedTuple

_NARROWEST = 20
_WIDEST_PROSE = 100


class OutputStyle(NamedTuple):
    """What a report is printed on.  ``width`` None = unlimited (a pipe or a file: nothing is wrapped or cut)."""

    width: int | None = None
    colour: bool = False

    def for_prose(self) -> OutputStyle:
        """The same paper, with lines as long as a person likes to read them: a pipe gets 80 cells."""
        return self._replace(width=80 if self.width is None else min(self.width, _WIDEST_PROSE))

    def bold(self, text: str) -> str:
        """The text in bold."""
        return self._sgr("1", text)

    def dim(self, text: str) -> str:
        """The text dimmed."""
        return self._sgr("2", text)

    def bad(self, text: str) -> str:
        """The text as an error: bold red.  The words must say it too."""
        return self._sgr("1;31", text)

    def warn(self, text: str) -> str:
        """The text as a warning: yellow."""
        return self._sgr("33", text)

    def good(self, text: str) -> str:
        """The text as good news: green."""
        return self._sgr("32", text)

    def _sgr(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


def stdout_paper() -> OutputStyle:
    """The paper that stdout is: a terminal's width and colours, or unlimited and plain.

    ``NO_COLOR`` (any value but empty) and ``TERM=dumb`` turn colour off; ``COLUMNS`` overrides a terminal's width.
    """
    if not sys.stdout.isatty():
        return OutputStyle()
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"
    return OutputStyle(width=max(_NARROWEST, shutil.get_terminal_size().columns), colour=colour)


def stderr_width() -> int | None:
    """The width of stderr's terminal; None when it is none."""
    return max(_NARROWEST, shutil.get_terminal_size().columns) if sys.stderr.isatty() else None
