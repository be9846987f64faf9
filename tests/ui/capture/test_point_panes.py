"""Mode 5: the points of a capture side by side."""

from __future__ import annotations

import pytest

from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.widgets.listing import Listing
from ui import hosts
from ui.capture.test_capture_board import started
from ui.driving import detail, row_text, running, screen_text, until
from ui.fakes import FakeHost


def panes(app: DnetApp) -> list[Listing]:
    """The panes that can be seen."""
    return [
        item for item in app.screen.query(".side-rows").results(Listing) if item.is_on_screen and item.region.height
    ]


@pytest.mark.parametrize("size", [(60, 24), (40, 30)])
async def test_on_a_narrow_terminal_the_panes_take_turns(size: tuple[int, int]) -> None:
    host = FakeHost()
    async with running(host.app(), size) as pilot:
        app = await started(pilot, host)
        await pilot.press("v")
        for title in ("1 web:eth0", "2 veth5f0a1b2", "3 docker0", "4 eth0"):
            await pilot.pause()
            assert [str(item.border_title) for item in panes(app)] == [title]
            assert app.focused is panes(app)[0]
            await pilot.press("tab")
        assert "3 " in row_text(app.screen.query_one("#side-4", Listing).rows[2])


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_four_points_have_a_pane_each_and_then_there_is_one_table_again(size: tuple[int, int]) -> None:
    host = FakeHost()
    async with running(host.app(), size) as pilot:
        app = await started(pilot, host)
        assert panes(app) == []
        await pilot.press("v")
        await pilot.pause()
        shown = panes(app)
        assert [str(item.border_title) for item in shown] == ["1 web:eth0", "2 veth5f0a1b2", "3 docker0", "4 eth0"]
        assert len({item.region.x for item in shown}) == 2
        assert all(item.region.height > 1 for item in shown)
        assert not app.screen.query_one("#packets").is_on_screen
        assert app.focused is shown[0]
        assert "3 " in row_text(shown[3].rows[2])
        assert "203.0.113.2:61002 → 198.51.100.53:53" in row_text(shown[3].rows[2])
        assert "172.17.0.2:40002 → 198.51.100.53:53" in row_text(shown[2].rows[2])
        await pilot.press("v")
        await pilot.pause()
        assert panes(app) == []
        assert app.focused is app.screen.query_one("#packets")


async def test_the_cursor_is_on_the_same_packet_everywhere_and_its_detail_below() -> None:
    host = FakeHost()
    async with running(host.app(), (140, 40)) as pilot:
        app = await started(pilot, host)
        host.capture.feed(*hosts.question(3, 2))
        await until(pilot, lambda: app.state.capture.board.total == 4)
        await pilot.press("v", "k", "k")
        await pilot.pause()
        assert {item.selected for item in panes(app)} == {"packet:2"}
        assert "40001" in detail(app, "capture")
        await pilot.press("G")
        await pilot.pause()
        assert [item.selected for item in panes(app)] == ["packet:4", "packet:4", "packet:3", "packet:3"]
        await pilot.press("tab", "k")
        await pilot.pause()
        assert app.focused is panes(app)[1]
        assert {item.selected for item in panes(app)} == {"packet:3"}
        assert "40002" in detail(app, "capture")


async def test_long_rows_are_moved_sideways_in_all_panes_alike() -> None:
    host = FakeHost()
    async with running(host.app()) as pilot:
        app = await started(pilot, host)
        await pilot.press("v")
        await pilot.pause()
        before = screen_text(app)
        await pilot.press("greater_than_sign")
        await pilot.pause()
        assert screen_text(app).count("198.51.100.53:53") >= before.count("198.51.100.53:53") + 4
        assert len({item.shift for item in panes(app)}) == 1
        await pilot.press("less_than_sign", "less_than_sign")
        await pilot.pause()
        assert screen_text(app) == before


async def test_one_pane_alone_the_packet_and_back_step_by_step() -> None:
    host = FakeHost()
    async with running(host.app()) as pilot:
        app = await started(pilot, host)
        await pilot.press("v", "plus")
        await pilot.pause()
        assert [item.id for item in panes(app)] == ["side-1"]
        assert panes(app)[0].region.width > 70
        await pilot.press("escape")
        await pilot.pause()
        assert len(panes(app)) == 4
        await pilot.press("enter")
        await pilot.pause()
        assert app.focused is app.screen.query_one("#capture-detail")
        await pilot.press("escape")
        await pilot.pause()
        assert len(panes(app)) == 4
        await pilot.press("escape")
        await pilot.pause()
        assert panes(app) == []


async def test_one_point_has_nothing_beside_it() -> None:
    host = FakeHost()
    async with running(host.app()) as pilot:
        await pilot.press("5", "c", "v")
        await pilot.pause()
        app = pilot.app
        assert isinstance(app, DnetApp)
        assert panes(app) == []
        assert "side by side" not in screen_text(app)


async def test_packets_that_come_are_followed_in_every_pane_and_resizing_keeps_them() -> None:
    host = FakeHost()
    async with running(host.app(), (140, 40)) as pilot:
        app = await started(pilot, host)
        await pilot.press("v")
        host.capture.feed(*hosts.question(5))
        await until(pilot, lambda: all(item.selected == "packet:4" for item in panes(app)))
        for size in ((60, 20), (40, 12), (80, 24), (140, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert {item.selected for item in panes(app)} == {"packet:4"}
        assert len(panes(app)) == 4
