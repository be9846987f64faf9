"""What happened in a guided check: facts in the past tense, like :mod:`dnet_tui.tui.app.model.messages`."""

from __future__ import annotations

from textual.message import Message

from dnet_tui.tui.app.model.guided import Answered, AskedFlow, GuidedPage, ProbeLine, SeenPacket
from dnet_tui.tui.app.model.state import ErrorInfo


class FlowAsked(Message):
    """The user wants to know about a flow."""

    def __init__(self, wish: AskedFlow) -> None:
        super().__init__()
        self.wish = wish


class FlowExplained(Message):
    """A flow was walked and explained, or could not be."""

    def __init__(self, serial: int, answered: Answered | None, trouble: ErrorInfo | None = None) -> None:
        super().__init__()
        self.serial = serial
        self.answered = answered
        self.trouble = trouble


class PageTurned(Message):
    """Another page of the guided check is wanted; ``trouble`` says why it is the same one again."""

    def __init__(self, page: GuidedPage, *, wish: AskedFlow | None = None, trouble: str = "") -> None:
        super().__init__()
        self.trouble = trouble
        self.page: GuidedPage = page
        self.wish = wish


class StepSelected(Message):
    """The cursor came to another step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step


class FlowWatchBegan(Message):
    """Packets of a flow are captured from now on, at these points."""

    def __init__(self, serial: int, points: tuple[str, ...]) -> None:
        super().__init__()
        self.serial = serial
        self.points = points


class FlowSeen(Message):
    """Packets of a flow were seen."""

    def __init__(self, serial: int, packets: tuple[SeenPacket, ...]) -> None:
        super().__init__()
        self.serial = serial
        self.packets = packets


class FlowWatchEnded(Message):
    """A flow's packets are captured no longer."""

    def __init__(self, serial: int, trouble: ErrorInfo | None = None) -> None:
        super().__init__()
        self.serial = serial
        self.trouble = trouble


class ProbeAsked(Message):
    """Real packets are to be sent along the flow."""


class ProbeSent(Message):
    """Real packets were sent, and this came of it."""

    def __init__(self, serial: int, line: ProbeLine, fixes: int = 0) -> None:
        super().__init__()
        self.serial = serial
        self.line = line
        self.fixes = fixes


class JumpAsked(Message):
    """A row of another mode is wanted; of the rules those of ``namespace``."""

    def __init__(self, mode: str, row: str, namespace: str = "") -> None:
        super().__init__()
        self.mode = mode
        self.row = row
        self.inside = namespace


class SwapAsked(Message):
    """The flow is wanted the other way round."""


class SaveAsked(Message):
    """The closing page is to be written to a file."""


class TextSaved(Message):
    """A file was written, or could not be."""

    def __init__(self, path: str, trouble: ErrorInfo | None = None) -> None:
        super().__init__()
        self.path = path
        self.trouble = trouble
