"""What every mode's screen has in common: title, body, filter, hints, and the keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, NamedTuple

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import DescendantBlur, DescendantFocus, Resize
from textual.widget import Widget

from dnet_tui.tui.app.model.messages import ListFiltered, RowSelected
from dnet_tui.tui.app.model.state import AppState, ModeId
from dnet_tui.tui.app.present import frame
from dnet_tui.tui.app.present.frame import Tab
from dnet_tui.tui.app.present.styled_text import Row, best, filtered, plain, width_of
from dnet_tui.tui.app.screens.keys import hints
from dnet_tui.tui.app.screens.one_pane import OnePaneScreen
from dnet_tui.tui.app.widgets.bar import Bar
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.filter_bar import FilterBar
from dnet_tui.tui.app.widgets.listing import Listing
from dnet_tui.tui.app.widgets.notice import Notice


class Surroundings(NamedTuple):
    """What the app tells its screens of itself: all modes' tabs, and whether packets can be captured here."""

    tabs: tuple[Tab, ...]
    can_capture: bool


class ModeScreen(OnePaneScreen):
    """A list, a detail, and what surrounds them.  It shows a state and posts facts; it reads nothing itself."""

    shows: ClassVar[ModeId]
    filter_hint: ClassVar[str] = "words that must all occur; Esc clears"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (70, "-medium"), (120, "-wide")]  # noqa: RUF012  Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("escape,backspace", "back", "back", show=False),
        Binding("y", "copy", "copy the detail", show=False),
    ]

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__()
        self.tabs, self.can_capture = surroundings
        self.state = AppState()
        self._made_of: tuple[object, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self._words: str | None = None

    # -- for the modes ------------------------------------------------------

    def panes(self) -> Iterable[Widget]:
        """Return the body's panes, from left to right."""
        raise NotImplementedError

    def paint(self, state: AppState) -> None:
        """Bring list and detail in line with ``state``."""
        raise NotImplementedError

    def show_rows(self, make: Callable[[], tuple[Row, ...]], key: tuple[object, ...], empty: str) -> str:
        """Make and show rows, filtered, when what they are made of (``key``) changed; return the selected row's id."""
        listing = self.query_one(f"#{self.shows}-list", Listing)
        words = self.state.filter(self.shows)
        selected = self.state.selected(self.shows)
        if not _same(self._made_of, key):
            self._made_of, self._rows, self._words = key, make(), None
        if self._words != words:
            self._words = words
            shown = filtered(self._rows, words)
            wanted = best(shown, words) or selected
            chosen = listing.show(shown, wanted, empty if not words else f"nothing has “{words}”")
            if chosen != selected:
                self.post_message(RowSelected(self.shows, chosen))
        elif selected and selected != listing.selected:
            listing.put_cursor(selected)
        return listing.selected

    # -- showing ------------------------------------------------------------

    def compose(self) -> Iterator[Widget]:
        """Lay out the frame."""
        yield Bar(id="title")
        yield Notice(id="trouble")
        yield from self.head()
        with Horizontal(id="body"):
            yield from self.panes()
        yield from self.foot()
        yield FilterBar(self.filter_hint, id="filter")
        yield Bar(id="hints")

    def head(self) -> Iterable[Widget]:
        """Return what stands between title and body: nothing, unless a mode says otherwise."""
        return ()

    def foot(self) -> Iterable[Widget]:
        """Return what stands between body and filter."""
        return ()

    def on_mount(self) -> None:
        """Show what there is to show already."""
        self.show(self.state)

    def on_resize(self, event: Resize) -> None:
        """Fit title and hints to the new width."""
        del event
        self._frame()

    @property
    def _has_widgets(self) -> bool:
        """Whether there is anything to paint on: what comes before its widgets do, or after they went, is not shown."""
        return self.is_mounted and bool(self.query("#hints")) and bool(self.query("#trouble"))

    def show(self, state: AppState) -> None:
        """Make the screen look as ``state`` says."""
        self.state = state
        if not self._has_widgets:
            return
        self.query_one("#trouble", Notice).show(state.trouble)
        self.query_one(FilterBar).show(state.filter(self.shows))
        self.paint(state)
        self._frame()

    def forget(self) -> None:
        """Let go of what was shown of an older snapshot: it is made anew when this mode is on show again."""
        self.state, self._made_of, self._rows, self._words = AppState(), (), (), None
        for listing in self.query(f"#{self.shows}-list").results(Listing):
            listing.show((), "")

    @on(DescendantFocus)
    @on(DescendantBlur)
    def _frame(self) -> None:
        if not self._has_widgets:
            return
        self.show_alone()
        width = self.size.width
        left, right = frame.title(self.state, self.tabs, self.shows, width)
        tabs = frame.tab_zones(self.tabs, self.shows, width, width - width_of(right))
        self.query_one("#title", Bar).show(left, right, tabs)
        keys = hints(self)
        self.query_one("#hints", Bar).show(frame.hints(keys, width), zones=frame.hint_zones(keys, width))

    # -- what the user does -------------------------------------------------

    @on(Listing.Moved)
    def cursor_moved(self, event: Listing.Moved) -> None:
        """Say which row is selected now."""
        event.stop()
        if event.listing.id == f"{self.shows}-list":
            self.post_message(RowSelected(self.shows, event.row))

    @on(FilterBar.Changed)
    def words_changed(self, event: FilterBar.Changed) -> None:
        """Say what the list is filtered by now."""
        event.stop()
        self.post_message(ListFiltered(self.shows, event.words))

    @on(FilterBar.Left)
    def filter_left(self, event: FilterBar.Left) -> None:
        """Give the keys back to the list."""
        event.stop()
        self.focus_list()

    def focus_list(self) -> None:
        """Give the keys to the mode's list."""
        self.set_focus(self.query_one(f"#{self.shows}-list"))

    def action_filter(self) -> None:
        """Open the filter."""
        self.query_one(FilterBar).open()

    def first_pane(self) -> Widget:
        """Return the list."""
        return self.query_one(f"#{self.shows}-list")

    def can_go_back(self) -> bool:
        """Whether there is something to go back from."""
        listing = self.query_one(f"#{self.shows}-list", Listing)
        return self.has_class("-max") or not listing.has_focus or bool(self.state.filter(self.shows))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a key only where it does something; the modes say so of their own keys."""
        del parameters
        if not self._has_widgets:
            return True
        if action == "back":
            return self.can_go_back()
        if action == "copy":
            return self._has_row_to_copy() or self.query_one(f"#{self.shows}-detail", DetailPane).has_text
        return self.can_enlarge() if action == "enlarge" else True

    def action_back(self) -> None:
        """One step back: from one pane alone, from the detail to the list, from a filter to all."""
        listing = self.query_one(f"#{self.shows}-list", Listing)
        if self.has_class("-max"):
            self.action_enlarge()
        elif not listing.has_focus:
            self.set_focus(listing)
        elif self.state.filter(self.shows):
            self.post_message(ListFiltered(self.shows, ""))

    def _has_row_to_copy(self) -> bool:
        focused = self.focused
        return isinstance(focused, Listing) and focused.has_class("packet-rows") and bool(focused.selected)

    def _worth_copying(self) -> str:
        """What ``y`` copies: a packet's line where one is selected, else the detail."""
        focused = self.focused
        if isinstance(focused, Listing) and self._has_row_to_copy():
            return plain(focused.rows[focused.cursor].cells[0])
        return self.query_one(f"#{self.shows}-detail", DetailPane).text

    def action_copy(self) -> None:
        """Copy the detail to the terminal's clipboard (OSC 52)."""
        text = self._worth_copying()
        if text:
            self.app.copy_to_clipboard(text)
            self.notify(
                "Sent to the terminal (OSC 52); whether it keeps it is its own setting.", timeout=4, markup=False
            )


def _same(old: tuple[object, ...], new: tuple[object, ...]) -> bool:
    """Whether both hold the very same objects: comparing two snapshots by content would take longer than painting."""
    return len(old) == len(new) and all(a is b for a, b in zip(old, new, strict=True))
