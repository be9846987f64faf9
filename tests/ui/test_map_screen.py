"""Mode 1: the drawing, what a wide tree has besides, what a refresh adds to it."""

from __future__ import annotations

import time

import pytest

from dnet_tui.inspect.model import LinkStats
from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.screens.dialog import Dialog
from ui.driving import listing, running, screen_text, settled, until
from ui.test_troubleshoot import sound
from unit.builders.factories import HOST, with_link


@pytest.fixture(autouse=True)
def _without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnet_tui.tui.app.refresh_scheduler.REST", 0.0)


@pytest.mark.parametrize("size", [(80, 24), (140, 40), (60, 24)])
async def test_d_draws_the_way_to_the_outside_with_its_nat(size: tuple[int, int]) -> None:
    async with running(sound().app(), size) as pilot:
        app: DnetApp = pilot.app  # type: ignore[assignment]
        row = next(row.id for row in listing(app, "map").rows if row.id.startswith("ctr:web"))
        listing(app, "map").put_cursor(row)
        await pilot.pause()
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        await pilot.pause()
        text = screen_text(app)
        for words in ("eth0@if6  172.17.0.2/16", "port of", "NAT: 172.17.0.2 becomes 203.0.113.2"):
            assert words in text
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, Dialog))


async def test_where_nothing_leads_anywhere_d_is_not_offered() -> None:
    async with running(sound().app()) as pilot:
        app: DnetApp = pilot.app  # type: ignore[assignment]
        assert listing(app, "map").selected == "host"
        assert " d draw" not in screen_text(app)
        await pilot.press("d")
        await settled(pilot)
        assert not isinstance(app.screen, Dialog)


async def test_only_a_wide_tree_has_ports_nat_and_the_default_route() -> None:
    async with running(sound().app(), (140, 40)) as pilot:
        app: DnetApp = pilot.app  # type: ignore[assignment]
        assert all(words in screen_text(app) for words in ("8080→80", " NAT", " via 203.0.113.1"))
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "8080→80" not in screen_text(app).split("Detail")[0]


async def test_another_look_adds_a_bar_to_the_traffic_of_a_link() -> None:
    host = sound()
    async with running(host.app(), (140, 40)) as pilot:
        app: DnetApp = pilot.app  # type: ignore[assignment]
        assert "▁" not in screen_text(app)
        began = app.state.read_at
        host.snapshot = with_link(host.snapshot, HOST, "eth0", stats=LinkStats(rx_bytes=10**9, rx_packets=10**6))
        await until(pilot, lambda: time.monotonic() - began > 0.3)
        await pilot.press("r")
        await until(pilot, lambda: bool(app.state.traffic))
        await settled(pilot)
        assert "█" in screen_text(app)
