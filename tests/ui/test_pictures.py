"""Pictures of the screens, at the sizes that must look right.  ``pytest tests/ui --snapshot-update`` renews them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from dnet_tui.tui.app.app import DnetApp
from ui import hosts
from ui.changes.test_changes_screen import flushed, moved
from ui.driving import settled, until
from ui.fakes import FakeHost
from ui.test_troubleshoot import broken, sound, syn

SMALL, LARGE, NARROW = (80, 24), (140, 40), (40, 24)

Compare = Callable[..., bool]


def picture(keys: str, theme: str = "dnet-dark") -> Callable[[Pilot[None]], Awaitable[None]]:
    """Return what leads up to a picture: a theme, then keys, separated by blanks."""

    async def lead_up(pilot: Pilot[Any]) -> None:
        pilot.app.theme = theme
        await settled(pilot)
        for key in keys.split():
            await pilot.press(key)
            await pilot.pause()

    return lead_up


@pytest.mark.parametrize("theme", ["dnet-dark", "dnet-light", "dnet-contrast"])
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x40"])
def test_map(snap_compare: Compare, size: tuple[int, int], theme: str) -> None:
    assert snap_compare(FakeHost().app(), terminal_size=size, run_before=picture("j j j", theme))


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x40"])
def test_rules(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(FakeHost().app(), terminal_size=size, run_before=picture("2 j j j j j"))


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x40"])
def test_rules_that_concern_one_container(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = FakeHost().app()

    async def lead_up(pilot: Pilot[Any]) -> None:
        await picture("j j j 2 o")(pilot)
        await until(pilot, lambda: app.state.concerning is not None)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=lead_up)


@pytest.mark.parametrize("theme", ["dnet-dark", "dnet-light"])
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x40"])
def test_doctor(snap_compare: Compare, size: tuple[int, int], theme: str) -> None:
    assert snap_compare(FakeHost().app(), terminal_size=size, run_before=picture("3", theme))


@pytest.mark.parametrize("keys", ["1", "2", "3"], ids=["map", "rules", "doctor"])
def test_narrow(snap_compare: Compare, keys: str) -> None:
    assert snap_compare(FakeHost().app(), terminal_size=NARROW, run_before=picture(keys))


def test_fix_dialog(snap_compare: Compare) -> None:
    assert snap_compare(FakeHost().app(), terminal_size=SMALL, run_before=picture("3 f"))


def test_help(snap_compare: Compare) -> None:
    assert snap_compare(FakeHost().app(), terminal_size=SMALL, run_before=picture("3 question_mark"))


def test_offline(snap_compare: Compare) -> None:
    host = FakeHost()
    services = host.services()._replace(apply_fix=None, last_change=None, undo=None, open_capture=None)
    assert snap_compare(DnetApp(services, offline=True), terminal_size=SMALL, run_before=picture("3"))


@pytest.mark.parametrize(("mode", "size"), [("3", SMALL), ("3", LARGE), ("5", SMALL)], ids=["small", "large", "full"])
def test_capture(snap_compare: Compare, mode: str, size: tuple[int, int]) -> None:
    host = FakeHost()
    app = host.app()

    async def lead_up(pilot: Pilot[Any]) -> None:
        await picture(f"{mode} c")(pilot)
        host.capture.feed(*(hosts.ping(number) for number in range(12)))
        await until(pilot, lambda: app.state.capture.board.total == 12)
        await pilot.press("c")
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=lead_up)


@pytest.mark.parametrize("theme", ["dnet-dark", "dnet-light"])
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x40"])
@pytest.mark.parametrize("words", ["", "host web and prot 53"], ids=["rows", "wrong-filter"])
def test_capture_at_several_points(snap_compare: Compare, words: str, size: tuple[int, int], theme: str) -> None:
    host = FakeHost()
    app = host.app()

    async def lead_up(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        pilot.app.theme = theme
        host.renew_capture(*hosts.THROUGH_NAT)
        await pilot.press("5", "c")
        host.capture.feed(*(item for number in range(6) for item in hosts.question(number, 2 if number == 3 else 4)))
        await until(pilot, lambda: app.state.capture.board.total == 6)
        await pilot.press("c")
        await settled(pilot)
        if words:
            await pilot.press("slash", *(key if key != " " else "space" for key in words))
            await until(pilot, lambda: app.state.capture.wrong is not None)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=lead_up)


@pytest.mark.parametrize("theme", ["dnet-dark", "dnet-light"])
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x40"])
@pytest.mark.parametrize(("keys", "page"), [("t", "question"), ("t enter", "who"), ("t enter w e b enter", "steps")])
def test_troubleshoot(snap_compare: Compare, keys: str, page: str, size: tuple[int, int], theme: str) -> None:
    host = broken()
    app = host.app()

    async def lead_up(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        pilot.app.theme = theme
        for key in keys.split():
            await pilot.press(key)
        await until(pilot, lambda: app.state.guided.page == page)
        if page == "steps":
            await until(pilot, lambda: app.state.guided.proof.running)
            host.flows[0].feed(*(syn(number, 0, 1, 2) for number in range(5)))
            await until(pilot, lambda: len(app.state.guided.proof.packets) == 5)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=lead_up)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x40"])
def test_troubleshoot_result(snap_compare: Compare, size: tuple[int, int]) -> None:
    host = broken()
    app = host.app()

    async def lead_up(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press("t", "enter", *"web", "enter")
        await until(pilot, lambda: app.state.guided.proof.running)
        host.flows[0].feed(*(syn(number, 0, 1, 2) for number in range(5)))
        await until(pilot, lambda: len(app.state.guided.proof.packets) == 5)
        await pilot.press("enter")
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=lead_up)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x40"])
def test_changes(snap_compare: Compare, size: tuple[int, int]) -> None:
    host = sound()

    async def lead_up(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press("6")
        await moved(pilot, host, flushed(), "nft (process 4711)")
        await pilot.press("g")
        await pilot.pause()

    assert snap_compare(host.app(), terminal_size=size, run_before=lead_up)
