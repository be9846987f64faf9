"""The guided check: what doesn't work, who, the steps with their packets, and one closing page."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from dnet_tui.tui.app.model.guided import GuidedPage
from dnet_tui.tui.app.model.guided_messages import PageTurned
from dnet_tui.tui.app.model.messages import RowSelected
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present.guided import questions, result
from dnet_tui.tui.app.screens.base import Surroundings
from dnet_tui.tui.app.screens.flow_screen import FlowScreen
from dnet_tui.tui.app.widgets.flow_form import FlowForm
from dnet_tui.tui.app.widgets.listing import Listing

_TITLES: dict[GuidedPage, str] = {
    "question": "What doesn't work?",
    "who": "Which one?",
    "steps": "Steps",
    "result": "Result",
}
_BACK: dict[GuidedPage, GuidedPage] = {"who": "question", "steps": "who", "result": "steps"}


class TroubleshootScreen(FlowScreen):
    """One page after the other: the state says which."""

    shows = "troubleshoot"
    AUTO_FOCUS = "#troubleshoot-list"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", "next"),
    ]

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._page: GuidedPage | None = None

    def is_asking(self) -> bool:
        """Whether places are asked for."""
        return self.state.guided.page == "who"

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
        if state.guided.page == "who":
            self.fill_form(state)
            self.query_one(FlowForm).take_keys()
        else:
            self.set_focus(
                self.query_one("#troubleshoot-detail" if state.guided.page == "result" else "#troubleshoot-list")
            )

    def _paint_question(self, state: AppState) -> None:
        chosen = self.list_rows(
            questions.rows(state.report), state.selected(self.shows), ("question", id(state.report))
        )
        self.tell(questions.about(chosen, state.report), chosen)

    def _paint_who(self, state: AppState) -> None:
        self.complete()
        wish = state.guided.wish
        self.tell(questions.about(wish.question, state.report), wish.question)

    def _paint_steps(self, state: AppState) -> None:
        self.paint_steps(state)

    def _paint_result(self, state: AppState) -> None:
        self.tell(result.page(state.guided, state.timeline), "result")
        self.paint_proof(state)

    @on(FlowForm.Left)
    def form_left(self, event: FlowForm.Left) -> None:
        """Go back to the questions."""
        event.stop()
        self.action_back()

    # -- keys ---------------------------------------------------------------

    @on(Listing.Moved, "#troubleshoot-list")
    def cursor_moved(self, event: Listing.Moved) -> None:
        """Say which question or step is selected now."""
        if self.state.guided.page == "question":
            event.stop()
            self.post_message(RowSelected(self.shows, event.row))
        else:
            super().cursor_moved(event)

    @on(Listing.Opened, "#troubleshoot-list")
    def action_go_on(self) -> None:
        """Go on: to the places, to the next field, to the closing page."""
        page = self.state.guided.page
        chosen = self.query_one("#troubleshoot-list", Listing).selected
        if page == "question" and chosen:
            self.post_message(PageTurned("who", wish=questions.filled(chosen, self.state.guided.wish)))
        elif page == "who":
            self.take_field()
        elif page == "steps":
            self.post_message(PageTurned("result"))

    def first_pane(self) -> Widget:
        """Return the list, or the closing page."""
        name = "detail" if self.state.guided.page == "result" else "list"
        return self.query_one(f"#troubleshoot-{name}")

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
        page = self.state.guided.page
        if action in {"probe", "fix", "save"} and page == "question":
            return False
        if action == "go_on":
            return page != "result" and (page != "question" or self.state.snapshot is not None)
        return super().check_action(action, parameters)

    def can_go_back(self) -> bool:
        """Always: from the first page to the map."""
        return True
