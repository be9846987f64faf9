"""What the two screens with a capture pane share: choosing a point, starting and stopping."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from dnet_tui.tui.app.model.capture_messages import CaptureAsked, CapturePrepared, CaptureStopAsked
from dnet_tui.tui.app.model.state import AppState
from dnet_tui.tui.app.present import subject
from dnet_tui.tui.app.present.capture import points
from dnet_tui.tui.app.screens.base import ModeScreen
from dnet_tui.tui.app.screens.picker import Picker
from dnet_tui.tui.app.widgets.capture_pane import CapturePane


class CapturingScreen(ModeScreen):
    """A mode with a capture pane.  Without a live host its keys are not offered."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "capture", "capture"),
        Binding("p", "pick", "point"),
        Binding("P", "pick_more", "one more point, or one less", show=False),
    ]

    def points(self, state: AppState) -> tuple[str, ...]:
        """Return where a capture would start: the chosen points, else what is selected, else a likely one."""
        if state.snapshot is None:
            return ()
        if state.capture.points:
            return state.capture.points
        found = (
            self.suggested(state)
            or subject.point_of_row(state.snapshot, state.selected("map"))
            or subject.somewhere(state.snapshot)
        )
        return (found,) if found else ()

    def suggested(self, state: AppState) -> str:
        """Return the point that this mode's own selection suggests."""
        del state
        return ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to capture only on a live host."""
        if action in {"capture", "pick", "pick_more"}:
            return self.can_capture and self.state.snapshot is not None
        return super().check_action(action, parameters)

    def action_capture(self) -> None:
        """Start a capture, or stop the one that runs."""
        if self.state.capture.running:
            self.post_message(CaptureStopAsked())
        else:
            self._start(self.points(self.state))

    def _start(self, points: tuple[str, ...]) -> None:
        if points:
            self.post_message(CaptureAsked(points, self.query_one(CapturePane).expression))

    def focus_packets(self) -> None:
        """Give the keys to the packets."""
        self.set_focus(self.query_one("#packets"))

    @on(Input.Submitted, "#pcap")
    def filter_submitted(self, event: Input.Submitted) -> None:
        """Start with the filter that was typed."""
        event.stop()
        self.focus_packets()
        self._start(self.points(self.state))

    @on(Input.Changed, "#pcap")
    def filter_edited(self, event: Input.Changed) -> None:
        """Remember what was typed, for both panes."""
        event.stop()
        if event.value != self.state.capture.filter:
            self.post_message(CapturePrepared(expression=event.value))

    def action_pick(self) -> None:
        """Choose the point from a list."""
        self._choose("Capture at", lambda point: (point,))

    def action_pick_more(self) -> None:
        """Choose one more point from the list, or leave one out that was chosen."""

        def changed(point: str) -> tuple[str, ...]:
            now = self.points(self.state)
            return tuple(item for item in now if item != point) if point in now else (*now, point)

        self._choose("One more point, or one less", changed)

    def _choose(self, title: str, chosen: Callable[[str], tuple[str, ...]]) -> None:
        if self.state.snapshot is None:
            return
        now = self.points(self.state)

        def picked(point: str | None) -> None:
            if point is None:
                return
            wanted = chosen(point)
            self.post_message(CapturePrepared(points=wanted))
            if self.state.capture.running:
                self._start(wanted)

        self.app.push_screen(Picker(title, points.choices(self.state.snapshot), now[0] if now else ""), picked)
