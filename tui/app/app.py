"""The Textual app: it holds the state, starts the workers and shows the screens.

The workers (:mod:`dnet_tui.tui.app.workers`) post messages in the past tense;
the ``@on`` handlers here turn those into a new state, and the screens are a
function of it.  Nothing
runs by itself: an idle app uses no CPU and sends no byte to the terminal.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import get_current_worker

from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.app import memory
from dnet_tui.tui.app.changes_app import ChangesApp
from dnet_tui.tui.app.leaving import leave
from dnet_tui.tui.app.model import messages as fact
from dnet_tui.tui.app.model import state as states
from dnet_tui.tui.app.model.services import Services
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.modes import MODES, tabs
from dnet_tui.tui.app.palette import commands
from dnet_tui.tui.app.present import frame
from dnet_tui.tui.app.present.seen_host import keep_only
from dnet_tui.tui.app.refresh_scheduler import Following
from dnet_tui.tui.app.screens.base import ModeScreen, Surroundings
from dnet_tui.tui.app.screens.dialog import DIALOG_WIDTH, Dialog
from dnet_tui.tui.app.screens.form import FormScreen
from dnet_tui.tui.app.screens.keys import help_sections
from dnet_tui.tui.app.themes import THEMES, theme_named
from dnet_tui.tui.app.thread_work import in_thread
from dnet_tui.tui.app.widgets.bar import Bar
from dnet_tui.tui.commands.confirmation import READONLY_VARIABLE
from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.settings.host_settings import settings

READING = "reading the host..."
EXAMINING = "examining..."
_AT_ONCE = {"q", "ctrl+c", "ctrl+z", "ctrl+l", "question_mark", "h", "T", *(mode.key for mode in MODES)}
_JUDGING = {"doctor", "troubleshoot"}
"""Modes whose keys need the report, not only the snapshot."""
_ADDING = {"map", "changes"}
"""Modes that the forms are opened from."""


class DnetApp(ChangesApp):
    """The app over some :class:`~dnet_tui.tui.app.model.services.Services`."""

    CSS_PATH = "dnet.tcss"
    TITLE = "dnet-tui"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        *(mode.binding for mode in MODES),
        Binding("r", "refresh_host", "refresh"),
        Binding("space", "freeze", "freeze", key_display="Space"),
        Binding("a", "add", "add"),
        Binding("u", "undo", "undo"),
        Binding("T", "next_theme", "theme", show=False),
        Binding("question_mark,h", "help", "help", key_display="?"),
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", "quit", show=False),
        Binding("ctrl+l", "repaint", "paint the screen anew", show=False),
        Binding("ctrl+z", "suspend_process", "put dnet-tui in the background (fg brings it back)", show=False),
    ]

    def __init__(self, services: Services, *, offline: bool = False, theme: str = "") -> None:
        may_write = services.apply_fix is not None and not offline
        self.state = AppState(busy=READING, may_write=may_write, offline=offline)
        self._held: fact.ReportReady | None = None
        self._wanted_theme = theme
        self._following = Following()
        self._again: Timer | None = None
        self._prepared = False
        can_capture = services.open_capture is not None and not offline
        super().__init__(services)
        self.animation_level = "none"
        self._begin_with_theme()
        surroundings = Surroundings(tabs=tabs(can_capture=can_capture), can_capture=can_capture)
        for mode in MODES:
            self.add_mode(mode.id, partial(mode.make, surroundings))

    # -- state --------------------------------------------------------------

    async def on_mount(self) -> None:
        """Show at once what there is (nothing), and begin to read."""
        self._tell_unknown_theme()
        self.app_resume_signal.subscribe(self, lambda _: self.action_repaint())
        # Not DEFAULT_MODE: with eager tasks (Python 3.12) widgets of that mode mount before its screen is there.
        self._take_snapshot()
        await self.switch_mode(MODES[0].id)
        self._become(self.state)

    def _begin_with_theme(self) -> None:
        """Have the settings' theme from the start: a style sheet that is read once is there sooner."""
        for theme in THEMES:
            self.register_theme(theme)
        found = theme_named(self._wanted_theme) or THEMES[0]
        self.set_reactive(DnetApp.theme, found.name)

    def _tell_unknown_theme(self) -> None:
        if self._wanted_theme and theme_named(self._wanted_theme) is None:
            known = ", ".join(theme.name.removeprefix("dnet-") for theme in THEMES)
            self.notify(
                f"The settings name an unknown theme “{clean(self._wanted_theme, 40)}”: there are {known}.",
                severity="warning",
                timeout=8,
                markup=False,
            )

    def on_unmount(self) -> None:
        """Stop listening for changes."""
        self._end_watch()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give every theme the roles' colours."""
        return THEMES[0].variables

    def is_too_early(self, key: str) -> bool:
        """Keys for what has not been read yet wait for it; those that need nothing of the host don't."""
        if isinstance(self.screen, FormScreen):
            return self.screen.is_waiting
        if key in _AT_ONCE or not self.state.busy or not isinstance(self.screen, ModeScreen):
            return False
        return self.state.snapshot is None or (self.current_mode in _JUDGING and self.state.report is None)

    def _become(self, state: AppState) -> None:
        renewed, self.state = state.snapshot is not self.state.snapshot, state
        if renewed:
            self._forget_hidden()
        if self._typed:
            self.call_later(self.next_key)
        for screen in self.screen_stack:
            if isinstance(screen, ModeScreen):
                screen.show(state)

    def _forget_hidden(self) -> None:
        """The modes that aren't on show hold no older snapshot: of a big host each is dozens of megabytes."""
        for mode, stack in self._screen_stacks.items():
            for screen in stack if mode != self.current_mode else ():
                if isinstance(screen, ModeScreen) and screen.state.snapshot is not None:
                    screen.forget()
        keep_only(self.state.snapshot)

    # -- what came of it ----------------------------------------------------

    @on(fact.SnapshotTaken)
    def snapshot_taken(self, event: fact.SnapshotTaken) -> None:
        """Show the first snapshot at once; a later one together with its report, so that both always fit."""
        state = self.state
        if state.snapshot is None:
            state = states.looked(state, event.snapshot, None, event.at, None)
        self._become(state if event.unasked else states.changed(state, busy=EXAMINING))
        self._authors += event.authors
        folded = self.state.selection.folded if self.current_mode == "map" else None
        self._examine_snapshot(event, self.state.snapshot, self.state.read_at, folded)

    @on(fact.SnapshotFailed)
    def snapshot_failed(self, event: fact.SnapshotFailed) -> None:
        """Keep what is shown, and say why nothing newer is."""
        state = self.state if event.unasked else states.changed(self.state, busy="")
        self._become(states.changed(state, trouble=event.trouble))
        self._following.ended(time.monotonic())
        self._look_again()

    @on(fact.ReportReady)
    def report_ready(self, event: fact.ReportReady) -> None:
        """Show snapshot and report, or hold them back while the screen is frozen."""
        state = self.state if event.taken.unasked else states.changed(self.state, busy="")
        if state.frozen:
            self._held = event
            self._become(state)
        else:
            self._become(self._with_report(state, event))
            self.flow_looked_at_again()
        self._following.ended(time.monotonic())
        if not self._prepared:
            self._prepared = True
            self._prepare_modes()
        self.tidy_later()
        self._look_again()

    @in_thread("preparing")
    def _prepare_modes(self) -> None:
        """Import the other modes' screens while nobody waits for them."""
        for mode in MODES:
            if not get_current_worker().is_cancelled:
                mode.load()

    @on(fact.HostChangeNotified)
    def host_moved(self, event: fact.HostChangeNotified) -> None:
        """Look again, as soon as it may be."""
        self._following.note(event.moved)
        self._look_again()

    def _look_again(self) -> None:
        """Read the host again if it moved, unless that is being done, has just been done, or wouldn't be seen."""
        if self.state.frozen or self.state.busy or self.state.snapshot is None:
            return
        now = time.monotonic()
        wait = self._following.wait(now)
        if wait is None:
            return
        if wait > 0:
            if self._again is not None:
                self._again.stop()
            self._again = self.set_timer(wait, self._look_again)
            return
        self._refresh_snapshot(self.state.snapshot, self._following.begin(now))

    # -- what the user chose ------------------------------------------------

    @on(fact.RowSelected)
    def row_selected(self, event: fact.RowSelected) -> None:
        """Remember the selection."""
        self._become(states.select(self.state, event.mode, event.row))

    @on(fact.RowFolded)
    def row_folded(self, event: fact.RowFolded) -> None:
        """Fold or unfold."""
        self._become(states.fold(self.state, event.row, shut=event.shut))

    @on(fact.ListFiltered)
    def list_filtered(self, event: fact.ListFiltered) -> None:
        """Filter."""
        self._become(states.filter_by(self.state, event.mode, event.words))

    @on(fact.NamespaceChosen)
    def namespace_chosen(self, event: fact.NamespaceChosen) -> None:
        """Look into another namespace."""
        self._become(states.look_into(self.state, event.chosen))

    # -- keys ---------------------------------------------------------------

    @on(Bar.Pressed)
    def hint_clicked(self, event: Bar.Pressed) -> None:
        """A click on a key's hint is that key."""
        self.simulate_key(event.key)

    async def action_go(self, mode: states.ModeId) -> None:
        """Go to a mode."""
        await self.switch_mode(mode)
        self._become(self.state)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to undo and add only where changes are allowed, and to hold on only to what moves."""
        if action == "go":
            return self.current_mode not in parameters
        if action == "freeze":
            return not self.state.offline
        if action == "add":
            able = self.state.may_write and self._services.plan is not None and self.state.snapshot is not None
            return able and self.current_mode in _ADDING
        if action == "undo":
            return self.state.may_write and self._services.undo is not None and not self._undoes_another()
        return True

    def _undoes_another(self) -> bool:
        """Whether the screen has the same key for an entry of its own."""
        return self.current_mode == "changes" and bool(self.screen.check_action("undo_this", ()))

    def action_refresh_host(self) -> None:
        """Read the host anew; while frozen nothing would be seen of it."""
        if self.state.frozen:
            self.notify("Frozen: Space goes on.", timeout=2, markup=False)
        elif not self.state.busy:
            self._read_host()

    def _read_host(self) -> None:
        self._begin(READING)
        self._following.begin(time.monotonic())
        self._take_snapshot()

    def action_freeze(self) -> None:
        """Hold on to what is shown, or go on with what came meanwhile."""
        held, self._held = self._held, None
        state = states.changed(self.state, frozen=not self.state.frozen)
        self._become(state if held is None else self._with_report(state, held))
        self.freeze_packets()
        self.flow_looked_at_again()
        self._look_again()

    def action_repaint(self) -> None:
        """Paint everything anew, over whatever another program wrote on the terminal."""
        self.sent.forget()
        if self._driver is not None:
            self._driver.write("\x1b[2J")
        self.screen.refresh(layout=True)

    def action_next_theme(self) -> None:
        """Take the next theme: dark, light, high contrast."""
        names = [theme.name for theme in THEMES]
        index = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(index + 1) % len(names)]

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Offer in the palette all that the keys do, and where one can go."""
        return commands(screen, self.state)

    def action_help(self) -> None:
        """Show the keys that work here."""
        width = min(self.size.width * 9 // 10, DIALOG_WIDTH) - 4
        self.push_screen(Dialog("Help", frame.help_paras(help_sections(self.screen), width)))


def run_app(snapshot_path: Path | None, *, readonly: bool = False, follow: bool = True) -> int:
    """Open the app on this host, or offline on a saved snapshot; return the exit code.

    Args:
        snapshot_path: A file that ``dnet-tui snapshot save`` wrote; None reads this host.
        readonly: Offer nothing that would change the host.
        follow: Look at the host again whenever it tells that it changed.

    Raises:
        UsageError: There is no such file, it is no snapshot, or the settings can't be used.
    """
    if snapshot_path is not None and not snapshot_path.is_file():
        msg = f"there is no file {clean(str(snapshot_path))}"
        raise UsageError(msg, "make one with: dnet-tui snapshot save FILE")
    from dnet_tui.tui.app.services_host import live, saved  # noqa: PLC0415  the readers come in after the first screen's modules

    readonly = readonly or os.environ.get(READONLY_VARIABLE, "") not in {"", "0"}
    settled = settings()
    socket = settled.engines.docker_socket
    services = (
        live(readonly=readonly, follow=follow, docker_socket=socket) if snapshot_path is None else saved(snapshot_path)
    )
    app = DnetApp(services, offline=snapshot_path is not None, theme=settled.app.theme)
    memory.begin()
    # A thread that thinks has Python's lock for so long: a key has to wait for it several times.
    sys.setswitchinterval(0.001)
    # A loop of our own: asyncio.run would wait for every thread that still looks at the host, or thinks about it.
    app.run(loop=asyncio.new_event_loop())
    return leave(app, app.return_code or Exit.OK)
