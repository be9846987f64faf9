"""Mode 4: one flow, given on one line; its way and its answer as a list, what decides marked, its packets beside."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from dnet_tui.tui.app.model.guided import AskedFlow
from dnet_tui.tui.app.model.guided_messages import FlowAsked, JumpAsked
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present.guided import steps, targets
from dnet_tui.tui.app.present.guided.targets import Target
from dnet_tui.tui.app.present.styled_text import Paragraph, line, say
from dnet_tui.tui.app.screens.base import Surroundings
from dnet_tui.tui.app.screens.flow_screen import FlowScreen
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.flow_form import FlowForm
from dnet_tui.tui.app.widgets.listing import Listing

_NO_FLOW = "no flow yet: Enter asks for one"
_NOTHING = (
    Paragraph(line("Enter begins: give the two places and a port; each field completes from the list.")),
    Paragraph(line(say("A place is a container, host, outside, an address, or container:port.", "dim"))),
)


class TraceScreen(FlowScreen):
    """The form stays in sight; while one of its fields has the keys, the list completes it."""

    shows = "trace"
    AUTO_FOCUS = "#trace-list"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "follow", "go on"),
        Binding("e", "edit", "edit"),
        Binding("s", "swap", "swap"),
    ]

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._wish: AskedFlow | None = None

    def on_mount(self) -> None:
        """Have the style of a page with steps."""
        self.add_class("-page-steps", "-with-form")
        self.listing.border_title = "Way"
        super().on_mount()

    def is_asking(self) -> bool:
        """Whether a field of the form has the keys."""
        return self.is_mounted and self.query_one(FlowForm).has_keys

    def paint(self, state: AppState) -> None:
        """Show the flow, and its steps or what completes the form."""
        guided = state.guided
        if guided.wish != self._wish:
            self._wish = guided.wish
            self.fill_form(state)
        if self.is_asking() and guided.answered is not None and guided.wish == guided.answered.wish and self._asked:
            self._asked = False
            self.set_focus(self.listing)
        if self.is_asking():
            self.complete()
            self.tell(_NOTHING, "form")
        elif guided.answered is not None:
            self.paint_steps(state)
        else:
            self.list_rows((), "", ("nothing",), _NO_FLOW)
            self.tell(_NOTHING, "form")
            self.paint_proof(state)

    _asked = False

    @on(FlowForm.Submitted)
    def form_submitted(self, event: FlowForm.Submitted) -> None:
        """Take the best match; after the last field the steps have the keys."""
        super().form_submitted(event)

    def ask(self, wish: AskedFlow) -> None:
        """Ask about a flow, and have its steps get the keys."""
        self._asked = True
        self.post_message(FlowAsked(wish))

    @on(FlowForm.Left)
    def form_left(self, event: FlowForm.Left) -> None:
        """Give the keys to the steps."""
        event.stop()
        self.set_focus(self.listing)
        self.paint(self.state)

    def _target(self) -> Target | None:
        answered = self.state.guided.answered
        if answered is None or self.is_asking():
            return None
        return targets.of_step(answered, steps.index_of(self.listing.selected))

    @on(Listing.Opened, "#trace-list")
    def action_follow(self) -> None:
        """Go to the rule that decides at this step, or to the link; from the result to its text."""
        if self.is_asking():
            self.take_field()
            return
        if self.state.guided.answered is None:
            self.action_edit()
            return
        target = self._target()
        if target is not None:
            self.post_message(JumpAsked(target.mode, target.row, target.namespace))
        else:
            self.set_focus(self.query_one("#trace-detail", DetailPane))

    def action_edit(self) -> None:
        """Give the keys to the form."""
        self.query_one(FlowForm).take_keys()
        self.paint(self.state)

    def action_swap(self) -> None:
        """Ask about the way back: from the target to the source."""
        wish = self.state.guided.wish
        target, colon, port = wish.target.rpartition(":")
        is_port = bool(colon) and port.isdecimal() and ":" not in target
        swapped = AskedFlow(
            source=target if is_port else wish.target,
            target=wish.source,
            port=int(port) if is_port else wish.port,
            proto=wish.proto,
        )
        self.ask(swapped)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a key only where it does something."""
        if action in {"swap", "edit"}:
            return not self.is_asking() and (action == "edit" or self.state.guided.answered is not None)
        if action == "follow" and not self.is_asking() and self.is_mounted and not self.listing.has_focus:
            return self._target() is not None or self.state.guided.answered is None
        return super().check_action(action, parameters)
