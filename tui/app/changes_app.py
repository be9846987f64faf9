"""The app's part for what changes: fixes and undos, the timeline and the journal."""

from __future__ import annotations

from textual import on

from dnet_tui.tui.app.model import messages as fact
from dnet_tui.tui.app.model import state as states
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.model.timeline import news
from dnet_tui.tui.app.present import confirm
from dnet_tui.tui.app.rules_app import RulesApp
from dnet_tui.tui.app.screens.dialog import Dialog


class ChangesApp(RulesApp):
    """An app that repairs, takes back, and remembers what changed."""

    _authors: tuple[str, ...] = ()
    """The processes that wrote rules since the snapshot on show was taken."""

    def _read_host(self) -> None:
        raise NotImplementedError

    def _begin(self, what: str) -> None:
        self._become(states.changed(self.state, busy=what))

    # -- fixes and undos ----------------------------------------------------

    @on(fact.FixConfirmed)
    def fix_confirmed(self, event: fact.FixConfirmed) -> None:
        """Apply the fix that was shown and confirmed, unless the finding went away or changed meanwhile."""
        report = self.state.report
        if self.state.busy:
            return
        if report is None or event.shown not in report.findings:
            self.notify("The finding has changed: look at it again.", markup=False)
            return
        self.flow_fix_begins()
        self._begin(f"fixing {event.shown.check}...")
        self._apply_fix(event.shown)

    @on(fact.ChangeApplied)
    def host_changed(self, event: fact.ChangeApplied) -> None:
        """Tell what was done, and look at the host again."""
        if event.trouble is not None:
            self.flow_fix_failed()
        told = confirm.failed(event.trouble) if event.trouble else confirm.done(event.lines)
        self._read_journal()
        self.push_screen(Dialog(f"{event.title}: {'failed' if event.trouble else 'done'}", told))
        self._read_host()

    @on(fact.ChangeFound)
    def change_found(self, event: fact.ChangeFound) -> None:
        """Show how the change is taken back, and ask."""

        def answered(yes: bool | None) -> None:  # noqa: FBT001  Textual calls it with the dialog's result
            if yes and not self.state.busy:
                self._begin("undoing...")
                self._undo_change(event.change.entry)

        self.push_screen(Dialog("Undo", confirm.undo(event.change), question="take it back"), answered)

    def action_undo(self) -> None:
        """Look up the last change, show how it is taken back, and ask."""
        if not self.state.busy:
            self._look_up_change()

    # -- the timeline -------------------------------------------------------

    def _with_report(self, state: AppState, event: fact.ReportReady) -> AppState:
        authors, self._authors = self._authors, ()
        entries = news(
            event.changes,
            state.report,
            event.report,
            time=event.taken.snapshot.taken_at,
            by=tuple(dict.fromkeys(authors)),
            first=state.timeline[-1].number + 1 if state.timeline else 0,
        )
        state = states.with_news(state, entries)
        return states.looked(state, event.taken.snapshot, event.report, event.taken.at, event.trouble)

    @on(fact.JournalAsked)
    def journal_asked(self) -> None:
        """Read the journal."""
        self._read_journal()

    @on(fact.JournalRead)
    def journal_read(self, event: fact.JournalRead) -> None:
        """Show the journal."""
        if event.lines != self.state.journal:
            self._become(states.changed(self.state, journal=event.lines))
