"""The keys, over a fake host."""

from __future__ import annotations

import msgspec
import pytest
from textual.command import CommandList

from dnet_tui.inspect.errors import DnetError
from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.model.services import Services
from dnet_tui.tui.app.present.styled_text import CROSS
from dnet_tui.tui.app.screens.dialog import Dialog
from dnet_tui.tui.app.themes import THEMES
from dnet_tui.tui.app.widgets.filter_bar import FilterBar
from ui import hosts
from ui.driving import detail, listing, row_text, running, screen_text, settled, until
from ui.fakes import FakeHost


async def test_the_app_is_there_before_the_host_is_read() -> None:
    host = FakeHost()
    host.release.clear()
    app = host.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "reading the host..." in screen_text(app)
        host.release.set()
        await settled(pilot)
        assert "docker0" in screen_text(app)
        assert "reading" not in screen_text(app)


async def test_number_keys_change_the_mode_and_the_title_shows_it() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        for key, mode, title in (
            ("2", "rules", "[2 Rules]"),
            ("3", "doctor", "[3 Doctor]"),
            ("5", "capture", "[5 Capture]"),
        ):
            await pilot.press(key)
            await pilot.pause()
            assert app.current_mode == mode
            assert title in screen_text(app)
        await pilot.press("1")
        assert app.current_mode == "map"


@pytest.mark.parametrize("key", ["7", "e"])
async def test_keys_of_modes_that_do_not_exist_do_nothing(key: str) -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        before = screen_text(app)
        await pilot.press(key)
        await pilot.pause()
        assert screen_text(app) == before


async def test_vi_keys_and_arrows_move_and_the_detail_follows() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("j", "down", "j")
        await pilot.pause()
        assert detail(app, "map").startswith("web  docker container")
        await pilot.press("k", "up")
        await pilot.pause()
        assert detail(app, "map").startswith("docker0  bridge")
        await pilot.press("G")
        assert listing(app, "map").cursor == len(listing(app, "map").rows) - 1
        await pilot.press("g")
        assert listing(app, "map").selected == "host"


async def test_enter_goes_to_the_detail_and_escape_comes_back() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("enter")
        assert app.focused is not None
        assert app.focused.id == "map-detail"
        await pilot.press("escape")
        assert app.focused is listing(app, "map")


async def test_tab_goes_round_the_panels() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        seen = []
        for _ in range(3):
            assert app.focused is not None
            seen.append(app.focused.id)
            await pilot.press("tab")
        assert seen == ["map-list", "map-detail", "map-list"]


async def test_the_selection_survives_a_refresh_that_adds_rows_above_it() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press(*"jjjjj")
        selected = listing(app, "map").selected
        assert selected.startswith("link:")
        cursor = listing(app, "map").cursor
        ns = host.snapshot.namespaces[0]
        more = msgspec.structs.replace(ns.links[2], ifindex=90, name="br-new")
        links = (*ns.links[:2], more, *ns.links[2:])
        host.snapshot = hosts.with_namespace(host.snapshot, hosts.HOST, links=links)
        await pilot.press("r")
        await settled(pilot)
        assert host.taken == 2
        assert "br-new" in screen_text(app)
        assert listing(app, "map").selected == selected
        assert listing(app, "map").cursor == cursor + 1


async def test_when_the_selected_thing_is_gone_the_cursor_stays_near() -> None:
    host = FakeHost()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("j", "j")
        gone = listing(app, "map").selected
        ns = host.snapshot.namespaces[0]
        links = tuple(link for link in ns.links if link.name != "veth5f0a1b2")
        host.snapshot = hosts.with_namespace(host.snapshot, hosts.HOST, links=links)
        await pilot.press("r")
        await settled(pilot)
        assert listing(app, "map").cursor == 2
        assert listing(app, "map").selected not in {"", gone}
        assert app.state.selected("map") == listing(app, "map").selected


async def test_freeze_holds_what_is_shown_and_goes_on_with_the_newest() -> None:
    host = FakeHost()
    host.release.clear()
    app = host.app()
    async with app.run_test(size=(80, 24)) as pilot:
        host.release.set()
        await settled(pilot)
        host.release.clear()
        await pilot.press("r", "space")
        host.snapshot = hosts.broken_web()
        host.release.set()
        await settled(pilot)
        assert "FROZEN" in screen_text(app)
        assert "down" not in screen_text(app)
        await pilot.press("space")
        await pilot.pause()
        assert "FROZEN" not in screen_text(app)
        assert "veth5f0a1b2 down" in screen_text(app)


async def test_refresh_does_nothing_while_frozen() -> None:
    host = FakeHost()
    async with running(host.app()) as pilot:
        await pilot.press("space", "r")
        await settled(pilot)
        assert host.taken == 1


async def test_the_filter_keeps_matches_with_what_they_hang_under() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("slash", *"app1", "enter")
        await pilot.pause()
        shown = [row.id for row in listing(app, "map").rows]
        assert shown[0] == "host"
        assert any(ident.startswith("ctr:app1") for ident in shown)
        assert not any(ident.startswith("ctr:web") for ident in shown)
        assert app.focused is listing(app, "map")
        await pilot.press("escape")
        await pilot.pause()
        assert any(row.id.startswith("ctr:web") for row in listing(app, "map").rows)


