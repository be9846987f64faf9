"""Every key of every mode and pane, read off the app's own tables: said, alive, alone on its key, in the palette."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from textual.binding import Binding
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from dnet_tui.tui.app.app import DnetApp
from dnet_tui.tui.app.model.timeline import JournalLine
from dnet_tui.tui.app.modes import MODES
from dnet_tui.tui.app.palette import commands
from dnet_tui.tui.app.screens.base import ModeScreen
from dnet_tui.tui.app.screens.keys import help_sections, hints, key_name
from dnet_tui.tui.app.widgets.bar import Bar
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.listing import Listing
from ui import hosts
from ui.driving import running, screen_text, until
from ui.fakes import FakeHost
from ui.test_troubleshoot import broken, walked

OURS = JournalLine(
    entry="0007", time="2026-11-21T09:59:00Z", title="ip-forward-off", status="done", undo=("sysctl -w x=0",)
)
Scene = Callable[[Pilot[None], FakeHost], Awaitable[None]]


async def _captured(pilot: Pilot[None], host: FakeHost) -> None:
    app: Any = pilot.app
    host.renew_capture(*hosts.THROUGH_NAT)
    await pilot.press("5", "c")
    host.capture.feed(*(packet for number in range(9) for packet in hosts.question(number)))
    await until(pilot, lambda: app.state.capture.board.total == 9)
    host.capture.ended = "it is done"
    await until(pilot, lambda: not app.state.capture.running)
    await pilot.press("k")


async def _changed(pilot: Pilot[None], host: FakeHost) -> None:
    app: Any = pilot.app
    host.journal.append(OURS)
    await pilot.press("6")
    await until(pilot, lambda: bool(app.state.journal))


async def _traced(pilot: Pilot[None], host: FakeHost) -> None:
    del host
    await walked(pilot, "4", "enter", *"web", "enter", *"outside", "enter", "enter")


async def _stepped(pilot: Pilot[None], host: FakeHost) -> None:
    del host
    await walked(pilot, "t", "enter", *"web", "enter")


async def _closed(pilot: Pilot[None], host: FakeHost) -> None:
    await _stepped(pilot, host)
    await pilot.press("enter")


def _keys(*keys: str) -> Scene:
    async def press(pilot: Pilot[None], host: FakeHost) -> None:
        del host
        await pilot.press(*keys)

    return press


# The panes side by side have their tests in capture/test_point_panes.py: a key that leaves them can't be put back here.
SCENES: dict[str, Scene] = {
    "map": _keys("j"),
    "map-deep": _keys("j", "j", "j"),
    "rules": _keys("2", "j", "j", "j"),
    "doctor": _keys("3"),
    "trace-empty": _keys("4"),
    "trace": _traced,
    "capture-empty": _keys("5"),
    "capture": _captured,
    "changes-empty": _keys("6"),
    "changes": _changed,
    "troubleshoot": _keys("t"),
    "troubleshoot-steps": _stepped,
    "troubleshoot-result": _closed,
}
_NOT_PRESSED = {"quit", "suspend_process"}
_LAST = {"capture", "clear_packets"}
"""What takes away the packets that the other keys are for."""
_NO_TRACE = {"repaint"}
"""What leaves nothing to be seen on a terminal that was right already."""


def test_every_mode_has_a_scene() -> None:
    assert {mode.id for mode in MODES} == {name.partition("-")[0] for name in SCENES}


def shown_bindings(screen: ModeScreen) -> Iterator[tuple[str, Binding, DOMNode]]:
    """The bindings that the help shows now, each by one of its keys."""
    said = {words for _, keys in help_sections(screen) for words in [hint.does for hint in keys]}
    seen: set[str] = set()
    for key, active in screen.active_bindings.items():
        action = active.binding.action
        if active.enabled and active.binding.description in said and action not in seen and "." not in action:
            seen.add(action)
            yield key, active.binding, active.node


def focuses(pilot: Pilot[None]) -> list[Widget]:
    """What Tab comes to, but for lines of input, whose keys are text."""
    return [node for node in pilot.app.screen.focus_chain if not isinstance(node, Input)]


def traces(app: DnetApp, host: FakeHost) -> tuple[object, ...]:
    """All that a key may change."""
    focused = app.focused.id if app.focused is not None else ""
    told = (app.clipboard, len(app._notifications), app.theme, len(app.screen_stack), app.current_mode)
    done = (host.taken, host.probed, len(host.saved), len(host.captured), len(host.capture.saved))
    state = (app.state.frozen, app.state.guided, app.state.capture.board.follow, app.state.capture.board.total)
    return screen_text(app), focused, *told, *done, *state


async def left_a_trace(pilot: Pilot[None], host: FakeHost, was: tuple[object, ...]) -> bool:
    """Whether something changes within the time that a busy machine may take."""
    app: Any = pilot.app
    deadline = time.monotonic() + 10
    while traces(app, host) == was:
        if time.monotonic() > deadline:
            return False
        await pilot.pause(0.01)
    return True


async def put_back(pilot: Pilot[None], app: DnetApp, state: Any, focus: Widget) -> None:
    """As it was before a key."""
    while len(app.screen_stack) > 1:
        app.pop_screen()
    if state[0].capture.running != app.state.capture.running:
        app.workers.cancel_group(app, "capture")
    if app.current_mode != state[1]:
        await app.switch_mode(state[1])
    app.screen.remove_class("-max")
    app._become(state[0])
    app.screen.set_focus(focus)
    await pilot.pause(0.02)
    if isinstance(focus, Listing) and focus.rows:
        focus._go(focus._nearest(state[2]))
    if isinstance(focus, DetailPane):
        focus.scroll_to(y=focus.max_scroll_y // 2, animate=False, immediate=True)
    await calm(pilot)


async def calm(pilot: Pilot[None]) -> None:
    """Wait until what a key led to has been done; a capture goes on."""
    lasting = {"capture", "flow"}
    for _ in range(2):
        await pilot.pause(0.02)
        await until(pilot, lambda: all(item.is_finished for item in pilot.app.workers if item.group not in lasting))


@pytest.mark.parametrize("size", [(80, 24), (60, 24)])
@pytest.mark.parametrize("scene", SCENES)
async def test_every_key_that_is_shown_is_said_alone_and_does_something(scene: str, size: tuple[int, int]) -> None:
    host = broken()
    app = host.app()
    async with running(app, size) as pilot:
        await SCENES[scene](pilot, host)
        await pilot.pause()
        wrong: list[str] = []
        for focus in focuses(pilot):
            cursor = min(max(focus.cursor, 3), max(len(focus.rows) - 2, 0)) if isinstance(focus, Listing) else 0
            before = (app.state, app.current_mode, cursor)
            await put_back(pilot, app, before, focus)
            assert isinstance(app.screen, ModeScreen)
            wrong += [f"{focus.id}: {fault}" for fault in told_wrongly(app, app.screen)]
            shown = sorted(shown_bindings(app.screen), key=lambda item: item[1].action in _LAST)
            for key, binding, node in shown:
                if binding.action in _NOT_PRESSED | _NO_TRACE or (isinstance(node, DnetApp) and scene != "map"):
                    continue
                await put_back(pilot, app, before, focus)
                was = traces(app, host)
                await pilot.press(key)
                if not edge(focus, binding) and not await left_a_trace(pilot, host, was):
                    wrong.append(f"{focus.id}: {key} ({binding.description}) does nothing")
            await put_back(pilot, app, before, focus)
        assert wrong == []


def edge(focus: Widget, binding: Binding) -> bool:
    """Whether a movement finds its list at the end."""
    if not binding.action.startswith(("move", "jump", "page", "scroll")):
        return False
    return isinstance(focus, DetailPane) or (isinstance(focus, Listing) and len(focus.rows) < 3)


def told_wrongly(app: DnetApp, screen: ModeScreen) -> Iterator[str]:
    """Keys without a sentence, with two meanings, that the palette lacks, and hints that can't be clicked."""
    for key, (one, other) in twice(app, screen).items():
        yield f"{key} is both {one} and {other}"
    for key, active in screen.active_bindings.items():
        foreign = active.binding.action == "screen.copy_text" or key in {"ctrl+q", "ctrl+c"}
        if active.enabled and not foreign and len(active.binding.description) < 2:
            yield f"{key} has no words"
    offered = {item.title.casefold() for item in commands(screen, app.state)}
    for key, binding, _ in shown_bindings(screen):
        titles = {mode.title.casefold() for mode in MODES if mode.key == key}
        wanted = binding.description.casefold()
        if not (titles | {wanted, f"{wanted} here"}) & offered:
            yield f"{key_name(key)} ({binding.description}) is not in the palette"
    bar = screen.query_one("#hints", Bar)
    for hint in hints(screen):
        if not hint.press:
            yield f"the hint {hint.key} can't be clicked"
    if len(bar._zones) < 2:
        yield "no hints"


def twice(app: DnetApp, screen: ModeScreen) -> dict[str, tuple[str, str]]:
    """Keys that mean two things now: Textual takes the nearest, and a person can't know which that is."""
    found: dict[str, tuple[str, str]] = {}
    first: dict[str, str] = {}
    for node, bindings in screen._binding_chain:
        for key, binding in bindings:
            if "." in binding.action or binding.system or app._check_action_state(binding.action, node) is False:
                continue
            name = first.setdefault(key, binding.action)
            if name != binding.action and key not in {"ctrl+c", "ctrl+q"}:
                found[key] = (name, binding.action)
    return found
