"""The app follows the host: it looks again when something moved, and only then."""

from __future__ import annotations

import re

import msgspec
import pytest

from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import LinkStats, Snapshot
from dnet_tui.inspect.model.change_events import Moved
from ui import hosts
from ui.driving import detail, listing, running, screen_text, settled, until
from ui.fakes import FakeHost
from unit.builders.factories import DOCKER0, HOST, with_link

BRIDGE = f"link:{HOST}:{DOCKER0}"


@pytest.fixture(autouse=True)
def _without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnet_tui.tui.app.refresh_scheduler.REST", 0.0)


def grown() -> Snapshot:
    """The host with another interface's MTU, and traffic on it."""
    return with_link(hosts.host(), HOST, "docker0", mtu=1234, stats=LinkStats(rx_packets=700, rx_bytes=70_000))


async def test_what_moved_is_shown_and_the_selection_stays() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app, (140, 40)) as pilot:
        listing(app, "map").put_cursor(BRIDGE)
        await pilot.pause()
        assert "1500" in detail(app, "map")
        host.snapshot = grown()
        host.move("links")
        await until(pilot, lambda: "1234" in detail(app, "map"))

        assert listing(app, "map").selected == BRIDGE
        assert host.refreshed == [frozenset({Moved("links")})]
        assert host.taken == 2


async def test_counters_become_rates_once_there_are_two_snapshots() -> None:
    host = FakeHost(with_link(hosts.host(), HOST, "docker0", stats=LinkStats(rx_packets=100, rx_bytes=10_000)))
    app = host.app()
    async with running(app, (140, 40)) as pilot:
        listing(app, "map").put_cursor(BRIDGE)
        await pilot.pause()
        assert "/s" not in detail(app, "map")
        app.state = msgspec.structs.replace(app.state, read_at=app.state.read_at - 1000)
        host.snapshot = grown()
        host.move("links")
        await until(pilot, lambda: "700 packets" in detail(app, "map"))

        assert re.search(r"received .*\n *0\.6/s, (60|5\d) B/s  over 10\d\d s", detail(app, "map"))


async def test_while_frozen_nothing_is_read_and_afterwards_what_moved_is() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("space")
        host.move("links")
        await settled(pilot)
        assert host.taken == 1
        await pilot.press("space")
        await until(pilot, lambda: host.taken == 2)
        assert host.refreshed == [frozenset({Moved("links")})]


async def test_a_look_nobody_asked_for_keeps_no_key_from_working() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        host.release.clear()
        host.move("links")
        await until(pilot, lambda: host.taken == 2)
        assert app.state.busy == ""
        assert "reading" not in screen_text(app)
        host.release.set()
        await settled(pilot)


async def test_what_moves_during_a_look_is_looked_at_after_it() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        host.release.clear()
        host.move("links")
        await until(pilot, lambda: host.taken == 2)
        host.move("routes")
        await pilot.pause()
        assert host.taken == 2
        host.release.set()
        await until(pilot, lambda: host.taken == 3)
        assert host.refreshed[-1] == frozenset({Moved("routes")})


async def test_a_look_that_fails_keeps_what_is_shown_and_says_so() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        host.failure = DnetError("/proc can't be read")
        host.move("links")
        await until(pilot, lambda: "/proc can't be read" in screen_text(app))
        assert app.state.snapshot == host.snapshot
        host.failure = None
        host.move("links")
        await until(pilot, lambda: "/proc can't be read" not in screen_text(app))


async def test_listening_begins_before_the_first_look_and_ends_with_the_app() -> None:
    host = FakeHost()
    async with running(host.app()):
        assert len(host.watches) == 1
        assert not host.watches[0].closed
    assert host.watches[0].closed


async def test_refreshing_by_hand_begins_no_second_watch() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("r")
        await settled(pilot)
        assert len(host.watches) == 1
        assert host.refreshed == []


async def test_without_a_watch_nothing_is_followed() -> None:
    host = FakeHost()
    app = type(host.app())(host.services()._replace(watch=None))
    async with running(app) as pilot:
        assert host.watches == []
        await pilot.press("r")
        await settled(pilot)
        assert host.taken == 2
