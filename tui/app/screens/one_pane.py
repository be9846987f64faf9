"""Panes that take turns: where there is no room for two, and where one is wanted alone (key ``+``).

Those that aren't on show have no height, so that Tab still comes to them; whoever has the keys is shown.
"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

ROOMY = 70
"""From so many cells on there is room for two panes: as -medium in the style sheet."""


class OnePaneScreen(Screen[None]):
    """A screen of panes (class ``pane``) and the columns they are stacked in."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus", "enlarge", "this pane alone, and back", show=False, key_display="+"),
    ]

    @property
    def is_narrow(self) -> bool:
        """Whether there is room for one pane only."""
        return self.size.width < ROOMY

    @property
    def is_alone(self) -> bool:
        """Whether one pane is shown alone."""
        return self.is_narrow or self.has_class("-max")

    def first_pane(self) -> Widget:
        """Return the pane that is shown while none has the keys."""
        raise NotImplementedError

    def action_enlarge(self) -> None:
        """Show the focused pane alone, or all again."""
        self.toggle_class("-max")
        self.show_alone()

    def can_enlarge(self) -> bool:
        """Whether there are panes to hide, or to show again: on a narrow terminal they take turns in any case."""
        return not self.is_narrow and (self.has_class("-max") or len(self.other_panes()) > 0)

    def other_panes(self) -> list[Widget]:
        """The panes besides the one that has the keys, or is shown alone."""
        own = self._wanted()
        return [pane for pane in self.query(".pane") if pane not in own and _is_displayed(pane)]

    def show_alone(self) -> None:
        """Have the pane with the keys shown alone where that is wanted: what is hidden can't have them."""
        self.set_class(self.is_alone, "-alone")
        if not self.is_alone:
            self.query(".-big").remove_class("-big")
            return
        wanted = self._wanted()
        for node in self.query(".-big"):
            node.set_class(node in wanted, "-big")
        for node in wanted:
            node.add_class("-big")

    def _wanted(self) -> set[Widget]:
        """The pane with the keys and the column it stands in; where a line of input has them, what that narrows."""
        return _pane_of(self.focused) or _pane_of(self.first_pane())


def _pane_of(widget: Widget | None) -> set[Widget]:
    nodes = widget.ancestors_with_self if widget is not None else ()
    return {node for node in nodes if isinstance(node, Widget) and (node.has_class("pane") or _is_column(node))}


def _is_column(node: Widget) -> bool:
    """Whether a widget is what panes are stacked in."""
    return (node.id or "").endswith(("-right", "-sides"))


def _is_displayed(widget: Widget) -> bool:
    return all(node.display for node in widget.ancestors_with_self if isinstance(node, Widget))
