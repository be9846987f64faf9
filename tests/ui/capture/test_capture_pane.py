"""The capture pane, fed by a fake source."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from dnet_tui.inspect.capture.board.capture_board import ROWS_KEPT
from dnet_tui.inspect.errors import CannotInspectError
from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.screens.picker import Picker
from dnet_tui.tui.app.widgets.listing import Listing
from ui import hosts
from ui.driving import detail, listing, running, screen_text, settled, until
from ui.fakes import FakeHost


async def test_packets_come_in_beside_the_checks_and_are_counted() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("3", "c")
        host.capture.feed(*(hosts.ping(number) for number in range(3)))
        await until(pilot, lambda: len(app.state.capture.board.rows) == 3)
        text = screen_text(app)
        assert "3 received" in text
        assert "0 dropped" in text
        assert "ICMP 172.17.0.2 → 203.0.113.1" in text
        await pilot.press("c")
        await settled(pilot)
        assert host.capture.closed.is_set()
        assert "stopped" in screen_text(app)
        assert len(app.state.capture.board.rows) == 3


async def test_the_full_screen_shows_the_same_capture_and_the_whole_packet() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("3", "c")
        host.capture.feed(hosts.ping(0), hosts.ping(1))
        await until(pilot, lambda: app.state.capture.board.total == 2)
        await pilot.press("5")
        await pilot.pause()
        assert "10:00:00.500 out ICMP 203.0.113.10 → 172.17.0.2 echo reply, id 7, seq 0" in screen_text(app)
        assert "98 bytes on the wire" in detail(app, "capture")
        await pilot.press("k")
        await pilot.pause()
        assert "echo request, id 7, seq 0" in detail(app, "capture")
        await pilot.press("c")
        await settled(pilot)


async def test_dropped_packets_are_said() -> None:
    host = FakeHost()
    host.capture.dropped = 17
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("5", "c")
        await until(pilot, lambda: app.state.capture.dropped == 17)
        assert "17 dropped" in screen_text(app)
        await pilot.press("c")
        await settled(pilot)


async def test_rows_are_bounded_and_the_newest_are_kept() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("5", "c")
        host.capture.feed(*(hosts.ping(number) for number in range(ROWS_KEPT + 10)))
        await until(pilot, lambda: app.state.capture.board.total == ROWS_KEPT + 10)
        rows = app.screen.query_one("#packets", Listing)
        assert len(rows.rows) == ROWS_KEPT
        assert rows.selected == f"packet:{ROWS_KEPT + 10}"
        await pilot.press("g")
        assert rows.selected == "packet:11"
        host.capture.feed(hosts.ping(0))
        await until(pilot, lambda: app.state.capture.board.total == ROWS_KEPT + 11)
        assert rows.selected == "packet:12"  # the row under the cursor fell out: its neighbour has the cursor
        await pilot.press("j")
        host.capture.feed(hosts.ping(1))
        await until(pilot, lambda: app.state.capture.board.total == ROWS_KEPT + 12)
        assert rows.selected == "packet:13"  # not at the end: the cursor stays with its packet
        await pilot.press("c")
        await settled(pilot)


async def test_space_holds_the_rows_while_the_counters_go_on() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("5", "c")
        host.capture.feed(hosts.ping(0))
        await until(pilot, lambda: app.state.capture.received == 1)
        await pilot.press("space")
        host.capture.feed(hosts.ping(1), hosts.ping(2))
        await until(pilot, lambda: app.state.capture.received == 3)
        assert len(app.screen.query_one("#packets", Listing).rows) == 1
        assert "frozen  3 received, 0 dropped  2 waiting" in screen_text(app)
        await pilot.press("space")
        host.capture.feed(hosts.ping(3))
        await until(pilot, lambda: app.state.capture.received == 4)
        assert len(app.screen.query_one("#packets", Listing).rows) == 4
        await pilot.press("c")
        await settled(pilot)


async def test_the_point_is_that_of_the_selected_finding_unless_one_is_chosen() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("3", "j", "j")
        await pilot.pause()
        assert listing(app, "doctor").selected.startswith("finding:masq-missing")
        assert "at docker0" in screen_text(app)
        await pilot.press("p")
        await pilot.pause()
        assert isinstance(app.screen, Picker)
        await pilot.press(*"app1:", "enter")
        await pilot.pause()
        assert "at app1:eth0" in screen_text(app)
        await pilot.press("c")
        await until(pilot, lambda: bool(host.captured))
        assert host.captured == [((f"{hosts.APP1}:eth0",), "")]
        await pilot.press("c")
        await settled(pilot)


async def test_the_point_follows_the_map_where_no_finding_names_one() -> None:
    host = FakeHost(report=hosts.healthy())
    app = host.app()
    async with running(app) as pilot:
        await pilot.press(*"jjj", "5")
        await pilot.pause()
        assert "at web and its way out" in screen_text(app)


async def test_the_filter_is_handed_over_and_enter_starts() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("5", "e", *"tcp port 80", "enter")
        await until(pilot, lambda: bool(host.captured))
        assert host.captured[0][1] == "tcp port 80"
        await pilot.press("3")
        await pilot.pause()
        assert app.screen.query_one("#pcap", Input).value == "tcp port 80"
        await pilot.press("c")
        await settled(pilot)


async def test_without_permission_the_pane_says_so_and_the_app_goes_on() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        host.failure = CannotInspectError("docker0: not permitted", "Run it as root.")
        await pilot.press("5", "c")
        await settled(pilot)
        assert "docker0: not permitted  Run it as root." in screen_text(app)
        assert app.state.capture.running == ()
        await pilot.press("1")
        assert app.current_mode == "map"


async def test_a_point_that_goes_away_ends_the_capture_and_keeps_the_packets() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("5", "c")
        host.capture.feed(hosts.ping(0))
        await until(pilot, lambda: app.state.capture.board.total == 1)
        host.capture.ended = "docker0: the interface is gone."
        await settled(pilot)
        assert "the interface is gone" in screen_text(app)
        assert len(app.state.capture.board.rows) == 1


async def test_packets_of_a_capture_that_was_replaced_are_not_mixed_in() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("5", "c")
        await until(pilot, lambda: len(host.captured) == 1)
        first = host.capture
        host.renew_capture()
        await pilot.press("e", *"icmp", "enter")
        await until(pilot, lambda: len(host.captured) == 2)
        first.feed(hosts.ping(0))
        host.capture.feed(hosts.ping(1))
        await until(pilot, lambda: app.state.capture.board.total >= 1)
        assert [row.info for row in app.state.capture.board.rows] == ["echo reply, id 7, seq 0, length 64"]
        assert first.closed.wait(5)
        await pilot.press("c")
        await settled(pilot)


@pytest.mark.parametrize("mode", ["3", "5"])
async def test_a_saved_snapshot_offers_no_capture(mode: str) -> None:
    host = FakeHost()
    app = DnetApp(host.services()._replace(open_capture=None), offline=True)
    async with running(app) as pilot:
        await pilot.press(mode, "c", "p")
        await pilot.pause()
        assert host.captured == []
        assert not isinstance(app.screen, Picker)
        assert " c capture" not in screen_text(app)
        assert "offline" in screen_text(app)
