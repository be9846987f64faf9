"""The app's part for captures: where they run, what is shown of them, and saving them."""

from __future__ import annotations

import time

from textual import on

from dnet_tui.inspect.capture.board.display_filter import FilterError, display_filter
from dnet_tui.tui.app.guided_app import GuidedApp
from dnet_tui.tui.app.model import capture_messages as packets
from dnet_tui.tui.app.model import messages as fact
from dnet_tui.tui.app.model import state as states
from dnet_tui.tui.app.model.services import CaptureSource

CAPTURE_MODE = "capture"
"""The mode whose filter is the display filter."""


class CaptureApp(GuidedApp):
    """An app that captures packets at several points."""

    _serial = 0
    _source: CaptureSource | None = None
    """The capture whose packets are shown; it is still there when it has ended."""
    _in_force = ""
    """The pcap-filter(7) expression of that."""

    @on(packets.CaptureAsked)
    def capture_asked(self, event: packets.CaptureAsked) -> None:
        """Start a capture in place of the one that runs."""
        if self.state.snapshot is None or self._services.open_capture is None:
            return
        if event.expression and not event.checked and self.state.capture.board.total:
            self._check_filter(event)  # a slip of the finger mustn't cost the packets
            return
        self._serial += 1
        self._source = None
        self._in_force = event.expression
        fresh = states.CaptureView(
            points=self.state.capture.points, filter=event.expression, running=event.points, started=event.points
        )
        self._become(states.changed(self.state, capture=fresh))
        self._capture_packets(self._serial, event.points, event.expression, self.state.snapshot)

    @on(packets.CaptureRefused)
    def capture_refused(self, event: packets.CaptureRefused) -> None:
        """Say what is wrong with the filter, and go on with the one in force."""
        self._become(states.capturing(self.state, filter=self._in_force))
        self.notify(f"{event.trouble.message} {event.trouble.hint}", severity="error", timeout=10, markup=False)

    @on(packets.CaptureOpened)
    def capture_opened(self, event: packets.CaptureOpened) -> None:
        """From now on its packets are shown."""
        if event.serial != self._serial:
            return
        self._source = event.source
        event.source.pause(self.state.frozen)
        self._choose_packets(self.state.filter(CAPTURE_MODE))

    @on(packets.PacketsCaptured)
    def packets_captured(self, event: packets.PacketsCaptured) -> None:
        """Show what came."""
        if event.serial == self._serial:
            self._become(states.capturing(self.state, received=event.received, dropped=event.dropped))
            self._show_packets()

    @on(packets.CaptureEnded)
    def capture_ended(self, event: packets.CaptureEnded) -> None:
        """Keep the packets, say why it ended."""
        if event.serial == self._serial:
            self._become(states.capturing(self.state, running=(), trouble=event.trouble))
            self._show_packets()

    @on(packets.CapturePrepared)
    def capture_prepared(self, event: packets.CapturePrepared) -> None:
        """Remember points and filter."""
        capture = self.state.capture
        points = capture.points if event.points is None else event.points
        expression = capture.filter if event.expression is None else event.expression
        self._become(states.capturing(self.state, points=points, filter=expression, trouble=None))

    @on(packets.CaptureStopAsked)
    def capture_stop_asked(self) -> None:
        """Stop; the packets stay."""
        self.workers.cancel_group(self, "capture")

    @on(packets.CaptureCleared)
    def capture_cleared(self) -> None:
        """Forget what came."""
        if self._source is not None:
            self._source.clear()
            self._show_packets()

    @on(packets.CaptureFollowed)
    def capture_followed(self, event: packets.CaptureFollowed) -> None:
        """Show the newest packet, or stay where the cursor is."""
        if self._source is not None:
            self._source.follow(event.wanted)
            self._show_packets()

    @on(packets.CaptureSaveAsked)
    def capture_save_asked(self) -> None:
        """Write the packets to a file."""
        if self._source is not None:
            self._save_capture(self._source, time.strftime("dnet-tui-%Y%m%d-%H%M%S.pcapng"))

    @on(packets.CaptureSaved)
    def capture_saved(self, event: packets.CaptureSaved) -> None:
        """Say where it is."""
        told = f"{event.trouble.message} {event.trouble.hint}" if event.trouble else event.text
        self.notify(told, severity="error" if event.trouble else "information", timeout=6, markup=False)

    @on(fact.ListFiltered)
    def display_filter_typed(self, event: fact.ListFiltered) -> None:
        """Show only the packets that are wanted."""
        if event.mode == CAPTURE_MODE:
            self._choose_packets(event.words)

    def _choose_packets(self, words: str) -> None:
        wrong = None
        try:
            if self._source is not None:
                self._source.choose(words)
            else:
                display_filter(words, words.split(), {})  # which points there will be nobody knows yet
        except FilterError as error:
            wrong = states.FilterProblem(message=error.message, position=error.position, length=error.length)
        self._become(states.capturing(self.state, wrong=wrong))
        self._show_packets()

    def freeze_packets(self) -> None:
        """Hold on to the rows while the screen is frozen; what came meanwhile is shown afterwards."""
        if self._source is not None:
            self._source.pause(self.state.frozen)
            self._show_packets()

    def _show_packets(self) -> None:
        """Show the board as it is now."""
        board = self._source.view() if self._source is not None else self.state.capture.board
        if board is not self.state.capture.board:
            self._become(states.capturing(self.state, board=board))
