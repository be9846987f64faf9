"""The keys that work on a screen, read off its bindings: hints and help can't promise a dead key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Input

from dnet_tui.tui.app.present.frame import Hint
from dnet_tui.tui.app.screens.one_pane import OnePaneScreen

_TEXTUAL = {
    "app.focus_next": "next panel",
    "app.focus_previous": "previous panel",
    "command_palette": "every command by name",
}
"""Textual's own bindings worth showing, in our words; its others are left out."""

_IN_A_FIELD = {"pcap": ("capture", "back"), "filter-words": ("keep the filter", "clear it")}
"""What Enter and Esc do while something is typed; in other fields Enter takes what was chosen."""

_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "plus": "+",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "space": "Space",
    "escape": "Esc",
    "backspace": "Backspace",
    "enter": "Enter",
    "tab": "Tab",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
}


def key_name(key: str) -> str:
    """Return how a key is called on the screen."""
    *modifiers, last = key.split("+") if key != "+" else [key]
    name = _NAMES.get(last, last)
    if modifiers:
        return "-".join([*(word.capitalize() for word in modifiers), name.upper() if len(name) == 1 else name])
    return name


def hints(screen: Screen[Any]) -> list[Hint]:
    """Return the keys worth a hint here and now; help and quit come last."""
    if isinstance(screen.focused, Input):
        words = _IN_A_FIELD.get(screen.focused.id or "", ("take it", "back"))
        return [Hint("Enter", words[0], "enter"), Hint("Esc", words[1], "escape")]
    found: dict[str, Hint] = {}
    if isinstance(screen, OnePaneScreen) and screen.is_alone:
        # What is hidden has to be known of.
        found |= {"": Hint("Tab", "next panel", "tab")} if screen.other_panes() else {}
        found |= {"back": Hint("Esc", "back", "escape")} if screen.check_action("back", ()) else {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.show and active.enabled and binding.description and not binding.system:
            found.setdefault(binding.action, Hint(key_name(binding.key), binding.description, binding.key))
    last = [found.pop(name) for name in ("help", "quit") if name in found]
    found.pop("command_palette", None)
    return [*found.values(), *last]


def actions(screen: Screen[Any]) -> Iterator[tuple[Hint, str, DOMNode]]:
    """Yield all that can be done now: its key and words, the action, and whose it is."""
    seen: set[str] = set()
    for key, active in screen.active_bindings.items():
        words = _words(active.binding)
        if words and active.enabled and active.binding.action not in seen and active.binding.action not in _TEXTUAL:
            seen.add(active.binding.action)
            yield Hint(key_name(key), words), active.binding.action, active.node


def help_sections(screen: Screen[Any]) -> list[tuple[str, list[Hint]]]:
    """Return all the keys that work now: of the focused panel, of the mode, of the app."""
    sections: dict[str, dict[str, tuple[str, list[str]]]] = {"Panel": {}, "Mode": {}, "Everywhere": {}}
    for key, active in screen.active_bindings.items():
        words = _words(active.binding)
        if not words or not active.enabled:
            continue
        name = "Everywhere" if isinstance(active.node, App) or active.binding.action in _TEXTUAL else "Panel"
        name = "Mode" if active.node is screen and active.binding.action not in _TEXTUAL else name
        _, keys = sections[name].setdefault(active.binding.action, (words, []))
        keys.append(key_name(key))
    return [(name, [Hint(" ".join(keys), words) for words, keys in group.values()]) for name, group in sections.items()]


def _words(binding: Binding) -> str:
    if binding.action in _TEXTUAL:
        return _TEXTUAL[binding.action]
    foreign = binding.system or "." in binding.action or binding.key in {"ctrl+q", "ctrl+c"}
    return "" if foreign else binding.description
