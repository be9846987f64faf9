"""Tabs and key hints are clickable: a click is the key."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.screens.dialog import Dialog
from dnet_tui.tui.app.screens.picker import Picker
from ui import hosts
from ui.driving import listing, running, screen_text, until
from ui.fakes import FakeHost


async def click(pilot: Pilot[None], app: DnetApp, text: str, line: int | None = None) -> None:
    """Click on a text once it is painted: on a line of the screen (the last is -1), or wherever it is."""

    def place() -> tuple[int, int] | None:
        lines = screen_text(app).splitlines()
        # A screen that was just switched to has no line yet.
        at = range(len(lines)) if line is None else range(len(lines))[line:][:1]
        return next(((lines[row].index(text), row) for row in at if text in lines[row]), None)

    await until(pilot, lambda: place() is not None)
    found = place()
    assert found is not None
    await pilot.click(offset=found)


@pytest.mark.parametrize("size", [(80, 24), (140, 40), (60, 24)])
async def test_a_click_on_a_tab_goes_there(size: tuple[int, int]) -> None:
    app = FakeHost().app()
    async with running(app, size) as pilot:
        await click(pilot, app, "3", 0)
        await until(pilot, lambda: app.current_mode == "doctor")
        await click(pilot, app, "2", 0)
        await until(pilot, lambda: app.current_mode == "rules")


async def test_a_click_beside_the_tabs_does_nothing() -> None:
    app = FakeHost().app()
    async with running(app, (140, 40)) as pilot:
        await click(pilot, app, "lab", 0)
        await click(pilot, app, "[1 Map]", 0)
        await click(pilot, app, "errors", 0)
        await pilot.pause()
        assert app.current_mode == "map"


async def test_a_click_on_a_hint_is_its_key() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await click(pilot, app, "fix", -1)
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        await click(pilot, app, "cancel")
        await until(pilot, lambda: not isinstance(app.screen, Dialog))
        assert host.fixed == []
        await click(pilot, app, "point", -1)
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, Picker))
        await click(pilot, app, "filter", -1)
        await pilot.press(*"subnet")
        await until(pilot, lambda: app.state.filter("doctor") == "subnet")
        await click(pilot, app, "clear it", -1)
        await until(pilot, lambda: app.state.filter("doctor") == "")
        assert app.screen.focused is listing(app, "doctor")


async def test_what_does_not_work_here_has_neither_tab_nor_hint() -> None:
    host = FakeHost(report=hosts.sick())
    services = host.services()._replace(apply_fix=None, last_change=None, undo=None, open_capture=None, refresh=None)
    app = DnetApp(services, offline=True)
    async with running(app, (140, 40)) as pilot:
        assert "5 Capture" not in screen_text(app)
        await pilot.press("3")
        await until(pilot, lambda: "[3 Doctor]" in screen_text(app))
        text = screen_text(app)
        assert not any(f" {hint}" in text for hint in ("c capture", "p point", "f fix", "u undo", "Space freeze"))
        await pilot.press("5")
        await until(pilot, lambda: "[5 Capture]" in screen_text(app))
        assert "packets can't be captured from a saved snapshot" in screen_text(app)
        assert "pcap filter" not in screen_text(app)
