"""The guided check: from a symptom to the closing page, over a fake host whose forwarding is off."""

from __future__ import annotations

import pytest

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.inspect.errors import DnetError
from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.model.guided import PointSeen, SeenPacket
from dnet_tui.tui.app.screens.dialog import Dialog
from ui.driving import detail, listing, running, screen_text, settled, until
from ui.fakes import FakeHost
from unit.builders.factories import docker_like_snapshot, with_sysctl

SIZES = [(80, 24), (140, 40), (60, 24)]


def broken() -> FakeHost:
    """A host that does not forward, as the real doctor sees it."""
    snapshot = docker_like_snapshot()
    for key in ("ip_forward", "conf.all.forwarding", "conf.docker0.forwarding", "conf.eth0.forwarding"):
        snapshot = with_sysctl(snapshot, f"net.ipv4.{key}", "0")
    return FakeHost(snapshot, run_checks(snapshot))


def sound() -> FakeHost:
    """The same with forwarding on."""
    return FakeHost(docker_like_snapshot(), run_checks(docker_like_snapshot()))


async def walked(pilot: object, *keys: str) -> None:
    """Press keys, and wait until the flow is walked and watched."""
    await pilot.press(*keys)  # type: ignore[attr-defined]
    app: DnetApp = pilot.app  # type: ignore[attr-defined]
    await until(pilot, lambda: app.state.guided.page == "steps")  # type: ignore[arg-type]
    await until(pilot, lambda: app.state.guided.proof.running)  # type: ignore[arg-type]


def syn(number: int, *points: int, there: bool = True) -> SeenPacket:
    """A packet that was seen at these points."""
    ends = ("172.17.0.2:40000 → 198.51.100.77:443", "198.51.100.77:443 → 172.17.0.2:40000")[not there]
    seen = tuple(PointSeen(point=item, ends=ends, source=ends.partition(":")[0], delay=1000 * item) for item in points)
    return SeenPacket(
        number=number,
        time=1_795_255_200_000_000_000 + number,
        text="TCP Flags [S]",
        kind="SYN" if there else "SYN-ACK",
        there=there,
        sightings=seen,
    )


@pytest.mark.parametrize("size", SIZES)
async def test_from_a_symptom_to_the_cause_its_owner_and_the_fix(size: tuple[int, int]) -> None:
    host = broken()
    app = host.app()
    async with running(app, size) as pilot:
        await pilot.press("t")
        await pilot.pause()
        assert "A container can't reach the internet" in detail(app, "troubleshoot")
        await walked(pilot, "enter", *"web", "enter")
        assert listing(app, "troubleshoot").selected.startswith("step:")
        assert "it stops here" in detail(app, "troubleshoot")
        assert "forwarding" in detail(app, "troubleshoot").casefold()
        host.flows[0].feed(syn(1, 0, 1, 2), syn(2, 0, 1, 2))
        await until(pilot, lambda: len(app.state.guided.proof.packets) == 2)
        await pilot.press("enter")
        await pilot.pause()
        text = detail(app, "troubleshoot")
        for words in ("stops at", "decided by", "2 SYN: 2 of 2 got as far as", "0 came back", "sysctl -w", "undo"):
            assert words in text
        await pilot.press("q")
    assert host.flows[0].closed.is_set()


async def test_the_two_points_beside_a_step_are_shown_with_what_each_saw() -> None:
    host = broken()
    app = host.app()
    async with running(app, (140, 40)) as pilot:
        await pilot.press("t")
        await walked(pilot, "enter", *"web", "enter")
        guided = app.state.guided
        assert guided.answered is not None
        before, after = guided.answered.links.at(guided.step)
        assert before is not None
        assert after is not None
        assert [guided.answered.labels[item] for item in (before, after)] == ["docker0", "eth0"]
        host.flows[0].feed(syn(1, *range(before + 1)))
        await until(pilot, lambda: "not seen" in screen_text(app))
        assert "docker0 1 → 0 ←  eth0 0 → 0 ←" in screen_text(app)
        await pilot.press("G")
        first, last = guided.answered.labels[0], guided.answered.labels[-1]
        await until(pilot, lambda: f"{first} 1 → 0 ←  {last} 0 → 0 ←" in screen_text(app))


async def test_a_fix_is_shown_asked_for_applied_and_the_same_is_counted_afterwards() -> None:
    host = broken()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("t")
        await walked(pilot, "enter", *"web", "enter")
        await pilot.press("p")
        await until(pilot, lambda: len(app.state.guided.proof.probes) == 1)
        host.flows[0].feed(syn(1, 0, 1, 2))
        await until(pilot, lambda: app.state.guided.proof.count.points != ())
        await pilot.press("f")
        await pilot.pause()
        assert isinstance(app.screen, Dialog)
        assert host.fixed == []
        faulty, host.snapshot = host.snapshot, docker_like_snapshot()
        host.report = run_checks(host.snapshot)
        await pilot.press("y")
        await until(pilot, lambda: host.probed == 2)
        assert host.fixed[0].check == "ip-forward-off"
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        await pilot.press("escape", "G", "enter")
        await until(pilot, lambda: "After it" in detail(app, "troubleshoot"))
        text = detail(app, "troubleshoot")
        assert text.index("It passes") < text.index("Before the fix") < text.index("1 SYN") < text.index("After it")
        assert "probe 1: 0 answered" in text
        await until(pilot, lambda: "probe 2: 0 answered" in detail(app, "troubleshoot"))
        assert "What it was, before the fix" in text
        assert "stopped at" in text
        assert "undone" not in text
        host.snapshot = faulty  # somebody takes the fix back
        host.report = run_checks(host.snapshot)
        await pilot.press("r")
        await until(pilot, lambda: "What stopped it before stops it now: the fix was undone" in saved_page(app))
        await pilot.press("w")
        await until(pilot, lambda: "the fix was undone" in "".join(host.saved.values()))


