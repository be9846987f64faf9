"""How far a long computation is, on stderr: only on a terminal, only when it takes longer than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE = 1.0
_PAUSE = 0.2  # seconds between two looks of the line


class _Line:
    def __init__(self, what: str) -> None:
        self.what = what
        self.begun = time.monotonic()
        self.shown = 0.0

    def __call__(self, done: int, of: int) -> None:
        now = time.monotonic()
        if now - self.begun < _PATIENCE or now - self.shown < _PAUSE:
            return
        self.shown = now
        print(f"\r\x1b[Kdnet-tui: {self.what}: {done:,} of {of:,}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextmanager
def counted_progress(what: str) -> Iterator[_Line | None]:
    """Give what is to be told ``(done, of)`` now and then, None where nobody would see it; the line goes at the end."""
    if not sys.stderr.isatty():
        yield None
        return
    line = _Line(what)
    try:
        yield line
    finally:
        line.end()
