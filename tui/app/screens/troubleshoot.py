"""The guided check: what doesn't work, who, the steps with their packets, and one closing page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget

from dnet_tui.tui.app.model.guided import FlowWish, GuidedPage
from dnet_tui.tui.app.model.guided_messages import FlowAsked, PageTurned, ProbeAsked, SaveAsked, StepSelected
from dnet_tui.tui.app.model.messages import FixConfirmed, RowSelected
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present import confirm
from dnet_tui.tui.app.present.guided import places, questions, result, steps
from dnet_tui.tui.app.present.styled_text import BLANK, CROSS, Paragraph, Row, filtered, line, say
from dnet_tui.tui.app.screens.base import ModeScreen, Surroundings
from dnet_tui.tui.app.screens.dialog import Dialog
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.flow_form import FIELDS, Field, FlowForm
from dnet_tui.tui.app.widgets.listing import Listing
from dnet_tui.tui.app.widgets.proof_pane import ProofPane

_TITLES: dict[GuidedPage, str] = {
    "question": "What doesn't work?",
    "who": "Which one?",
    "steps": "Steps",
    "result": "Result",
}
_BACK: dict[GuidedPage, GuidedPage] = {"who": "question", "steps": "who", "result": "steps"}


class TroubleshootScreen(ModeScreen):
    """One page after the other: the state says which."""

    shows = "troubleshoot"
    AUTO_FOCUS = "#troubleshoot-list"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", "next"),
        Binding("p", "probe", "send packets"),
        Binding("f", "fix", "fix"),
        Binding("s", "save", "save"),
    ]

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._page: GuidedPage | None = None
        self._listed: tuple[object, ...] = ()
        self._places: tuple[Row, ...] = ()
        self._places_of: object = None

    def head(self) -> Iterable[Widget]:
        """Return the form, which is shown while places are asked for."""
        return (FlowForm(id="flow-form"),)

    def panes(self) -> Iterable[Widget]:
        """Return the list, and to its right the detail over the packets."""
        rows = Listing(id="troubleshoot-list", cut_last=True)
        rows.add_class("pane")
        detail = DetailPane(id="troubleshoot-detail")
        detail.add_class("pane", "right")
        return rows, Vertical(detail, ProofPane(id="proof", classes="pane right"), id="troubleshoot-right")

    # -- showing ------------------------------------------------------------

    def paint(self, state: AppState) -> None:
        """Show the page that the state says."""
        page = state.guided.page
        turned = page != self._page
        if turned:
            self._page = page
            for name in _TITLES:
                self.set_class(name == page, f"-page-{name}")
            self.query_one("#troubleshoot-list").border_title = _TITLES[page]
            self.query_one("#troubleshoot-detail").border_title = "Result" if page == "result" else "Detail"
            self._listed = ()
            self._take_keys(state)
        getattr(self, f"_paint_{page}")(state)

    def _take_keys(self, state: AppState) -> None:
        form = self.query_one(FlowForm)
        if state.guided.page == "who":
            wish = state.guided.wish
            asked = questions.question(wish.question).asks
            values: dict[Field, str] = {"from": wish.source, "to": wish.target, "port": questions.port_text(wish)}
            form.fill(values, tuple(item for item in FIELDS if item in asked))
            form.take_keys()
        else:
            self.set_focus(
                self.query_one("#troubleshoot-detail" if state.guided.page == "result" else "#troubleshoot-list")
            )

    def _list(self, rows: tuple[Row, ...], selected: str, key: tuple[object, ...], empty: str = "") -> str:
        listing = self.query_one("#troubleshoot-list", Listing)
        if key != self._listed:
            self._listed = key
            listing.show(rows, selected, empty)
        elif selected and selected != listing.selected:
            listing.put_cursor(selected)
        return listing.selected

    def _tell(self, paras: tuple[Paragraph, ...], about: str) -> None:
        guided = self.state.guided
        if guided.trouble:
            paras = (Paragraph(line(say(f"{CROSS} ", "bad"), say(guided.trouble, "bad")), hang=2), BLANK, *paras)
        elif guided.busy:
            paras = (Paragraph(line(say(guided.busy, "warn"))), BLANK, *paras)
        self.query_one("#troubleshoot-detail", DetailPane).show(paras, about)

    def _paint_question(self, state: AppState) -> None:
        chosen = self._list(questions.rows(state.report), state.selected(self.shows), ("question", id(state.report)))
        self._tell(questions.about(chosen, state.report), chosen)

    def _paint_who(self, state: AppState) -> None:
        self._complete()
        wish = state.guided.wish
        self._tell(questions.about(wish.question, state.report), wish.question)

    def _paint_steps(self, state: AppState) -> None:
        answered = state.guided.answered
        if answered is None:
            return
        wanted = steps.row_id(state.guided.step) if state.guided.step >= 0 else steps.RESULT
        chosen = self._list(steps.rows(answered), wanted, ("steps", id(answered)))
        index = steps.index_of(chosen)
        self._tell(steps.detail(answered, index) if index >= 0 else result.page(state.guided), chosen)
        self._proof(state)

    def _paint_result(self, state: AppState) -> None:
        self._tell(result.page(state.guided), "result")
        self._proof(state)

    def _proof(self, state: AppState) -> None:
        self.query_one(ProofPane).show(state, possible=self.can_capture)

    # -- completing places --------------------------------------------------

    def _complete(self) -> None:
        """List what the field that has the keys can hold, the best first."""
        form, snapshot = self.query_one(FlowForm), self.state.snapshot
        if snapshot is None:
            return
        field = form.field
        words = form.value(field)
        key = (id(snapshot), field == "port", form.value("to") if field == "port" else "")
        if key != self._places_of:
            self._places_of = key
            port = field == "port"
            self._places = places.ports(snapshot, form.value("to")) if port else places.choices(snapshot)
        rows = filtered(self._places, words)
        rows = rows or (self._places if any(row.id == words for row in self._places) else ())
        empty = "" if words else "nothing was seen"
        first = rows[0].id if rows else ""
        listing = self.query_one("#troubleshoot-list", Listing)
        keep = listing.selected if self._listed[:1] == ("who",) and self._listed[2:] == (field, words) else first
        self._list(rows, keep, ("who", id(snapshot), field, words), empty or f"{words}: as it is typed")

    @on(FlowForm.Edited)
    def form_edited(self, event: FlowForm.Edited) -> None:
        """Complete what is typed."""
        event.stop()
        if self.state.guided.page == "who":
            self._complete()

    @on(FlowForm.Picked)
    def form_picked(self, event: FlowForm.Picked) -> None:
        """Move in the list."""
        event.stop()
        self.query_one("#troubleshoot-list", Listing).action_move(event.step)

    @on(FlowForm.Left)
    def form_left(self, event: FlowForm.Left) -> None:
        """Go back to the questions."""
        event.stop()
        self.action_back()

    @on(FlowForm.Submitted)
    def form_submitted(self, event: FlowForm.Submitted) -> None:
        """Take the best match, and go to the next field; after the last one ask."""
        event.stop()
        self._take_field()

    def _take_field(self) -> None:
        form = self.query_one(FlowForm)
        field, typed = form.field, form.value(form.field)
        chosen = self.query_one("#troubleshoot-list", Listing).selected
        known = any(row.id == typed for row in self._places)
        if chosen and not known and not (field == "to" and ":" in typed) and not (field == "port" and typed):
            form.put(field, chosen)
        with_port = field == "to" and form.value("to").count(":") == 1
        if with_port or not form.go_on():
            self._ask()

    def _ask(self) -> None:
        form, wish = self.query_one(FlowForm), self.state.guided.wish
        try:
            proto, port = questions.read_port(form.value("port"))
        except ValueError:
            wrong = f"{form.value('port')} is no port: 443, 53/udp or icmp"
            self.post_message(PageTurned("who", trouble=wrong))
            return
        asked = FlowWish(
            source=form.value("from") or wish.source,
            target=form.value("to") if "to" in questions.question(wish.question).asks else wish.target,
            port=port,
            proto=proto,
            question=wish.question,
        )
        self.post_message(FlowAsked(asked))

    # -- keys ---------------------------------------------------------------

    @on(Listing.Moved, "#troubleshoot-list")
    def cursor_moved(self, event: Listing.Moved) -> None:
        """Say which question or step is selected now."""
        event.stop()
        if self.state.guided.page == "question":
            self.post_message(RowSelected(self.shows, event.row))
        elif self.state.guided.page == "steps":
            self.post_message(StepSelected(steps.index_of(event.row)))

    @on(Listing.Opened, "#troubleshoot-list")
    def action_go_on(self) -> None:
        """Go on: to the places, to the next field, to the closing page."""
        page = self.state.guided.page
        chosen = self.query_one("#troubleshoot-list", Listing).selected
        if page == "question" and chosen:
            self.post_message(PageTurned("who", wish=questions.filled(chosen, self.state.guided.wish)))
        elif page == "who":
            self._take_field()
        elif page == "steps":
            self.post_message(PageTurned("result"))

    def action_back(self) -> None:
        """Go one page back; from the first to the map."""
        page = self.state.guided.page
        if self.has_class("-max"):
            self.action_enlarge()
        elif page in _BACK:
            self.post_message(PageTurned(_BACK[page]))
        else:
            self.app.call_later(self.app.run_action, "app.go('map')")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a key only where it does something."""
        del parameters
        guided = self.state.guided
        shown = guided.answered is not None and guided.page in {"steps", "result"}
        if action == "probe":
            source = guided.answered.why.trace.source if guided.answered is not None else None
            return shown and self.can_capture and source is not None and source.kind != "outside"
        if action == "fix":
            return shown and self.state.may_write and result.fixable(guided.answered) is not None
        if action == "save":
            return shown
        if action == "filter":
            return False
        return guided.page != "result" if action == "go_on" else True

    def action_probe(self) -> None:
        """Send real packets along the flow."""
        self.post_message(ProbeAsked())

    def action_save(self) -> None:
        """Write the closing page to a file."""
        self.post_message(SaveAsked())

    def action_fix(self) -> None:
        """Show the commands and the undo, and ask."""
        finding = result.fixable(self.state.guided.answered)
        if finding is None:
            return

        def answered(yes: bool | None) -> None:  # noqa: FBT001  Textual calls it with the dialog's result
            if yes:
                self.post_message(FixConfirmed(finding))

        self.app.push_screen(Dialog(f"Fix {finding.check}", confirm.fix(finding), question="apply"), answered)
