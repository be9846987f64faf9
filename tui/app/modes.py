"""The app's modes, in one place: their keys, the title line, the palette and the help are made from this tuple.

A new screen is a module in ``screens/`` (its ``shows`` is the mode's id) and a line here.
"""

from __future__ import annotations

from typing import NamedTuple

from textual.binding import Binding

from dnet_tui.tui.app.model.state import ModeId
from dnet_tui.tui.app.present.frame import Tab
from dnet_tui.tui.app.screens.base import ModeScreen
from dnet_tui.tui.app.screens.capture import CaptureScreen
from dnet_tui.tui.app.screens.changes import ChangesScreen
from dnet_tui.tui.app.screens.doctor import DoctorScreen
from dnet_tui.tui.app.screens.map import MapScreen
from dnet_tui.tui.app.screens.rules import RulesScreen
from dnet_tui.tui.app.screens.trace import TraceScreen
from dnet_tui.tui.app.screens.troubleshoot import TroubleshootScreen


class Mode(NamedTuple):
    """A full-screen view with the key that leads to it.

    ``action`` is the app's own way there, where that is more than going; then
    its tab is shown only while one is there.  ``live``: it has something to show only where packets can be captured.
    """

    key: str
    title: str
    screen: type[ModeScreen]
    action: str = ""
    live: bool = False

    @property
    def id(self) -> ModeId:
        """The mode's id: what its screen says that it shows."""
        return self.screen.shows

    @property
    def tab(self) -> Tab:
        """How the title line shows it."""
        return Tab(self.key, self.id, self.title, always=not self.action)

    @property
    def binding(self) -> Binding:
        """Its key, wherever one is; the help calls it by its id."""
        return Binding(self.key, self.action or f"go({self.id!r})", self.id, show=bool(self.action))


MODES = (
    Mode("1", "Map", MapScreen),
    Mode("2", "Rules", RulesScreen),
    Mode("3", "Doctor", DoctorScreen),
    Mode("4", "Trace", TraceScreen),
    Mode("5", "Capture", CaptureScreen, live=True),
    Mode("6", "Changes", ChangesScreen),
    Mode("t", "Troubleshoot", TroubleshootScreen, "troubleshoot"),
)
"""Every mode, in the order of their keys; the app opens with the first."""


def tabs(*, can_capture: bool) -> tuple[Tab, ...]:
    """Return the title line's tabs; a mode that has nothing to show here has one only while one is there."""
    return tuple(mode.tab if can_capture or not mode.live else mode.tab._replace(always=False) for mode in MODES)
