"""What the command palette offers: every action that works on the screen, modes, themes, and what can be jumped to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.app import SystemCommand
from textual.screen import Screen

from dnet_tui.inspect.model import known_items
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.app.model.guided_messages import JumpAsked
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.modes import MODES
from dnet_tui.tui.app.present.findings import finding_id
from dnet_tui.tui.app.screens.keys import actions
from dnet_tui.tui.app.themes import THEMES

_MOST = 2000
"""Places that can be jumped to: more would make the palette slow."""


def commands(screen: Screen[Any], state: AppState) -> Iterator[SystemCommand]:
    """Yield the commands, the modes first."""
    app = screen.app
    for mode in MODES:
        go = partial(app.call_later, app.run_action, mode.binding.action)
        yield SystemCommand(mode.title, f"Go to {mode.title} (key {mode.key})", go)
    titles, own = {mode.title for mode in MODES}, {mode.binding.action for mode in MODES}
    for hint, action, node in actions(screen):
        if action not in own:
            name = hint.does[:1].upper() + hint.does[1:]
            name += " here" if name in titles else ""
            yield SystemCommand(name, f"{name} (key {hint.key})", partial(app.call_later, app.run_action, action, node))
    for theme in THEMES:
        word = theme.name.removeprefix("dnet-")
        yield SystemCommand(f"Theme {word}", f"Colours: {word}", partial(setattr, app, "theme", theme.name))
    for name, about, jump in _places(state):
        yield SystemCommand(name, about, partial(app.post_message, jump))


def _places(state: AppState) -> Iterator[tuple[str, str, JumpAsked]]:
    if state.snapshot is None:
        return
    for container in known_items(state.snapshot.containers)[:_MOST]:
        ns = next((item for item in known_items(state.snapshot.namespaces) if item.id == container.netns), None)
        link = next((item for item in ns.links if item.kind != "loopback"), None) if ns is not None else None
        own = link is not None and ns is not None and ns.kind != "host"
        row = f"ctr:{container.id}:{link.ifindex if own and link is not None else ''}"
        yield clean(container.name, 80), f"Go to container {clean(container.name, 80)}", JumpAsked("map", row)
    for network in known_items(state.snapshot.networks)[:_MOST]:
        yield clean(network.name, 80), f"Network {clean(network.name, 80)}", JumpAsked("map", f"net:{network.id}")
    if state.report is not None:
        for finding in state.report.findings[:_MOST]:
            yield finding.check, clean(finding.summary, 120), JumpAsked("doctor", finding_id(finding))
        for check in state.report.checks:
            if check.outcome != "found":
                yield check.id, f"Check, {check.outcome}", JumpAsked("doctor", f"check:{check.id}")
