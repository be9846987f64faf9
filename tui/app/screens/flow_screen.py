"""What the two screens about one flow share: the form with its completion, the steps, their packets, fix and file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget

from dnet_tui.tui.app.model.guided import AskedFlow
from dnet_tui.tui.app.model.guided_messages import FlowAsked, PageTurned, ProbeAsked, SaveAsked, StepSelected
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present.guided import places, questions, result, steps
from dnet_tui.tui.app.present.styled_text import BLANK, CROSS, Paragraph, Row, filtered, line, say
from dnet_tui.tui.app.screens.base import ModeScreen, Surroundings
from dnet_tui.tui.app.screens.fix_dialog import ask_to_fix
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.flow_form import FIELDS, Field, FlowForm
from dnet_tui.tui.app.widgets.listing import Listing
from dnet_tui.tui.app.widgets.proof_pane import ProofPane


class FlowScreen(ModeScreen):
    """A form over a list, and to its right the detail over the flow's packets."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "probe", "send"),
        Binding("f", "fix", "fix"),
        Binding("w", "save", "write"),
    ]

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._listed: tuple[object, ...] = ()
        self._places: tuple[Row, ...] = ()
        self._places_of: object = None

    def head(self) -> Iterable[Widget]:
        """Return the form."""
        return (FlowForm(id="flow-form"),)

    def panes(self) -> Iterable[Widget]:
        """Return the list, and to its right the detail over the packets."""
        rows = Listing(id=f"{self.shows}-list", cut_last=True)
        rows.add_class("pane", "flow-list")
        detail = DetailPane(id=f"{self.shows}-detail")
        detail.add_class("pane", "right", "flow-detail")
        detail.border_title = "Detail"
        proof = ProofPane(id="proof", classes="pane right")
        return rows, Vertical(detail, proof, id=f"{self.shows}-right", classes="flow-right")

    @property
    def listing(self) -> Listing:
        """The list."""
        return self.query_one(f"#{self.shows}-list", Listing)

    def is_asking(self) -> bool:
        """Whether the list completes the form just now."""
        raise NotImplementedError

    # -- showing ------------------------------------------------------------

    def fill_form(self, state: AppState) -> None:
        """Put the flow that is asked about into the form."""
        wish = state.guided.wish
        asked = questions.question(wish.question).asks
        values: dict[Field, str] = {"from": wish.source, "to": wish.target, "port": questions.port_text(wish)}
        self.query_one(FlowForm).fill(values, tuple(item for item in FIELDS if item in asked))

    def list_rows(self, rows: tuple[Row, ...], selected: str, key: tuple[object, ...], empty: str = "") -> str:
        """Replace the list when what it is made of (``key``) changed; return the selected row's id."""
        listing = self.listing
        if key != self._listed:
            self._listed = key
            listing.show(rows, selected, empty)
        elif selected and selected != listing.selected:
            listing.put_cursor(selected)
        return listing.selected

    def tell(self, paras: tuple[Paragraph, ...], about: str) -> None:
        """Show a detail, below what is wrong or being done."""
        guided = self.state.guided
        if guided.trouble:
            paras = (Paragraph(line(say(f"{CROSS} ", "bad"), say(guided.trouble, "bad")), hang=2), BLANK, *paras)
        elif guided.busy:
            paras = (Paragraph(line(say(guided.busy, "warn"))), BLANK, *paras)
        self.query_one(f"#{self.shows}-detail", DetailPane).show(paras, about)

    def paint_steps(self, state: AppState) -> None:
        """Show the steps, the selected one, and its packets."""
        answered = state.guided.answered
        if answered is None:
            return
        wanted = steps.row_id(state.guided.step) if state.guided.step >= 0 else steps.RESULT
        chosen = self.list_rows(steps.rows(answered), wanted, ("steps", id(answered)))
        index = steps.index_of(chosen)
        self.tell(steps.detail(answered, index) if index >= 0 else result.page(state.guided, state.timeline), chosen)
        self.paint_proof(state)

    def paint_proof(self, state: AppState) -> None:
        """Show the flow's packets."""
        self.query_one(ProofPane).show(state, possible=self.can_capture, sends=bool(self.check_action("probe", ())))

    def forget(self) -> None:
        """As everywhere; the list is made anew as well."""
        super().forget()
        self._listed, self._places, self._places_of = (), (), None

    # -- completing places --------------------------------------------------

    def complete(self) -> None:
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
        listing = self.listing
        keep = listing.selected if self._listed[:1] == ("who",) and self._listed[2:] == (field, words) else first
        self.list_rows(rows, keep, ("who", id(snapshot), field, words), empty or f"{words}: as it is typed")

    @on(FlowForm.Edited)
    def form_edited(self, event: FlowForm.Edited) -> None:
        """Complete what is typed."""
        event.stop()
        if self.is_asking():
            self.complete()

    @on(FlowForm.Picked)
    def form_picked(self, event: FlowForm.Picked) -> None:
        """Move in the list."""
        event.stop()
        self.listing.action_move(event.step)

    @on(FlowForm.Submitted)
    def form_submitted(self, event: FlowForm.Submitted) -> None:
        """Take the best match, and go to the next field; after the last one ask."""
        event.stop()
        self.take_field()

    def take_field(self) -> None:
        """Complete the field that has the keys, and go to the next one; after the last one ask."""
        form = self.query_one(FlowForm)
        field, typed = form.field, form.value(form.field)
        chosen = self.listing.selected
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
        asked = AskedFlow(
            source=form.value("from") or wish.source,
            target=form.value("to") if "to" in questions.question(wish.question).asks else wish.target,
            port=port,
            proto=proto,
            question=wish.question,
        )
        self.ask(asked)

    def ask(self, wish: AskedFlow) -> None:
        """Ask about a flow."""
        self.post_message(FlowAsked(wish))

    # -- keys ---------------------------------------------------------------

    @on(Listing.Moved)
    def cursor_moved(self, event: Listing.Moved) -> None:
        """Say which step is selected now."""
        event.stop()
        if event.listing is self.listing and not self.is_asking():
            self.post_message(StepSelected(steps.index_of(event.row)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a key only where it does something."""
        guided = self.state.guided
        shown = guided.answered is not None and not self.is_asking()
        if action == "probe":
            source = guided.answered.why.trace.source if guided.answered is not None else None
            return shown and self.can_capture and source is not None and source.kind != "outside"
        if action == "fix":
            return shown and self.state.may_write and result.fixable(guided.answered) is not None
        if action == "save":
            return shown
        return action != "filter" and super().check_action(action, parameters)

    def action_probe(self) -> None:
        """Send real packets along the flow."""
        self.post_message(ProbeAsked())

    def action_save(self) -> None:
        """Write the closing page to a file."""
        self.post_message(SaveAsked())

    def action_fix(self) -> None:
        """Show the commands and the undo, and ask."""
        finding = result.fixable(self.state.guided.answered)
        if finding is not None:
            ask_to_fix(self, finding)
