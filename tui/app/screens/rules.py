"""Mode 2: the firewall, in the order packets meet it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.app.model.messages import NamespaceChosen, RulesAboutChosen
from dnet_tui.tui.app.model.state import AppState, ConcerningRules
from dnet_tui.tui.app.present import rules_about, rules_detail, rules_rows
from dnet_tui.tui.app.present.rules_about import RuleSubject
from dnet_tui.tui.app.present.styled_text import Row
from dnet_tui.tui.app.screens.base import ModeScreen, Surroundings
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.listing import Listing


class RulesScreen(ModeScreen):
    """Chains and rules, and the selected one in plain words."""

    shows = "rules"
    AUTO_FOCUS = "#rules-list"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "follow", "go to chain"),
        Binding("n", "next_namespace", "next namespace"),
        Binding("o", "only_about", "only selected"),
    ]

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._trail: list[str] = []
        self._asked: Snapshot | None = None

    def panes(self) -> Iterable[Widget]:
        """Return the rules and the detail."""
        rules = Listing(id="rules-list")
        rules.add_class("pane")
        rules.border_title = "Rules"
        detail = DetailPane(id="rules-detail")
        detail.add_class("pane", "right")
        detail.border_title = "Detail"
        return rules, detail

    def paint(self, state: AppState) -> None:
        """Show the rules and the selected one."""
        snapshot, wanted = state.snapshot, state.selection.namespace

        ns = rules_rows.namespace_of(snapshot, wanted) if snapshot else None
        about, found = state.selection.about, self._found(state)
        ids = found.rows.get(ns.id, frozenset()) if found is not None and ns is not None else frozenset()

        def make() -> tuple[Row, ...]:
            rows = rules_rows.rows(snapshot, wanted) if snapshot else ()
            return tuple(rules_about.only(rows, ids)) if about else rows

        empty = state.busy or "no rules at all"
        if about:
            empty = "looking for them..." if found is None else found.trouble or "no rule here concerns it"
        selected = self.show_rows(make, (snapshot, wanted, about, found, empty if not snapshot or about else ""), empty)
        detail = rules_detail.detail(snapshot, wanted, selected, state.rates) if snapshot else ()
        self.query_one("#rules-detail", DetailPane).show(detail, selected)
        name = View(snapshot).label(ns.id) if snapshot and ns else ""
        title = f"Rules of {clean(name, 40)}" if name else "Rules"
        if about:
            title += f" that concern {clean(state.selection.about_label, 40)}"
        # Content, not str: Textual reads markup in a border's title.
        self.query_one("#rules-list").border_title = Content(title)

    def _found(self, state: AppState) -> ConcerningRules | None:
        """The rules that were found to concern what is wanted; of an earlier snapshot until they are found anew."""
        found, about = state.concerning, state.selection.about
        if found is None or found.about != about:
            return None
        if found.snapshot is not state.snapshot and self._asked is not state.snapshot:
            self._asked = state.snapshot
            self.post_message(RulesAboutChosen(about, state.selection.about_label))
        return found

    def forget(self) -> None:
        """As everywhere; what concerns the map's selection is looked for anew."""
        super().forget()
        self._asked = None

    def _subject(self) -> RuleSubject | None:
        snapshot = self.state.snapshot
        return rules_about.subject_of_row(snapshot, self.state.selected("map")) if snapshot is not None else None

    def action_only_about(self) -> None:
        """Show only the rules that concern what is selected on the map, or all again."""
        subject = self._subject()
        self._trail.clear()
        if self.state.selection.about or subject is None:
            self.post_message(RulesAboutChosen(""))
        else:
            self.post_message(RulesAboutChosen(subject.name, subject.label))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a key only where it leads somewhere."""
        if action == "follow":
            return bool(self._target()) and self.query_one("#rules-list").has_focus
        if action == "only_about":
            return bool(self.state.selection.about) or self._subject() is not None
        if action == "next_namespace":
            return self.state.snapshot is not None and len(rules_rows.namespaces(self.state.snapshot)) > 1
        return super().check_action(action, parameters)

    def can_go_back(self) -> bool:
        """As everywhere; also from a chain that was gone to, and to all rules."""
        return super().can_go_back() or bool(self._trail) or bool(self.state.selection.about)

    def _target(self) -> str:
        snapshot = self.state.snapshot
        if snapshot is None:
            return ""
        found = rules_rows.find(snapshot, self.state.selection.namespace, self.state.selected("rules"))
        return rules_rows.jump_target(found) if found else ""

    @on(Listing.Opened, "#rules-list")
    def action_follow(self) -> None:
        """Go to the chain the selected rule leads to; Esc comes back."""
        target = self._target()
        listing = self.query_one("#rules-list", Listing)
        here = listing.selected
        if target and listing.put_cursor(target):
            self._trail.append(here)

    def action_back(self) -> None:
        """Come back from a chain that was gone to, else as everywhere."""
        listing = self.query_one("#rules-list", Listing)
        if listing.has_focus and not self.has_class("-max") and self._trail:
            listing.put_cursor(self._trail.pop())
            return
        plain = listing.has_focus and not self.has_class("-max") and not self.state.filter(self.shows)
        if plain and self.state.selection.about:
            self.post_message(RulesAboutChosen(""))
            return
        super().action_back()

    def action_next_namespace(self) -> None:
        """Show the rules of the next namespace that has any."""
        if self.state.snapshot is None:
            return
        known = [ns.id for ns in rules_rows.namespaces(self.state.snapshot)]
        now = rules_rows.namespace_of(self.state.snapshot, self.state.selection.namespace)
        index = known.index(now.id) if now else -1
        self._trail.clear()
        self.post_message(NamespaceChosen(known[(index + 1) % len(known)]))