async def test_digits_and_letters_typed_into_the_filter_are_no_commands() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("slash", "2", "q", "f")
        await pilot.pause()
        assert app.current_mode == "map"
        assert app.state.filter("map") == "2qf"
        await pilot.press("escape")
        await pilot.pause()
        assert app.state.filter("map") == ""
        assert not app.screen.query_one(FilterBar).has_class("-open")


async def test_left_folds_a_bridge_and_right_unfolds_it() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("j", "left")
        await pilot.pause()
        assert f"docker0 bridge {CROSS} +2" in screen_text(app)
        assert not any("veth5f0a1b2" in row_text(row) for row in listing(app, "map").rows)
        await pilot.press("right")
        await pilot.pause()
        assert any("veth5f0a1b2" in row_text(row) for row in listing(app, "map").rows)


async def test_copy_puts_the_detail_on_the_clipboard() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("j", "j", "j", "y")
        await pilot.pause()
        assert "172.17.0.2/16" in app.clipboard


async def test_plus_shows_one_pane_alone_and_back() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("plus")
        await pilot.pause()
        assert listing(app, "map").size.width > 70
        assert app.screen.query_one("#map-detail").size.height == 0
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen.query_one("#map-detail").size.height > 10


async def test_help_lists_the_keys_that_work_here() -> None:
    app = FakeHost().app()
    async with running(app, (100, 60)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        text = screen_text(app)
        assert isinstance(app.screen, Dialog)
        for words in ("next panel", "details", "refresh", "every command by name", "undo", "traffic is broken"):
            assert words in text
        await pilot.press("escape")
        assert not isinstance(app.screen, Dialog)


async def test_themes_are_cycled() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        seen = []
        for _ in range(4):
            seen.append(app.theme)
            await pilot.press("T")
        assert seen == [*(theme.name for theme in THEMES), THEMES[0].name]


async def test_q_leaves() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running


async def test_a_host_that_cannot_be_read_is_told_with_the_next_step() -> None:
    host = FakeHost()
    host.failure = DnetError("permission denied reading /proc", "run it as root")
    app = host.app()
    async with running(app) as pilot:
        assert "permission denied reading /proc" in screen_text(app)
        assert "run it as root" in screen_text(app)
        host.failure = None
        await pilot.press("r")
        await settled(pilot)
        assert "permission denied" not in screen_text(app)
        assert "docker0" in screen_text(app)


async def test_a_reader_that_crashes_does_not_end_the_app() -> None:
    def broken() -> object:
        raise ZeroDivisionError("by [zero]\x1b[31m")

    app = DnetApp(Services(take=broken, examine=lambda _: hosts.sick()))  # type: ignore[arg-type]
    async with running(app):
        assert "ZeroDivisionError: by [zero]\\x1b[31m" in screen_text(app)


@pytest.mark.parametrize("mode", ["1", "2", "3", "5"])
@pytest.mark.parametrize("size", [(80, 24), (140, 40), (40, 24)])
async def test_a_hostile_name_is_shown_literally_everywhere(mode: str, size: tuple[int, int]) -> None:
    app = FakeHost().app()
    async with running(app, size) as pilot:
        await pilot.press(mode)
        await pilot.press("j", "j", "j", "j")
        await pilot.pause()
        assert "\x1b" not in screen_text(app)
        if mode == "1" and size[0] >= 80:
            assert hosts.HOSTILE_SHOWN in screen_text(app)


async def test_an_idle_app_draws_nothing() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        drawn: list[object] = []
        display = app._display
        app._display = lambda screen, renderable: (drawn.append(renderable), display(screen, renderable))[1]  # type: ignore[method-assign,func-returns-value]
        for _ in range(20):  # the last paint of what came before may take its time
            drawn.clear()
            await pilot.pause(0.6)
            if not drawn:
                break
        assert drawn == []
        await pilot.press("j")
        await pilot.pause()
        assert drawn != []


def first_hit(app: DnetApp) -> str:
    """The palette's first proposal; empty while there is none."""
    hits = app.screen.query(CommandList)
    return str(hits.first().get_option_at_index(0).prompt).strip() if hits and hits.first().option_count else ""


async def test_the_palette_goes_to_a_mode_by_name() -> None:
    app = FakeHost().app()
    async with running(app) as pilot:
        await pilot.press("ctrl+p", *"doctor")
        await until(pilot, lambda: first_hit(app).startswith("Doctor"))
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.current_mode == "doctor")


async def test_on_a_narrow_terminal_the_verdict_is_still_in_sight() -> None:
    app = FakeHost().app()
    async with running(app, (40, 24)) as pilot:
        assert "3 errors" in screen_text(app)
        await pilot.press("3", "c")
        await pilot.pause()
        assert app.state.capture.running == ()  # the pane is hidden there: mode 5 has it
        assert " c capture" not in screen_text(app)
