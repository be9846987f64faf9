"""What happened around a capture: facts in the past tense, posted by its worker and its panes."""

from __future__ import annotations

from textual.message import Message

from dnet_tui.tui.app.model.services import CaptureSource
from dnet_tui.tui.app.model.state import ErrorInfo


class CaptureOpened(Message):
    """A capture was opened.  ``serial`` tells one capture from the one before."""

    def __init__(self, serial: int, source: CaptureSource) -> None:
        super().__init__()
        self.serial = serial
        self.source = source


class PacketsCaptured(Message):
    """Packets came in, or only the counters moved."""

    def __init__(self, serial: int, received: int, dropped: int) -> None:
        super().__init__()
        self.serial = serial
        self.received = received
        self.dropped = dropped


class CaptureEnded(Message):
    """A capture is over: stopped, or by a failure."""

    def __init__(self, serial: int, trouble: ErrorInfo | None = None) -> None:
        super().__init__()
        self.serial = serial
        self.trouble = trouble


class CaptureAsked(Message):
    """A capture is wanted at ``points`` with a pcap-filter(7) expression; the one that runs, if any, gives way.

    ``checked``: the expression is known to be right.
    """

    def __init__(self, points: tuple[str, ...], expression: str, *, checked: bool = False) -> None:
        super().__init__()
        self.points = points
        self.expression = expression
        self.checked = checked


class CaptureRefused(Message):
    """A capture was wanted with a wrong expression: what was captured before stays."""

    def __init__(self, trouble: ErrorInfo) -> None:
        super().__init__()
        self.trouble = trouble


class CapturePrepared(Message):
    """The capture's points or filter were edited."""

    def __init__(self, *, points: tuple[str, ...] | None = None, expression: str | None = None) -> None:
        super().__init__()
        self.points = points
        self.expression = expression


class CaptureStopAsked(Message):
    """The running capture is no longer wanted."""


class CaptureCleared(Message):
    """What was captured so far is no longer wanted."""


class CaptureFollowed(Message):
    """The newest packet is to be shown, or no longer."""

    def __init__(self, *, wanted: bool) -> None:
        super().__init__()
        self.wanted = wanted


class CaptureSaveAsked(Message):
    """What was captured is to be written to a file."""


class CaptureSaved(Message):
    """It was written, or ``trouble`` says why not."""

    def __init__(self, text: str, trouble: ErrorInfo | None = None) -> None:
        super().__init__()
        self.text = text
        self.trouble = trouble
