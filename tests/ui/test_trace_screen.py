"""Mode 4: a flow on one line, its way and answer, from a step to its rule or link."""

from __future__ import annotations

import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.inspect.model.firewall import Chain, Rule, Verdict
from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.present.styled_text import CROSS
from ui.driving import detail, listing, row_text, running, screen_text, until
from ui.fakes import FakeHost
from ui.test_troubleshoot import broken, sound
from unit.builders.factories import docker_like_snapshot, with_chain


def dropping() -> FakeHost:
    """A host whose administrator drops what web sends."""
    rule = Rule(number=1, text="-s 172.17.0.2/32 -j DROP", exprs=(Verdict(kind="drop"),), packets=7)
    chain = Chain(name="DOCKER-USER", rules=(rule,))
    snapshot = with_chain(docker_like_snapshot(), "filter", chain)
    return FakeHost(snapshot, run_checks(snapshot))


async def asked(pilot: object, *fields: str) -> DnetApp:
    """Fill in the form and wait for the steps."""
    app: DnetApp = pilot.app  # type: ignore[attr-defined]
    await pilot.press("4", "enter")  # type: ignore[attr-defined]
    for field in fields:
        await pilot.press(*(("colon" if key == ":" else key) for key in field), "enter")  # type: ignore[attr-defined]
    await until(pilot, lambda: app.state.guided.answered is not None)  # type: ignore[arg-type]
    await until(pilot, lambda: app.focused is listing(app, "trace"))  # type: ignore[arg-type]
    return app


@pytest.mark.parametrize("size", [(80, 24), (140, 40), (60, 24)])
async def test_a_flow_is_given_on_one_line_and_its_deciding_step_is_selected(size: tuple[int, int]) -> None:
    host = broken()
    async with running(host.app(), size) as pilot:
        app = await asked(pilot, "web", "outside", "443")
        box = listing(app, "trace")
        assert row_text(box.rows[box.cursor]).startswith(CROSS)
        assert "it stops here" in detail(app, "trace")
        assert "goes on" in detail(app, "trace")


async def test_enter_leads_to_the_rule_that_decides() -> None:
    host = dropping()
    async with running(host.app()) as pilot:
        app = await asked(pilot, "web", "outside", "443")
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "rules")
        await pilot.pause()
        box = listing(app, "rules")
        assert "-s 172.17.0.2/32" in row_text(box.rows[box.cursor])


async def test_enter_leads_to_the_link_where_no_rule_decides() -> None:
    host = sound()
    async with running(host.app()) as pilot:
        app = await asked(pilot, "web", "outside", "443")
        await pilot.press("g", "j", "enter")
        await until(pilot, lambda: app.current_mode == "map")
        await pilot.pause()
        assert listing(app, "map").selected.startswith(("ctr:web", "link:"))


async def test_s_swaps_the_two_ends() -> None:
    host = sound()
    async with running(host.app()) as pilot:
        app = await asked(pilot, "app1", "web", "80")
        await pilot.press("s")
        await until(pilot, lambda: app.state.guided.wish.source == "web")
        assert app.state.guided.wish.target == "app1"
        await until(pilot, lambda: "from  web" in screen_text(app))


async def test_a_port_given_with_the_place_needs_no_third_field() -> None:
    host = sound()
    async with running(host.app()) as pilot:
        app = await asked(pilot, "app1", "web:80")
        assert app.state.guided.wish.target == "web:80"


async def test_the_flow_is_edited_with_e_and_escape_leaves_it_as_it_was() -> None:
    host = sound()
    async with running(host.app()) as pilot:
        app = await asked(pilot, "app1", "web", "80")
        await pilot.press("e", "x", "escape")
        await pilot.pause()
        assert app.focused is listing(app, "trace")
        assert app.state.guided.wish.source == "app1"


async def test_the_other_mode_has_the_same_flow() -> None:
    host = broken()
    async with running(host.app()) as pilot:
        app = await asked(pilot, "web", "outside", "443")
        await pilot.press("1", "t")
        await until(pilot, lambda: app.current_mode == "troubleshoot")
        await pilot.pause()
        assert app.state.guided.answered is not None


async def test_a_name_that_nobody_has_is_said_beside_the_form() -> None:
    host = sound()
    async with running(host.app()) as pilot:
        await pilot.press("4", "enter", *"nobody", "enter", *"web", "enter", *"80", "enter")
        app: DnetApp = pilot.app  # type: ignore[assignment]
        await until(pilot, lambda: "nobody" in app.state.guided.trouble)
        await pilot.pause()
        assert "no container or place called" in screen_text(app)
