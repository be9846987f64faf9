"""What the two screens with a capture pane share: choosing a point, starting and stopping."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from dnet_tui.tui.app.model.messages import CaptureAsked, CapturePrepared, CaptureStopAsked
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present import packets, subject
from dnet_tui.tui.app.screens.base import ModeScreen
from dnet_tui.tui.app.screens.picker import Picker
from dnet_tui.tui.app.widgets.capture_pane import CapturePane


class CapturingScreen(ModeScreen):
    """A mode with a capture pane.  Without a live host its keys are not offered."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "capture", "capture"),
        Binding("p", "pick", "point"),
    ]

    def point(self, state: AppState) -> str:
        """Return where a capture would start: the chosen point, else what is selected, else a likely one."""
        if state.snapshot is None:
            return ""
        return (
            state.capture.point
            or self.suggested(state)
            or subject.point_of_row(state.snapshot, state.selected("map"))
            or subject.somewhere(state.snapshot)
        )

    def suggested(self, state: AppState) -> str:
        """Return the point that this mode's own selection suggests."""
        del state
        return ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to capture only on a live host."""
        del parameters
        return self.can_capture if action in {"capture", "pick"} else True

    def action_capture(self) -> None:
        """Start a capture, or stop the one that runs."""
        if self.state.capture.running:
            self.post_message(CaptureStopAsked())
        else:
            self._start()

    def _start(self) -> None:
        point = self.point(self.state)
        if point:
            self.post_message(CaptureAsked(point, self.query_one(CapturePane).expression))

    @on(Input.Submitted, "#pcap")
    def filter_submitted(self, event: Input.Submitted) -> None:
        """Start with the filter that was typed."""
        event.stop()
        self.set_focus(self.query_one("#packets"))
        self._start()

    @on(Input.Changed, "#pcap")
    def filter_edited(self, event: Input.Changed) -> None:
        """Remember what was typed, for both panes."""
        event.stop()
        if event.value != self.state.capture.filter:
            self.post_message(CapturePrepared(expression=event.value))

    def action_pick(self) -> None:
        """Choose the point from a list."""
        if self.state.snapshot is None:
            return
        chosen: Callable[[str | None], None] = self._picked
        self.app.push_screen(Picker("Capture at", packets.choices(self.state.snapshot), self.point(self.state)), chosen)

    def _picked(self, point: str | None) -> None:
        if point is None:
            return
        self.post_message(CapturePrepared(point=point))
        if self.state.capture.running:
            self.post_message(CaptureAsked(point, self.query_one(CapturePane).expression))
