"""Mode 5: several points, one row for each packet, the display filter, the packet in full."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from dnet_tui.inspect.errors import DnetError
from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.screens.picker import Picker
from dnet_tui.tui.app.widgets.bar import Bar
from dnet_tui.tui.app.widgets.filter_bar import FilterBar
from dnet_tui.tui.app.widgets.listing import Listing
from ui import hosts
from ui.driving import detail, row_text, running, screen_text, settled, until
from ui.fakes import FakeHost


async def started(pilot: Pilot[None], host: FakeHost, count: int = 3) -> DnetApp:
    """Capture at four points, and let ``count`` datagrams pass them."""
    app: Any = pilot.app
    host.renew_capture(*hosts.THROUGH_NAT)
    await pilot.press("5", "c")
    host.capture.feed(*(packet for number in range(count) for packet in hosts.question(number)))
    await until(pilot, lambda: app.state.capture.board.total == count)
    return app  # type: ignore[no-any-return]


def rows(app: DnetApp) -> list[str]:
    return [row_text(row) for row in app.screen.query_one("#packets", Listing).rows]


def told(app: DnetApp) -> str:
    """The newest message."""
    return ([item.message for item in app._notifications] or [""])[-1]


async def test_a_packet_is_one_row_at_all_points_and_on_both_sides_of_nat() -> None:
    host = FakeHost()
    async with running(host.app(), (140, 40)) as pilot:
        app = await started(pilot, host)
        text = screen_text(app)
        assert "at 1 web:eth0 2 veth5f0a1b2 3 docker0 4 eth0" in text
        assert "1234  UDP 172.17.0.2:40000 → 198.51.100.53:53 ⇒ 203.0.113.2:61000 → 198.51.100.53:53" in text
        assert len(rows(app)) == 3
        assert "12 received" in text
        full = detail(app, "capture")
        assert "4 +36 µs    eth0 received 203.0.113.2:61002 → 198.51.100.53:53" in full


async def test_a_packet_that_some_points_did_not_see_shows_where_it_was() -> None:
    host = FakeHost()
    async with running(host.app(), (140, 40)) as pilot:
        app = await started(pilot, host, 0)
        host.capture.feed(*hosts.question(0, 2))
        await until(pilot, lambda: app.state.capture.board.total == 1)
        assert "12·· " in rows(app)[0]


async def test_the_selected_packet_is_shown_as_fields_and_bytes() -> None:
    host = FakeHost()
    async with running(host.app(), (140, 40)) as pilot:
        app = await started(pilot, host, 1)
        full = detail(app, "capture")
        fields = full.partition("Fields")[2].partition("Bytes")[0]
        assert "IPv4: 172.17.0.2" in fields
        assert "40000" in fields
        assert "Bytes at web:eth0" in full
        assert "0x0000:  0242 0a00 0003 0242 0a00 0002 0800" in full
        await pilot.press("enter")
        await pilot.pause()
        assert app.focused is app.screen.query_one("#capture-detail")
        await pilot.press("escape")
        await pilot.pause()
        assert app.focused is app.screen.query_one("#packets")


async def test_the_display_filter_chooses_as_it_is_typed_and_also_after_the_end() -> None:
    host = FakeHost()
    async with running(host.app()) as pilot:
        app = await started(pilot, host)
        await pilot.press("c")
        await settled(pilot)
        await pilot.press("slash", *"port 40001")
        await until(pilot, lambda: len(app.state.capture.board.rows) == 1)
        assert "40001" in rows(app)[0]
        assert "1 of 3 shown" in screen_text(app)
        await pilot.press("enter", "escape")
        await until(pilot, lambda: len(app.state.capture.board.rows) == 3)
        assert not app.screen.query_one(FilterBar).has_class("-open")


async def test_a_wrong_filter_is_marked_where_it_is_wrong_and_changes_nothing() -> None:
    host = FakeHost()
    async with running(host.app()) as pilot:
        app = await started(pilot, host)
        await pilot.press("slash", *"udp and prot 53")
        await until(pilot, lambda: app.state.capture.wrong is not None)
        await pilot.pause()
        lines = screen_text(app).splitlines()
        at = next(index for index, text in enumerate(lines) if "udp and prot 53" in text)
        mark = lines[at - 1]
        assert mark.index("^^^^") == lines[at].index("prot")
        assert "unknown word" in mark
        assert len(app.state.capture.board.rows) == 3
        await pilot.press("escape")
        await until(pilot, lambda: app.state.capture.wrong is None)
        assert not app.screen.query_one("#filter-wrong", Bar).display


async def test_the_filter_is_checked_before_anything_is_captured_and_holds_from_the_first_packet() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        host.renew_capture(*hosts.THROUGH_NAT)
        await pilot.press("5", "slash", *"host")
        await until(pilot, lambda: app.state.capture.wrong is not None)
        await pilot.press("backspace", "backspace", "backspace", "backspace", *"host web and at eth0", "enter", "c")
        host.capture.feed(*hosts.question(0), *hosts.question(1, 2))
        await until(pilot, lambda: app.state.capture.board.total == 2)
        assert app.state.capture.wrong is None
        assert len(rows(app)) == 1


async def test_clear_forgets_the_packets_and_goes_on() -> None:
    host = FakeHost()
    async with running(host.app()) as pilot:
        app = await started(pilot, host)
        await pilot.press("x")
        await until(pilot, lambda: rows(app) == [])
        assert " x clear" not in screen_text(app)
        host.capture.feed(*hosts.question(7))
        await until(pilot, lambda: len(rows(app)) == 1)


async def test_without_follow_the_cursor_stays_and_with_it_it_goes_to_the_newest() -> None:
    host = FakeHost()
    async with running(host.app()) as pilot:
        app = await started(pilot, host)
        listing = app.screen.query_one("#packets", Listing)
        last = listing.selected
        await pilot.press("f")
        await until(pilot, lambda: "not following" in screen_text(app))
        host.capture.feed(*hosts.question(3))
        await until(pilot, lambda: len(listing.rows) == 4)
        assert listing.selected == last
        await pilot.press("f")
        await until(pilot, lambda: listing.selected == listing.rows[-1].id)
        host.capture.feed(*hosts.question(4))
        await until(pilot, lambda: len(listing.rows) == 5)
        assert listing.selected == listing.rows[-1].id


async def test_save_says_where_the_packets_are_or_why_not() -> None:
    host = FakeHost()
    async with running(host.app()) as pilot:
        app = await started(pilot, host)
        await pilot.press("w")
        await until(pilot, lambda: host.capture.saved != [])
        await until(pilot, lambda: told(app).startswith("12 packets are in /tmp/dnet-tui-"))
        assert host.capture.saved[0].endswith(".pcapng")
        host.capture.failure = DnetError("the disk is full", "make room")
        await pilot.press("w")
        await until(pilot, lambda: told(app) == "the disk is full make room")


@pytest.mark.parametrize(("keys", "wanted"), [("", ("container:web",)), ("k", ("docker0",))])
async def test_the_points_are_those_of_the_row_of_the_map(keys: str, wanted: tuple[str, ...]) -> None:
    host = FakeHost(report=hosts.healthy())
    app = host.app()
    async with running(app) as pilot:
        await pilot.press(*"jjj", *keys, "5", "c")
        await until(pilot, lambda: bool(host.captured))
        named = {item.name: item.id for item in host.snapshot.containers}
        expected = tuple(
            f"container:{named['web']}" if item == "container:web" else f"{hosts.HOST}:veth5f0a1b2" for item in wanted
        )
        assert host.captured[0][0] == expected


async def test_one_more_point_is_added_and_left_out_again() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("5", "p", *"docker0", "enter")
        await until(pilot, lambda: app.state.capture.points == (f"{hosts.HOST}:docker0",))
        await pilot.press("P")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press(*"app1:", "enter")
        await until(pilot, lambda: app.state.capture.points == (f"{hosts.HOST}:docker0", f"{hosts.APP1}:eth0"))
        assert "at 1 docker0 2 app1:eth0" in screen_text(app)
        await pilot.press("P")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press(*"docker0", "enter")
        await until(pilot, lambda: app.state.capture.points == (f"{hosts.APP1}:eth0",))


async def test_the_points_of_the_rows_stay_in_sight_when_others_are_chosen() -> None:
    host = FakeHost()
    async with running(host.app()) as pilot:
        app = await started(pilot, host)
        await pilot.press("c")
        await settled(pilot)
        assert "c: at" not in screen_text(app)
        await pilot.press("p", *"app1:", "enter")
        await until(pilot, lambda: app.state.capture.points == (f"{hosts.APP1}:eth0",))
        assert "at 1 web:eth0 2 veth5f0a1b2 3 docker0 4 eth0" in screen_text(app)
        assert "c: at app1:eth0" in screen_text(app)


async def test_what_there_is_nothing_for_is_not_offered() -> None:
    app = FakeHost().app()
    async with running(app, (140, 40)) as pilot:
        await pilot.press("5", "x", "w", "f")
        await pilot.pause()
        text = screen_text(app)
        assert not any(f" {hint}" in text for hint in ("f follow", "x clear", "w save"))


async def test_a_slip_in_the_pcap_filter_costs_no_packet() -> None:
    host = FakeHost()
    async with running(host.app()) as pilot:
        app = await started(pilot, host)
        before, asked = rows(app), len(host.captured)
        await pilot.press("e", *"bogus", "space", "x", "enter")
        await until(pilot, lambda: "is wrong" in told(app))
        assert rows(app) == before
        assert (app.state.capture.filter, len(host.captured)) == ("", asked)
        assert app.state.capture.running
        await pilot.press("e", *"udp", "enter")
        await until(pilot, lambda: len(host.captured) > asked)
        await until(pilot, lambda: app.state.capture.filter == "udp")
        await pilot.press("c")


async def test_of_the_points_the_one_that_is_called_so_is_chosen() -> None:
    """``eth0`` is the host's own, though another namespace's is called so as well and was chosen before."""
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("5", "p")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press(*"eth0")
        await pilot.pause()
        chosen = app.screen.query_one(Listing)
        assert row_text(chosen.rows[chosen.cursor]).split()[0] == "eth0"
