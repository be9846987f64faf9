"""Tabs and key hints are clickable: a click is the key."""

from __future__ import annotations

import pytest

from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.screens.dialog import Dialog
from dnet_tui.tui.app.screens.picker import Picker
from ui import hosts
from ui.driving import listing, running, screen_text, until
from ui.fakes import FakeHost


def cell(app: DnetApp, line: int, text: str) -> tuple[int, int]:
    """Where a text is on a line of the screen (the last is -1)."""
    lines = screen_text(app).splitlines()
    return lines[line].index(text), line % len(lines)


@pytest.mark.parametrize("size", [(80, 24), (140, 40), (60, 24)])
async def test_a_click_on_a_tab_goes_there(size: tuple[int, int]) -> None:
    app = FakeHost().app()
    async with running(app, size) as pilot:
        await pilot.click(offset=cell(app, 0, "3"))
        await until(pilot, lambda: app.current_mode == "doctor")
        await pilot.click(offset=cell(app, 0, "2"))
        await until(pilot, lambda: app.current_mode == "rules")


async def test_a_click_beside_the_tabs_does_nothing() -> None:
    app = FakeHost().app()
    async with running(app, (140, 40)) as pilot:
        await pilot.click(offset=cell(app, 0, "lab"))
        await pilot.click(offset=cell(app, 0, "[1 Map]"))
        await pilot.click(offset=cell(app, 0, "errors"))
        await pilot.pause()
        assert app.current_mode == "map"


async def test_a_click_on_a_hint_is_its_key() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.click(offset=cell(app, -1, "fix"))
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        lines = screen_text(app).splitlines()
        at = next(index for index, line in enumerate(lines) if "n Esc cancel" in line)
        await pilot.click(offset=cell(app, at, "cancel"))
        await until(pilot, lambda: not isinstance(app.screen, Dialog))
        assert host.fixed == []
        await pilot.click(offset=cell(app, -1, "point"))
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, Picker))
        await pilot.click(offset=cell(app, -1, "filter"))
        await pilot.press(*"subnet")
        await until(pilot, lambda: app.state.filter("doctor") == "subnet")
        await pilot.click(offset=cell(app, -1, "clear it"))
        await until(pilot, lambda: app.state.filter("doctor") == "")
        assert app.screen.focused is listing(app, "doctor")


async def test_what_does_not_work_here_has_neither_tab_nor_hint() -> None:
    host = FakeHost(report=hosts.sick())
    services = host.services()._replace(apply_fix=None, last_change=None, undo=None, open_capture=None, refresh=None)
    app = DnetApp(services, offline=True)
    async with running(app, (140, 40)) as pilot:
        assert "5 Capture" not in screen_text(app)
        await pilot.press("3")
        await pilot.pause()
        text = screen_text(app)
        assert not any(f" {hint}" in text for hint in ("c capture", "p point", "f fix", "u undo", "Space freeze"))
        await pilot.press("5")
        await pilot.pause()
        assert "[5 Capture]" in screen_text(app)
        assert "packets can't be captured from a saved snapshot" in screen_text(app)
        assert "pcap filter" not in screen_text(app)
