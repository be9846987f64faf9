"""Keys that are typed before the app has done what the ones before them asked for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen

from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.present.styled_text import plain
from dnet_tui.tui.app.screens.dialog import Dialog
from dnet_tui.tui.app.screens.picker import Picker
from ui import hosts
from ui.driving import listing, running, screen_text, until
from ui.fakes import FakeHost

NAMES = {"/": "slash", "\r": "enter", "\x1b": "escape", "+": "plus", "?": "question_mark", ":": "colon"}


async def typed(app: DnetApp, text: str, pause: float = 0.0) -> None:
    """Type as a terminal sends it: nothing is waited for but ``pause`` seconds between two keys."""
    for letter in text:
        app.post_message(events.Key(NAMES.get(letter, letter), letter if letter.isprintable() else None))
        if pause:
            await asyncio.sleep(pause)


@pytest.mark.parametrize("pause", [0, 0.01, 0.03])
async def test_a_filter_typed_in_one_go_quits_nothing(pause: float) -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await typed(app, "/quiet", pause)
        await until(pilot, lambda: app.state.filter("map") == "quiet")
        assert app.is_running
        assert app.current_mode == "map"


@pytest.mark.parametrize("pause", [0, 0.01, 0.03])
async def test_a_mode_its_fix_and_the_yes_typed_in_one_go(pause: float) -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await typed(app, "3fy", pause)
        await until(pilot, lambda: len(host.fixed) == 1)


async def test_a_fix_asked_for_before_the_host_is_read_comes_when_it_is() -> None:
    host = FakeHost()
    host.release.clear()
    app = host.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await typed(app, "3f")
        await until(pilot, lambda: app.current_mode == "doctor")
        await pilot.pause(0.1)
        assert not isinstance(app.screen, Dialog)
        host.release.set()
        await until(pilot, lambda: isinstance(app.screen, Dialog))


async def test_q_leaves_even_while_the_host_is_being_read() -> None:
    host = FakeHost()
    host.release.clear()
    app = host.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await typed(app, "q")
        await until(pilot, lambda: not app.is_running)
        host.release.set()


@pytest.mark.parametrize("pause", [0, 0.01, 0.03])
async def test_a_whole_question_typed_in_one_go(pause: float) -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await typed(app, "tj\rweb\rapp1\r80\r", pause)
        await until(pilot, lambda: app.state.guided.wish.port == 80)
        wish = app.state.guided.wish
        assert (wish.source, wish.target) == ("web", "app1")


async def test_what_is_typed_at_a_list_of_points_belongs_to_its_filter() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await typed(app, "5pdocker0\r")
        await until(pilot, lambda: app.state.capture.points == (f"{hosts.HOST}:docker0",))
        assert not isinstance(app.screen, Picker)


async def test_pasted_text_keeps_its_place_among_the_keys() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await typed(app, "/")
        app.post_message(events.Paste("app1"))
        await typed(app, "\r2")
        await until(pilot, lambda: app.current_mode == "rules")
        assert app.state.filter("map") == "app1"


async def test_many_keys_are_all_taken() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        rows = listing(app, "map").rows
        await typed(app, "j" * 5 + "k" * 3)
        await until(pilot, lambda: listing(app, "map").selected == [row.id for row in rows if row.selectable][2])


@pytest.mark.parametrize("keys", ["3f", "5p", "?", "/web", "t\r"], ids=["dialog", "picker", "help", "filter", "form"])
async def test_ctrl_c_closes_what_is_open_and_only_then_leaves(keys: str) -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await typed(app, keys)
        await pilot.pause(0.2)
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert app.is_running
        assert not isinstance(app.screen, Dialog | Picker)
        assert app.state.filter("map") == ""
        assert app.state.guided.page == "question"
        await pilot.press("ctrl+c")
        await until(pilot, lambda: not app.is_running)


async def test_ctrl_l_paints_everything_anew() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        drawn: list[str] = []
        display = app._display

        def noted(screen: Screen[Any], renderable: Any) -> None:
            drawn.append(type(renderable).__name__)
            display(screen, renderable)

        app._display = noted  # type: ignore[method-assign]
        await pilot.press("ctrl+l")
        await pilot.pause()
        assert "LayoutUpdate" in drawn


async def test_the_best_match_is_under_the_cursor() -> None:
    app = FakeHost().app()
    async with running(app, (140, 40)) as pilot:
        for words, name in (("eth0", "eth0"), ("app1", "app1"), ("docker0", "docker0"), ("172.17.0.2", "web")):
            await typed(app, f"/{words}")
            await until(pilot, lambda words=words: app.state.filter("map") == words)  # type: ignore[misc]
            await pilot.pause()
            box = listing(app, "map")
            assert plain(box.rows[box.cursor].cells[0]).strip("│├└ ").startswith(name), words
            await pilot.press("escape")


async def test_the_pane_that_is_alone_is_always_the_one_with_the_keys() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("plus", "enter")
        await pilot.pause()
        focused: Pilot[None] | object = app.focused
        assert focused is app.screen.query_one("#map-detail")
        assert app.screen.query_one("#map-detail").region.height > 1
        assert listing(app, "map").region.height == 0
        assert "lab" in screen_text(app)


async def test_a_capture_leaves_the_processor_to_a_key_for_a_while() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("5", "c")
        await until(pilot, lambda: 0.0 in host.capture.gave_way)  # no key for a while
        host.capture.gave_way.clear()
        await pilot.press("question_mark")
        await until(pilot, lambda: bool(host.capture.gave_way))
        assert 0 < max(host.capture.gave_way) <= 0.12
        await until(pilot, lambda: host.capture.gave_way[-1] == 0)
