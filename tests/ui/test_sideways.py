"""Rows that are wider than their pane are moved sideways; what isn't on show holds no older snapshot."""

from __future__ import annotations

import sys

import msgspec

from dnet_tui.tui.app.screens.base import ModeScreen
from dnet_tui.tui.app.screens.keys import help_sections
from ui.driving import listing, running, screen_text, settled, until
from ui.fakes import FakeHost


async def test_a_long_rule_is_seen_whole_without_its_detail() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("2")
        await pilot.pause()
        before = screen_text(app)
        rules = listing(app, "rules")
        assert rules.check_action("sideways", (1,))
        assert not rules.check_action("sideways", (-1,))
        await pilot.press("greater_than_sign")
        await pilot.pause()
        assert rules.shift > 0
        assert screen_text(app) != before
        while rules.check_action("sideways", (1,)):
            await pilot.press("greater_than_sign")
        at_end = rules.shift
        await pilot.press("greater_than_sign", "j", "k")
        assert rules.shift == at_end
        while rules.shift:
            await pilot.press("less_than_sign")
        await pilot.pause()
        assert screen_text(app) == before


async def test_where_everything_is_in_sight_the_keys_are_not_offered() -> None:
    app = FakeHost().app()
    async with running(app, (200, 50)) as pilot:
        words = [hint.does for _, keys in help_sections(app.screen) for hint in keys]
        assert "down" in words
        assert "the right of long rows" not in words
        await pilot.press("2")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        words = [hint.does for _, keys in help_sections(app.screen) for hint in keys]
        assert "the right of long rows" in words
        assert "their left" not in words


async def test_a_mode_that_is_not_on_show_lets_go_of_an_older_snapshot_and_shows_the_newer_later() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        for key in ("2", "3", "4", "6", "t", "1"):
            await pilot.press(key)
            await pilot.pause()
        await pilot.press("2", "j", "j")
        await pilot.pause()
        chosen = listing(app, "rules").selected
        await pilot.press("1")
        await pilot.pause()
        older = app.state.snapshot
        host.snapshot = msgspec.structs.replace(host.snapshot, taken_at="2026-11-21T11:00:00+00:00")
        await pilot.press("r")
        await settled(pilot)
        assert app.state.snapshot is not older
        screens = [screen for stack in app._screen_stacks.values() for screen in stack]
        await until(pilot, lambda: sys.getrefcount(older) <= 2)  # the name above, and the call's own
        kept = [screen for screen in screens if isinstance(screen, ModeScreen) and screen.state.snapshot is older]
        assert kept == []
        await pilot.press("2")
        await pilot.pause()
        assert listing(app, "rules").selected == chosen
        assert "PREROUTING" in screen_text(app)
        await pilot.press("t")
        await pilot.pause()
        assert "can't reach the internet" in screen_text(app)
