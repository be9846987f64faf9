"""A pane of wrapped paragraphs that scrolls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size

from dnet_tui.tui.app.present.styled_text import Paragraph, StyledLine, plain, wrap
from dnet_tui.tui.app.widgets.painted import Painted


class DetailPane(Painted, can_focus=True, inherit_bindings=False):
    """Shows paragraphs, wrapped to its width; :attr:`text` is what ``y`` copies."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_down", "down", show=False),
        Binding("k,up", "scroll_up", "up", show=False),
        Binding("g,home", "scroll_home", "top", show=False),
        Binding("G,end", "scroll_end", "bottom", show=False),
        Binding("pagedown,ctrl+d", "page_down", "page down", show=False),
        Binding("pageup,ctrl+u", "page_up", "page up", show=False),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._paras: tuple[Paragraph, ...] = ()
        self._lines: list[StyledLine] = []
        self._about = ""

    @property
    def text(self) -> str:
        """The whole content as plain text."""
        return "\n".join(plain(para.line) for para in self._paras)

    @property
    def has_text(self) -> bool:
        """Whether there is anything to copy."""
        return bool(self._paras)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to scroll where something is out of sight."""
        del action, parameters
        return self.max_scroll_y > 0

    def show(self, paras: Sequence[Paragraph], about: str = "") -> None:
        """Replace the content; it is scrolled to the top only when it is ``about`` something else."""
        if tuple(paras) == self._paras and about == self._about:
            return
        self._paras = tuple(paras)
        self.reflow(self.room)
        if about != self._about:
            self.scroll_to(y=0, animate=False, immediate=True)
        self._about = about

    def reflow(self, width: int) -> None:
        """Wrap the paragraphs."""
        if width <= 0:
            return
        self._lines = self._wrapped(width)
        self.virtual_size = Size(width, max(len(self._lines), 1))
        self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how high the text is at ``width``, so that a dialog has its size from the first paint."""
        del container, viewport
        return len(self._wrapped(width))

    def _wrapped(self, width: int) -> list[StyledLine]:
        return [part for para in self._paras for part in wrap(para, width)]

    def line_at(self, index: int) -> tuple[StyledLine, bool]:
        """Return a wrapped line."""
        return (self._lines[index] if index < len(self._lines) else (), False)
