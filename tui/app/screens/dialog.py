"""Dialogs: text to read, and perhaps a question to say yes or no to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widget import Widget

from dnet_tui.tui.app.present.frame import Hint, hint_zones, hints
from dnet_tui.tui.app.present.styled_text import Paragraph
from dnet_tui.tui.app.widgets.bar import Bar
from dnet_tui.tui.app.widgets.detail import DetailPane

DIALOG_WIDTH = 100
"""Cells that a dialog takes at the most, as the style sheet says."""


_BORDER = 1
_SHARE = 90
"""Percent of the screen's height that a dialog takes at the most, as the style sheet says."""


class Dialog(ModalScreen[bool]):
    """Shows paragraphs.  With a ``question`` it ends with True only when ``y`` is pressed; Enter never applies."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes"),
        Binding("n,escape,q", "no", "close"),
        Binding("ctrl+c", "no", "close", show=False, priority=True),
        Binding("enter,question_mark,h", "close", "close", show=False),
    ]

    def __init__(self, title: str, paras: Sequence[Paragraph], *, question: str = "") -> None:
        super().__init__()
        self._title = title
        self._paras = tuple(paras)
        self._question = question

    def compose(self) -> Iterator[Widget]:
        """Lay out the text over the keys."""
        with Vertical(id="dialog") as box:
            box.border_title = Content(self._title)  # a str would be read as markup
            yield DetailPane(id="dialog-text")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        """Show the text."""
        self.query_one(DetailPane).show(self._paras)
        asked = [Hint("y", self._question, "y"), Hint("n Esc", "cancel", "escape")]
        keys = asked if self._question else [Hint("j k", "scroll"), Hint("Esc", "close", "escape")]
        self.query_one(Bar).show(hints(keys, 60), zones=hint_zones(keys, 60))

    def on_resize(self, event: Resize) -> None:
        """Leave room for the keys: a text that is longer scrolls."""
        frame = 2 * _BORDER + self.query_one(Bar).outer_size.height + 1
        most = max(event.size.height * _SHARE // 100 - frame, 1)
        self.query_one(DetailPane).styles.max_height = most

    def action_yes(self) -> None:
        """Say yes; without a question nothing happens."""
        if self._question:
            self.dismiss(True)  # noqa: FBT003  the dialog's result

    def action_no(self) -> None:
        """Say no, or close."""
        self.dismiss(False)  # noqa: FBT003  the dialog's result

    def action_close(self) -> None:
        """Close a text; a question wants a plain yes or no."""
        if not self._question:
            self.dismiss(False)  # noqa: FBT003  the dialog's result
