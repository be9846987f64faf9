"""The app's modes, in one place: their keys, the title line, the palette and the help are made from this tuple.

A new screen is a module in ``screens/`` that is called as the mode (and so is its ``shows``), and a line here.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from textual.binding import Binding

from dnet_tui.tui.app.model.state import ModeId
from dnet_tui.tui.app.present.frame import Tab
from dnet_tui.tui.app.screens.base import ModeScreen, Surroundings


class Mode(NamedTuple):
    """A full-screen view with the key that leads to it.

    ``action`` is the app's own way there, where that is more than going; then
    its tab is shown only while one is there.  ``live``: it has something to show only where packets can be captured.
    """

    key: str
    id: ModeId
    title: str
    screen_class: str
    """The class in the module of ``screens/`` that is called as the mode; it is imported when one goes there."""
    action: str = ""
    live: bool = False

    @property
    def screen(self) -> type[ModeScreen]:
        """The mode's screen."""
        found: type[ModeScreen] = getattr(self.load(), self.screen_class)
        return found

    def load(self) -> ModuleType:
        """Import its screen's module."""
        return import_module(f"dnet_tui.tui.app.screens.{self.id}")

    def make(self, surroundings: Surroundings) -> ModeScreen:
        """Make its screen."""
        return self.screen(surroundings)

    @property
    def tab(self) -> Tab:
        """How the title line shows it."""
        return Tab(self.key, self.id, self.title, always=not self.action)

    @property
    def binding(self) -> Binding:
        """Its key, wherever one is; the help calls it by its id."""
        return Binding(self.key, self.action or f"go({self.id!r})", self.id, show=bool(self.action))


MODES = (
    Mode("1", "map", "Map", "MapScreen"),
    Mode("2", "rules", "Rules", "RulesScreen"),
    Mode("3", "doctor", "Doctor", "DoctorScreen"),
    Mode("4", "trace", "Trace", "TraceScreen"),
    Mode("5", "capture", "Capture", "CaptureScreen", live=True),
    Mode("6", "changes", "Changes", "ChangesScreen"),
    Mode("t", "troubleshoot", "Troubleshoot", "TroubleshootScreen", "troubleshoot"),
)
"""Every mode, in the order of their keys; the app opens with the first."""


def tabs(*, can_capture: bool) -> tuple[Tab, ...]:
    """Return the title line's tabs; a mode that has nothing to show here has one only while one is there."""
    return tuple(mode.tab if can_capture or not mode.live else mode.tab._replace(always=False) for mode in MODES)
