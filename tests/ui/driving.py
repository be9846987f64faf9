"""Driving the app: wait for its workers, press keys, read its screen as text."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.present.styled_text import Row, plain
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.listing import Listing


@asynccontextmanager
async def running(app: DnetApp, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[None]]:
    """Run the app until its first snapshot and report are shown."""
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield pilot


async def settled(pilot: Pilot[None]) -> None:
    """Wait until no worker runs and no message waits (not while a capture runs: it never ends by itself)."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    """Wait for something that a worker brings about; as long as a busy machine may take."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        await pilot.pause(0.01)


def screen_text(app: DnetApp) -> str:
    """Return what the terminal shows, line by line."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join(strip.text[:width] for strip in lines[:height])


def listing(app: DnetApp, mode: str) -> Listing:
    """Return a mode's list."""
    return app.screen.query_one(f"#{mode}-list", Listing)


def detail(app: DnetApp, mode: str) -> str:
    """Return a mode's detail as text."""
    return app.screen.query_one(f"#{mode}-detail", DetailPane).text


def row_text(row: Row) -> str:
    """Return a row as plain text."""
    return "  ".join(plain(cell) for cell in row.cells)
