"""The app's part for what changes: fixes and undos, forms, the timeline and the journal."""

from __future__ import annotations

from textual import on

from dnet_tui.tui.app.model import messages as fact
from dnet_tui.tui.app.model import state as states
from dnet_tui.tui.app.model.forms import FORMS, ChangeForm, Draft, PlannedChange
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.model.timeline import news
from dnet_tui.tui.app.present import confirm, forms
from dnet_tui.tui.app.rules_app import RulesApp
from dnet_tui.tui.app.screens.dialog import Dialog
from dnet_tui.tui.app.screens.form import FormScreen
from dnet_tui.tui.app.screens.picker import Picker
from dnet_tui.tui.app.workers import DrawingMade

NOWHERE = "No running container is connected here: there is no way to draw."


class ChangesApp(RulesApp):
    """An app that repairs, takes back, and remembers what changed."""

    _authors: tuple[str, ...] = ()
    """The processes that wrote rules since the snapshot on show was taken."""
    _draft: Draft | None = None
    """What was last filled in, until it is made: what failed isn't typed again."""

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
        told = confirm.failed(event.trouble) if event.trouble else confirm.done(event.lines)
        if event.trouble is not None:
            self.flow_fix_failed()
        else:
            self._draft = None
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

    # -- the drawing of the map ---------------------------------------------

    @on(fact.DrawingAsked)
    def drawing_asked(self, event: fact.DrawingAsked) -> None:
        """Walk a packet to the outside, and draw its way."""
        if self.state.snapshot is not None:
            self._draw(self.state.snapshot, event.row)

    @on(DrawingMade)
    def drawing_made(self, event: DrawingMade) -> None:
        """Show it."""
        paras = confirm.failed(event.trouble) if event.trouble is not None else event.paras
        self.push_screen(Dialog("The way to the outside", paras or confirm.done((NOWHERE,))))

    # -- forms --------------------------------------------------------------

    def action_add(self) -> None:
        """Choose what is to be made, and fill in its form."""

        def chosen(kind: str | None) -> None:
            form = next((item for item in FORMS.values() if item.kind == kind), None)
            if form is not None:
                self.open_form(form)

        self.push_screen(Picker("Add", forms.rows(), ""), chosen)

    def open_form(self, form: ChangeForm) -> None:
        """Fill in a form: with what failed last time, else with what is selected."""
        failed = self._draft if self._draft is not None and self._draft.kind == form.kind else None
        draft = failed or forms.prefilled(self.state, form.kind, self.current_mode)
        offered = {field.id: forms.names(self.state.snapshot, field.names) for field in form.fields}

        def filled_in(planned: PlannedChange | None) -> None:
            self._draft = None if planned is None else planned.draft
            if planned is not None and not self.state.busy:
                self._begin("making it...")
                self._make_change(planned)

        self.push_screen(FormScreen(form, draft, offered), filled_in)

    @on(fact.FormEdited)
    def form_edited(self, event: fact.FormEdited) -> None:
        """Find out what it comes to on the host as it was read."""
        if self.state.snapshot is not None:
            self._plan_change(self.state.snapshot, event.draft)

    @on(fact.ChangePlanned)
    def change_planned(self, event: fact.ChangePlanned) -> None:
        """Show it in the form."""
        if isinstance(self.screen, FormScreen):
            self.screen.show_plan(event)
            self.call_later(self.next_key)

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
        state = states.with_traffic(states.with_news(state, entries), event.traffic)
        return states.looked(state, event.taken.snapshot, event.report, event.taken.at, event.trouble, event.counted)

    @on(fact.JournalAsked)
    def journal_asked(self) -> None:
        """Read the journal."""
        self._read_journal()

    @on(fact.JournalRead)
    def journal_read(self, event: fact.JournalRead) -> None:
        """Show the journal."""
        if event.lines != self.state.journal:
            self._become(states.changed(self.state, journal=event.lines))
