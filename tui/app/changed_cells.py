"""Writes to the terminal only the cells that look different from what it shows: for lines that are slow.

Textual writes whole regions whenever a widget says that it may have changed:
a pane's every row with its border, several times for one key.  Here what was
written is remembered cell by cell, and only the difference is sent, each
change of style once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.screen import Screen
from textual.strip import Strip

from dnet_tui.tui.app.typed_ahead import OrderedKeys

Cell = tuple[str, Style | None]
"""What a cell shows; of a wide character the second one is empty."""

_BRIDGED = 5
"""So many unchanged cells between two changed ones are written too: moving the cursor costs more."""


class SentFrame:
    """What the terminal shows, as far as it was written."""

    def __init__(self, *, colours: bool = True) -> None:
        self._colours = colours
        self._rows: dict[int, list[Cell]] = {}
        self._starts: dict[Style | None, str] = {}

    def forget(self) -> None:
        """The terminal may show anything."""
        self._rows.clear()

    def changes(self, rows: Iterable[tuple[int, Strip]], console: Console) -> str:
        """Return what has to be written so that the terminal shows these rows, and remember them."""
        out: list[str] = []
        style: Style | object | None = self
        for y, strip in rows:
            now, was = cells(strip), self._rows.get(y)
            if now == was:
                continue
            self._rows[y] = now
            for start, end in changed_runs(was, now):
                out.append(f"\x1b[{y + 1};{start + 1}H")
                for text, wanted in now[start:end]:
                    if wanted != style:
                        out.append(self._start(wanted, console))
                        style = wanted
                    out.append(text)
        if out:
            out.append("\x1b[0m")
        return "".join(out)

    def _start(self, style: Style | None, console: Console) -> str:
        """The sequence that begins a style, whatever was in force."""
        found = self._starts.get(style)
        if found is None:
            kept = style if self._colours or style is None else style.without_color
            shown = kept.render("\0", color_system=console._color_system) if kept is not None else "\0"  # noqa: SLF001
            codes = shown.partition("\0")[0].removeprefix("\x1b[")
            found = self._starts[style] = f"\x1b[0;{codes}" if codes else "\x1b[0m"
        return found


def cells(strip: Strip) -> list[Cell]:
    """Return a row cell by cell."""
    found: list[Cell] = []
    for text, style, control in strip:
        if control:
            continue
        if text.isascii():
            found += [(letter, style) for letter in text]
            continue
        for letter in text:
            width = cell_len(letter)
            if not width and found:  # it combines with the one before
                last, its = found[-1]
                found[-1] = (last + letter, its)
                continue
            found.append((letter, style))
            found += [("", style)] * (width - 1)
    return found


def changed_runs(was: Sequence[Cell] | None, now: Sequence[Cell]) -> list[tuple[int, int]]:
    """Return from where to where cells differ; never beginning or ending within a wide character."""
    if was is None or len(was) != len(now):
        return [(0, len(now))]
    runs: list[tuple[int, int]] = []
    for at, (before, after) in enumerate(zip(was, now, strict=True)):
        if before == after:
            continue
        if runs and at - runs[-1][1] <= _BRIDGED:
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at, at + 1))
    return [_whole(now, was, *run) for run in runs]


def _whole(now: Sequence[Cell], was: Sequence[Cell], start: int, end: int) -> tuple[int, int]:
    while start > 0 and "" in (now[start][0], was[start][0]):
        start -= 1
    while end < len(now) and "" in (now[end][0], was[end][0]):
        end += 1
    return start, end


class _Ready(CompositorUpdate):
    """A text that is ready to be written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render_segments(self, console: Console) -> str:
        """Return the text."""
        del console
        return self._text

    def __rich_console__(self, console: Console, options: Any) -> Iterable[Segment]:
        """Never asked for: the text goes to the driver as it is."""
        del console, options
        return ()


class ChangedCells(OrderedKeys):
    """An app that writes differences."""

    def __init__(self) -> None:
        super().__init__()
        # Textual makes greys of colours then; https://no-color.org asks for none at all.
        self.sent = SentFrame(colours=not os.environ.get("NO_COLOR"))

    async def on_event(self, event: events.Event) -> None:
        """Forget what the terminal shows when its size changes."""
        if isinstance(event, events.Resize):
            self.sent.forget()
        await super().on_event(event)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        writes = self._running and not self._closed and not self.is_headless and not self._batch_count
        if not writes or not isinstance(renderable, CompositorUpdate) or self._driver is None or self._driver.is_inline:
            super()._display(screen, renderable)
            return
        compositor, size = screen._compositor, screen.size  # noqa: SLF001  Textual offers no other way to its lines
        wanted = {y for y, _, _ in renderable.spans} if isinstance(renderable, ChopsUpdate) else set(range(size.height))
        chops = compositor._render_chops(size.region, wanted.__contains__)  # noqa: SLF001  as above
        rows = ((y, Strip.join(chops[y].values())) for y in sorted(wanted) if y < size.height)
        text = self.sent.changes(rows, self.console)
        if text:
            super()._display(screen, _Ready(text))
