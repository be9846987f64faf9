"""Mode 3: what is wrong, why, and how to put it right; with packets beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.tui.app.model.guided_messages import JumpAsked
from dnet_tui.tui.app.model.messages import RowFolded, RowSelected
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present import confirm, doctor_detail, doctor_rows, finding_targets, subject
from dnet_tui.tui.app.present.finding_targets import Citation, citations
from dnet_tui.tui.app.present.styled_text import Row, line, say
from dnet_tui.tui.app.screens.capturing import CapturingScreen
from dnet_tui.tui.app.screens.fix_dialog import ask_to_fix
from dnet_tui.tui.app.screens.picker import Picker
from dnet_tui.tui.app.widgets.bar import Bar
from dnet_tui.tui.app.widgets.capture_pane import CapturePane
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.listing import Listing


class DoctorScreen(CapturingScreen):
    """The verdict, the findings, the checks; the selected one with its proof and remedy; a capture pane."""

    shows = "doctor"
    AUTO_FOCUS = "#doctor-list"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "fix", "fix"),
        Binding("enter", "drill", "details"),
        Binding("o", "go_to", "go to"),
        Binding("left", "fold", "fold", show=False),
        Binding("right", "unfold", "unfold", show=False),
    ]

    def head(self) -> Iterable[Widget]:
        """Return the verdict's line."""
        return (Bar(id="verdict"),)

    def panes(self) -> Iterable[Widget]:
        """Return the list, and to its right the detail over the capture pane."""
        checks = Listing(id="doctor-list", cut_last=True)
        checks.add_class("pane")
        checks.border_title = "Findings and checks"
        detail = DetailPane(id="doctor-detail")
        detail.add_class("pane", "right")
        detail.border_title = "Detail"
        capture = CapturePane(id="capture", classes="pane right")
        return checks, Vertical(detail, capture, id="doctor-right")

    def paint(self, state: AppState) -> None:
        """Show verdict, list, detail and capture."""
        report = state.report
        waiting = line(say(state.busy or "no report", "dim"))
        self.query_one("#verdict", Bar).show(doctor_rows.verdict(report) if report else waiting)

        opened = self._opened(state)

        def make() -> tuple[Row, ...]:
            return doctor_rows.rows(report, state.snapshot, opened) if report else ()

        empty = state.busy or "no report"
        selected = self.show_rows(make, (report, *opened, empty if report is None else ""), empty)
        detail = doctor_detail.detail(state.snapshot, report, selected) if report else ()
        self.query_one("#doctor-detail", DetailPane).show(detail, selected)
        self.query_one(CapturePane).display = self.can_capture and not self.is_narrow
        self.query_one(CapturePane).show(state, self.points(state), can_capture=self.can_capture)

    def _opened(self, state: AppState) -> tuple[str, ...]:
        """The rows whose checks are shown: those opened by hand, that of the selected check, while filtering all."""
        if state.report is None or state.filter(self.shows):
            return doctor_rows.FOLDS
        led_to = doctor_rows.fold_of(state.report, state.selected(self.shows))
        return tuple(ident for ident in doctor_rows.FOLDS if ident in state.selection.unfolded or ident == led_to)

    def suggested(self, state: AppState) -> str:
        """Return the capture point of the selected finding's subject."""
        finding = self._finding(state)
        return subject.point_of_finding(state.snapshot, finding.subject) if finding and state.snapshot else ""

    def _finding(self, state: AppState) -> Finding | None:
        return doctor_rows.find(state.report, state.selected("doctor")) if state.report else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to fix only what can be fixed, where changes are allowed."""
        if action == "fix":
            finding = self._finding(self.state)
            return self.state.may_write and finding is not None and confirm.applicable(finding)
        if action == "go_to":
            return bool(self._citations())
        if action in {"capture", "pick", "pick_more"} and self.is_narrow:
            return False  # there the pane is hidden: mode 5 has it
        if action in {"drill", "fold", "unfold"} and self.is_mounted:
            listing = self.query_one("#doctor-list", Listing)
            return listing.has_focus and bool(listing.selected) and (action == "drill" or self._folds(action))
        return super().check_action(action, parameters)

    def _folds(self, action: str) -> bool:
        """Whether the row under the cursor can be opened, or folded away."""
        row, report = self.query_one("#doctor-list", Listing).selected, self.state.report
        if row in doctor_rows.FOLDS:
            return (row in self._opened(self.state)) == (action == "fold") and not self.state.filter(self.shows)
        return action == "fold" and report is not None and bool(doctor_rows.fold_of(report, row))

    @on(Listing.Opened, "#doctor-list")
    def action_drill(self) -> None:
        """Go to the detail; open or fold a row that stands for several checks."""
        row = self.query_one("#doctor-list", Listing).selected
        if row in doctor_rows.FOLDS:
            self.post_message(RowFolded(row, shut=row in self._opened(self.state)))
            return
        self.set_focus(self.query_one("#doctor-detail"))

    def action_unfold(self) -> None:
        """Open a row that stands for several checks."""
        row = self.query_one("#doctor-list", Listing).selected
        if row in doctor_rows.FOLDS:
            self.post_message(RowFolded(row, shut=False))

    def action_fold(self) -> None:
        """Fold the row under the cursor, or that of the check under it."""
        row, report = self.query_one("#doctor-list", Listing).selected, self.state.report
        fold = row if row in doctor_rows.FOLDS else doctor_rows.fold_of(report, row) if report is not None else ""
        if fold:
            self.post_message(RowSelected(self.shows, fold))  # first: a check that is selected is never folded away
            self.post_message(RowFolded(fold, shut=True))

    def _citations(self) -> tuple[Citation, ...]:
        finding, snapshot = self._finding(self.state), self.state.snapshot
        return citations(snapshot, finding) if finding is not None and snapshot is not None else ()

    def action_go_to(self) -> None:
        """Go to the rule, link, network or container that the finding speaks of; where there are several, choose."""
        found = self._citations()

        def chosen(row: str | None) -> None:
            if row is not None:
                self.post_message(JumpAsked(found[int(row)].mode, found[int(row)].row))

        if len(found) == 1:
            chosen("0")
        elif found:
            self.app.push_screen(Picker("Go to", finding_targets.rows(found), "0"), chosen)

    def action_fix(self) -> None:
        """Show the commands and the undo, and ask."""
        finding = self._finding(self.state)
        if finding is not None:
            ask_to_fix(self, finding)