def saved_page(app: DnetApp) -> str:
    return " ".join(detail(app, "troubleshoot").split())


async def test_a_fix_that_fails_leaves_the_page_as_it_was() -> None:
    host = broken()
    host.fix_failure = DnetError("sysctl: permission denied")
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("t")
        await walked(pilot, "enter", *"web", "enter")
        await pilot.press("f")
        await pilot.pause()
        await pilot.press("y")
        await until(pilot, lambda: "permission denied" in screen_text(app))
        await settled_but_for_the_capture(pilot)
        assert app.state.guided.was is None


async def settled_but_for_the_capture(pilot: object) -> None:
    """Wait until the host was read again."""
    app: DnetApp = pilot.app  # type: ignore[attr-defined]
    await until(pilot, lambda: not app.state.busy)  # type: ignore[arg-type]


async def test_what_is_selected_is_filled_in() -> None:
    app = broken().app()
    async with running(app) as pilot:
        row = next(row.id for row in listing(app, "map").rows if row.id.startswith("ctr:web"))
        listing(app, "map").put_cursor(row)
        await pilot.pause()
        await pilot.press("t", "enter")
        await until(pilot, lambda: app.state.guided.page == "who")
        await walked(pilot, "enter")
        assert app.state.guided.wish.source == "web"


@pytest.mark.parametrize(
    ("down", "fields", "ends"),
    [
        (1, ("web", "app1", "80"), ("web", "app1", 80)),
        (2, ("web", "80"), ("host", "web", 80)),
        (3, ("8080",), ("outside", "host", 8080)),
        (5, ("app1", "web", "icmp"), ("app1", "web", 0)),
    ],
)
async def test_every_question_leads_to_its_flow(down: int, fields: tuple[str, ...], ends: tuple[str, str, int]) -> None:
    app = sound().app()
    async with running(app) as pilot:
        await pilot.press("t", *["j"] * down, "enter")
        for field in fields:
            await pilot.press(*field, "enter")
        await until(pilot, lambda: app.state.guided.answered is not None or bool(app.state.guided.trouble))
        wish = app.state.guided.wish
        assert (wish.source, wish.target, wish.port) == ends


async def test_a_place_that_there_is_not_is_said_with_what_is_near() -> None:
    app = broken().app()
    async with running(app) as pilot:
        await pilot.press("t", "enter", *"wxb", "enter")
        await until(pilot, lambda: "wxb" in app.state.guided.trouble)
        assert "no container or place called" in screen_text(app)
        assert app.state.guided.page == "who"


async def test_a_port_that_is_none_is_refused() -> None:
    app = sound().app()
    async with running(app) as pilot:
        await pilot.press("t", "j", "enter", *"web", "enter", *"app1", "enter", *"70000", "enter")
        await pilot.pause()
        assert app.state.guided.page == "who"
        assert "70000 is no port" in screen_text(app)


async def test_escape_goes_back_page_by_page() -> None:
    app = broken().app()
    async with running(app) as pilot:
        await pilot.press("t")
        await walked(pilot, "enter", *"web", "enter")
        await pilot.press("enter")
        await pilot.pause()
        for page in ("steps", "who", "question"):
            await pilot.press("escape")
            await pilot.pause()
            assert app.state.guided.page == page
        await pilot.press("escape")
        await until(pilot, lambda: app.current_mode == "map")


async def test_the_page_is_saved_as_markdown_with_a_plain_name() -> None:
    host = broken()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("t")
        await walked(pilot, "enter", *"web", "enter")
        await pilot.press("w")
        await until(pilot, lambda: bool(host.saved))
        ((name, text),) = host.saved.items()
        assert name.startswith("dnet-tui-web-outside-")
        for words in ("# web → outside", "## Steps", "**stops here**", "## Fix", "sysctl -w net.ipv4.ip_forward=1"):
            assert words in text


async def test_a_file_that_cannot_be_written_is_said() -> None:
    host = broken()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("t")
        await walked(pilot, "enter", *"web", "enter")
        host.failure = DnetError("no space left")
        await pilot.press("w")
        await until(pilot, lambda: any("no space left" in item.message for item in app._notifications))


async def test_a_capture_that_is_not_allowed_says_why_and_the_steps_stay() -> None:
    host = broken()
    host.flow_failure = DnetError("no permission to capture")
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("t", "enter", *"web", "enter")
        await until(pilot, lambda: "no permission to capture" in screen_text(app))
        assert "Rules for what comes in" in screen_text(app)


async def test_a_saved_snapshot_offers_only_what_works_there() -> None:
    host = broken()
    services = host.services()._replace(apply_fix=None, undo=None, open_capture=None, open_flow=None, probe=None)
    app = DnetApp(services, offline=True)
    async with running(app) as pilot:
        await pilot.press("t", "enter", *"web", "enter")
        await until(pilot, lambda: app.state.guided.page == "steps")
        await pilot.pause()
        text = screen_text(app)
        assert "a saved snapshot has no packets" in text
        for key in ("p send", " f fix ", "undo"):
            assert key not in text
        await pilot.press("p", "f")
        await settled(pilot)
        assert host.probed == 0
        assert host.fixed == []


async def test_from_outside_nothing_is_sent() -> None:
    host = sound()
    app = host.app()
    async with running(app) as pilot:
        await pilot.press("t", "j", "j", "j", "enter", *"8080", "enter")
        await until(pilot, lambda: app.state.guided.page == "steps")
        await pilot.press("p")
        await pilot.pause()
        assert host.probed == 0
        assert "p send" not in screen_text(app)
