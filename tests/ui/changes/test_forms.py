"""The forms: validated while typing, the commands in preview, made after a yes."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.model.forms import FORMS
from dnet_tui.tui.app.screens.dialog import Dialog
from dnet_tui.tui.app.screens.form import FormScreen
from dnet_tui.tui.app.screens.picker import Picker
from ui.driving import listing, running, screen_text, until
from ui.fakes import FakeHost
from ui.test_troubleshoot import sound

SIZES = [(80, 24), (140, 40), (60, 24)]


async def opened(pilot: Pilot[None], word: str) -> None:
    """Open a form from Changes."""
    await pilot.press("6", "a")
    await until(pilot, lambda: isinstance(pilot.app.screen, Picker))
    await pilot.press(*word, "enter")
    await until(
        pilot, lambda: isinstance(pilot.app.screen, FormScreen) and bool(pilot.app.screen.query("#form-preview"))
    )


async def says(pilot: Pilot[None], words: str) -> None:
    """Wait until the screen says something."""
    app: DnetApp = pilot.app  # type: ignore[assignment]
    await until(pilot, lambda: words in screen_text(app))


async def typed(pilot: Pilot[None], field: str, text: str) -> None:
    """Write into a field."""
    app: DnetApp = pilot.app  # type: ignore[assignment]
    app.screen.set_focus(app.screen.query_one(f"#form-{field}", Input))
    await pilot.press(*("colon" if char == ":" else "full_stop" if char == "." else char for char in text))


@pytest.mark.parametrize("size", SIZES)
async def test_a_network_is_checked_while_it_is_typed_and_made_after_a_yes(size: tuple[int, int]) -> None:
    host = sound()
    async with running(host.app(), size) as pilot:
        await opened(pilot, "network")
        await says(pilot, "to be filled in: name")
        await typed(pilot, "name", "blue")
        await says(pilot, "$ docker network create")
        await typed(pilot, "subnet", "172.17.0.0/16".replace("/", "/"))
        await says(pilot, "overlaps")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, FormScreen)  # what is wrong is never asked about
        pilot.app.screen.query_one("#form-subnet", Input).value = "10.99.0.0/24"
        await until(pilot, lambda: "overlaps" not in screen_text(pilot.app))  # type: ignore[arg-type]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dialog))
        assert host.made == []
        await pilot.press("y")
        await until(pilot, lambda: len(host.made) == 1)
        assert "10.99.0.0/24" in " ".join(host.made[0].commands)
        await until(pilot, lambda: isinstance(pilot.app.screen, Dialog))


async def test_typed_in_one_go_it_waits_for_the_plan_before_the_yes() -> None:
    host = sound()
    async with running(host.app()) as pilot:
        await opened(pilot, "network")
        await pilot.press(*"green", "enter", "y")
        await until(pilot, lambda: len(host.made) == 1)
        assert host.made[0].draft.value("name") == "green"


async def test_a_no_makes_nothing_and_keeps_the_form() -> None:
    host = sound()
    async with running(host.app()) as pilot:
        await opened(pilot, "network")
        await pilot.press(*"green", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dialog))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, FormScreen))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, FormScreen))
        assert host.made == []


async def test_what_failed_is_not_typed_again() -> None:
    host = sound()
    async with running(host.app()) as pilot:
        await opened(pilot, "network")
        await pilot.press(*"green", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dialog))
        host.failure = ActionFailedError("the disk is full", "free some of it")
        await pilot.press("y")
        await says(pilot, "the disk is full")
        host.failure = None
        await pilot.press("escape")
        await until(pilot, lambda: not pilot.app.state.busy)  # type: ignore[attr-defined]
        await opened(pilot, "network")
        assert pilot.app.screen.query_one("#form-name", Input).value == "green"


async def test_names_are_completed_and_what_is_selected_is_filled_in() -> None:
    host = sound()
    async with running(host.app(), (140, 40)) as pilot:
        app: DnetApp = pilot.app  # type: ignore[assignment]
        row = next(row.id for row in listing(app, "map").rows if row.id.startswith("ctr:") and "web" in str(row.cells))
        listing(app, "map").put_cursor(row)
        await pilot.pause()
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press(*"port", "enter")
        await until(pilot, lambda: isinstance(app.screen, FormScreen) and bool(app.screen.query("#form-preview")))
        assert app.screen.query_one("#form-container", Input).value == "web"
        await typed(pilot, "port", "9090:99999")
        await says(pilot, "is not a port to publish")
        app.screen.query_one("#form-port", Input).value = "9090:80"
        await says(pilot, "9090")
        await says(pilot, "Will run")
        app.screen.query_one("#form-container", Input).value = ""
        await typed(pilot, "container", "we")
        await pilot.press("tab")
        assert app.screen.query_one("#form-container", Input).value == "web"


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("size", SIZES)
async def test_every_form_opens_at_every_size_and_says_what_is_missing(kind: str, size: tuple[int, int]) -> None:
    async with running(sound().app(), size) as pilot:
        await opened(pilot, kind)
        await says(pilot, "to be filled in")
        for field in FORMS[kind].fields:  # type: ignore[index]
            assert field.label in screen_text(pilot.app)  # type: ignore[arg-type]
        await pilot.press("ctrl+c")
        await until(pilot, lambda: not isinstance(pilot.app.screen, FormScreen))


async def test_where_nothing_may_be_changed_nothing_is_offered() -> None:
    host = FakeHost()
    services = host.services()._replace(apply_fix=None, undo=None, plan=None, make=None)
    async with running(DnetApp(services)) as pilot:
        await pilot.press("6", "a")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, Picker)
        assert " a add" not in screen_text(pilot.app)  # type: ignore[arg-type]
