"""A terminal that changes its size: in every mode, before every dialog and while something runs, nothing is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.present.styled_text import Paragraph, line, plain
from dnet_tui.tui.app.screens.dialog import Dialog
from dnet_tui.tui.app.widgets.detail import DetailPane
from ui import hosts
from ui.driving import running, screen_text, until
from ui.fakes import FakeHost
from ui.keys.test_bindings import SCENES
from ui.test_troubleshoot import broken

SIZES = ((60, 24), (40, 12), (140, 40), (12, 4), (200, 60), (100, 9), (80, 24))
"""The sizes that a terminal goes through; the last is the one it began with."""

Opened = Callable[[Pilot[None]], Awaitable[None]]


async def shows(pilot: Pilot[None], size: tuple[int, int]) -> list[str]:
    """Return the rows of the screen once it is laid out for a size."""
    await pilot.resize_terminal(*size)
    await until(pilot, lambda: pilot.app.size == size and pilot.app.screen.size == size)
    await pilot.pause()
    app: Any = pilot.app
    return screen_text(app).splitlines()


async def through_all_sizes(pilot: Pilot[None]) -> None:
    """Take the terminal through the sizes: each is filled, the focus can be seen, and at the end all is as it was."""
    app: Any = pilot.app
    await pilot.pause()
    before, focus = screen_text(app), app.focused
    assert focus is not None
    for size in SIZES:
        rows = await shows(pilot, size)
        assert len(rows) == size[1]
        assert any(row.strip() for row in rows), f"nothing at {size}"
        assert app.focused is focus
        assert focus.region.area or size < (40, 12), f"{focus} can't be seen at {size}"
    assert screen_text(app) == before


@pytest.mark.parametrize("scene", SCENES)
async def test_a_mode_takes_every_size_and_comes_back_as_it_was(scene: str) -> None:
    host = broken()
    app = host.app()
    async with running(app) as pilot:
        await SCENES[scene](pilot, host)
        await through_all_sizes(pilot)


def _keys(*keys: str) -> Opened:
    async def press(pilot: Pilot[None]) -> None:
        for key in keys:
            await pilot.press(key)
            await pilot.pause()

    return press


DIALOGS: dict[str, Opened] = {
    "help": _keys("question_mark"),
    "fix": _keys("3", "f"),
    "search": _keys("slash", "w", "e"),
    "palette": _keys("ctrl+p", "d", "o"),
    "form": _keys("6", "n"),
    "from": _keys("4", "enter", "w"),
}


@pytest.mark.parametrize("dialog", DIALOGS)
async def test_a_dialog_takes_every_size_and_its_keys_still_go_to_it(dialog: str) -> None:
    app = broken().app()
    async with running(app) as pilot:
        await DIALOGS[dialog](pilot)
        typed = [box.value for box in app.screen.query(Input)]
        deep = len(app.screen_stack)
        await through_all_sizes(pilot)
        assert [box.value for box in app.screen.query(Input)] == typed
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) < deep or app.focused is None or deep == 1)


async def test_packets_come_in_and_a_refresh_ends_while_the_size_changes() -> None:
    host = FakeHost()
    app: DnetApp = host.app()
    async with running(app) as pilot:
        host.renew_capture(*hosts.THROUGH_NAT)
        await pilot.press("5", "c")
        for number, size in enumerate(SIZES, start=1):
            host.capture.feed(*hosts.question(number))
            await pilot.resize_terminal(*size)
            await pilot.press("r", "j")
            await until(pilot, lambda number=number: app.state.capture.board.total == number)  # type: ignore[misc]
        await pilot.press("G")
        await until(pilot, lambda: f"#{len(SIZES)}" in screen_text(app) or "203.0.113" in screen_text(app))
        assert app.state.capture.running
        await pilot.press("c")
        await until(pilot, lambda: not app.state.capture.running)


async def test_a_long_placeholder_stays_in_its_line() -> None:
    """Textual wraps one, and writes the line break into the screen's row."""
    app = broken().app()
    async with running(app) as pilot:
        await pilot.press("6", "a", "enter")
        await until(pilot, lambda: len(app.screen.query(Input)) > 1)
        for _ in range(len(app.screen.query(Input))):
            await pilot.press("x", "backspace", "tab")
            rows = screen_text(app).split("\n")
            assert (len(rows), {len(row) for row in rows}) == (24, {80})
        for box in app.screen.query(Input):
            assert len(box.placeholder) <= box.scrollable_content_region.width


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
@pytest.mark.parametrize("count", [1, 9, 30])
async def test_a_question_shows_its_keys_and_all_its_text(count: int, size: tuple[int, int]) -> None:
    """However long the text is: it scrolls, and where it does nothing is lost beside the scroll bar."""
    app = FakeHost().app()
    words = "".join(chr(ord("a") + number % 26) for number in range(200))
    async with running(app, size) as pilot:
        app.push_screen(Dialog("A question", [Paragraph(line(words))] * count, question="apply"))
        await until(pilot, lambda: "y apply" in screen_text(app))
        pane = app.screen.query_one(DetailPane)
        await until(pilot, lambda: pane.virtual_size.width == pane.room)
        shown = [plain(pane.line_at(index)[0]) for index in range(pane.virtual_size.height)]
        assert "".join(row.strip() for row in shown) == words * count
        assert max(len(row) for row in shown) <= pane.room
