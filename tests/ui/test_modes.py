"""A mode is registered in one place: from there it has its key, its title, its line of the palette and of the help."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dnet_tui.tui.app import app as app_module
from dnet_tui.tui.app import screens
from dnet_tui.tui.app.modes import MODES, Mode
from dnet_tui.tui.app.screens.keys import help_sections
from ui.driving import running, screen_text, until
from ui.fakes import FakeHost

APP = Path(app_module.__file__).parent
EVERY = pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.id)


@EVERY
async def test_a_mode_has_its_key_its_title_and_its_lines_of_palette_and_help(mode: Mode) -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("2" if mode.id == "map" else "1")
        await until(pilot, lambda: app.current_mode != mode.id)
        await pilot.pause()
        everywhere = [(hint.key, hint.does) for hint in dict(help_sections(app.screen))["Everywhere"]]
        assert (mode.key, mode.id) in everywhere
        await pilot.press(mode.key)
        await pilot.pause()
        assert app.current_mode == mode.id
        assert type(app.screen) is mode.screen
        assert f"[{mode.key} {mode.title}]" in screen_text(app)
        commands = {command.title: command.help for command in app.get_system_commands(app.screen_stack[-1])}
        assert commands[mode.title] == f"Go to {mode.title} (key {mode.key})"
        everywhere = [(hint.key, hint.does) for hint in dict(help_sections(app.screen))["Everywhere"]]
        asks_anew = mode.id == "troubleshoot"  # in any other mode its own key is dead
        assert ((mode.key, mode.id) in everywhere) is asks_anew


async def test_the_app_opens_with_the_first_mode() -> None:
    app = FakeHost().app()
    async with running(app):
        assert app.current_mode == MODES[0].id


def test_no_two_modes_share_a_key_an_id_or_a_title() -> None:
    for names in ([mode.key for mode in MODES], [mode.id for mode in MODES], [mode.title for mode in MODES]):
        assert [name for name, count in Counter(names).items() if count > 1] == []


@EVERY
def test_only_the_list_of_modes_knows_a_screen_and_imports_it_when_one_goes_there(mode: Mode) -> None:
    module = mode.screen.__module__
    assert module.rpartition(".")[2] == mode.screen.shows == mode.id
    assert [path.name for path in APP.rglob("*.py") if f"from {module} import" in path.read_text()] == []


def test_every_screen_with_a_mode_of_its_own_is_in_the_list() -> None:
    declared = [path.stem for path in Path(screens.__path__[0]).glob("*.py") if "\n    shows = " in path.read_text()]
    assert sorted(declared) == sorted(mode.screen.__module__.rpartition(".")[2] for mode in MODES)


@pytest.mark.parametrize(
    "module", ["app.py", "model/state.py", "model/messages.py", "present/frame.py", "screens/base.py"]
)
def test_what_all_modes_share_names_none_of_them(module: str) -> None:
    text = (APP / module).read_text()
    assert [mode.id for mode in MODES if f"'{mode.id}'" in text or f"Screen({mode.id}" in text] == []
    assert [mode.title for mode in MODES if f'"{mode.title}"' in text] == []
