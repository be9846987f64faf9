"""A form for something to be made: what is typed is looked at as it is typed, and shown as the commands it comes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, Label

from dnet_tui.tui.app.model.forms import ChangeForm, Draft, FormField, PlannedChange, missing
from dnet_tui.tui.app.model.messages import ChangePlanned, FormEdited
from dnet_tui.tui.app.model.state import ErrorInfo
from dnet_tui.tui.app.present import forms
from dnet_tui.tui.app.present.frame import Hint, hint_zones, hints
from dnet_tui.tui.app.screens.dialog import Dialog
from dnet_tui.tui.app.widgets.bar import Bar
from dnet_tui.tui.app.widgets.detail import DetailPane
from dnet_tui.tui.app.widgets.entry import Entry

_KEYS = (
    Hint("Tab", "next", "tab"),
    Hint("PgDn", "scroll", "pagedown"),
    Hint("Enter", "review and ask", "enter"),
    Hint("Esc", "cancel", "escape"),
)


class FormScreen(ModalScreen[PlannedChange]):
    """Fields over what they come to.  Ends with what was shown and said yes to, or with nothing."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (70, "-medium"), (120, "-wide")]  # noqa: RUF012  Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False),
        Binding("ctrl+c", "cancel", "cancel", show=False, priority=True),
        Binding("enter", "review", "review and ask", show=False, priority=True),
        Binding("tab,down", "next(1)", "next field", show=False, priority=True),
        Binding("shift+tab,up", "next(-1)", "field before", show=False, priority=True),
        Binding("pagedown", "scroll(1)", "scroll down", show=False, priority=True),
        Binding("pageup", "scroll(-1)", "scroll up", show=False, priority=True),
    ]

    def __init__(self, form: ChangeForm, draft: Draft, offered: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(classes="-tall")
        self._form = form
        self._given = draft
        self._offered = offered
        self._planned: PlannedChange | None = None
        self._trouble: ErrorInfo | None = None
        self._of: Draft | None = None
        """Whose plan, or trouble, is known."""
        self._wants_review = False

    def compose(self) -> Iterator[Widget]:
        """Lay out the fields over the preview."""
        with Vertical(id="dialog") as box:
            box.border_title = Content(f"Add: {self._form.title.lower()}")  # a str would be read as markup
            with Container(id="form-fields"):
                for field in self._form.fields:
                    yield Label(field.label, markup=False)
                    yield self._input(field)
            yield DetailPane(id="form-preview")
            yield Bar(id="dialog-keys")

    def _input(self, field: FormField) -> Input:
        names = self._offered.get(field.id, ())
        usual = field.hint or ("yes" if field.yes else "no")
        suggester = SuggestFromList(names, case_sensitive=False) if names else None
        return Entry(self._given.value(field.id), placeholder=usual, id=f"form-{field.id}", suggester=suggester)

    def on_mount(self) -> None:
        """Begin in the first field that is to be filled in."""
        self.query_one(Bar).show(hints(_KEYS, 70), zones=hint_zones(_KEYS, 70))
        empty = (item for item in self._form.fields if item.needed and not self._given.value(item.id))
        self.set_focus(self._box(next(empty, self._form.fields[0])))
        self._look()

    def _box(self, field: FormField) -> Input:
        return self.query_one(f"#form-{field.id}", Input)

    @property
    def draft(self) -> Draft:
        """The form as it is filled in now."""
        values = {field.id: self._box(field).value.strip() for field in self._form.fields}
        return Draft(kind=self._form.kind, values={key: text for key, text in values.items() if text})

    @property
    def is_waiting(self) -> bool:
        """Whether it was asked for review before it was known what it comes to: further keys wait for that."""
        return self._wants_review

    @on(Input.Changed)
    def field_changed(self, event: Input.Changed) -> None:
        """Look at what was typed."""
        event.stop()
        self._look()

    def _look(self) -> None:
        draft = self.draft
        if draft != self._of:
            self._planned, self._trouble, self._of = None, None, None
            if not missing(draft):
                self.post_message(FormEdited(draft))
        self.query_one(DetailPane).show(forms.preview(draft, self._planned, self._trouble))

    def show_plan(self, event: ChangePlanned) -> None:
        """Show what the form comes to, unless it is filled in differently by now."""
        if event.draft != self.draft:
            return
        self._planned, self._trouble, self._of = event.planned, event.trouble, event.draft
        self._look()
        if self._wants_review:
            self._wants_review = False
            self._ask()

    def _ask(self) -> None:
        planned = self._planned
        if planned is None:
            return  # what is wrong is on show

        def answered(yes: bool | None) -> None:  # noqa: FBT001  Textual calls it with the dialog's result
            if yes:
                self.dismiss(planned)

        self.app.push_screen(
            Dialog(f"Add: {self._form.title.lower()}", forms.asking(planned), question="do it"), answered
        )

    # -- keys ---------------------------------------------------------------

    @property
    def _here(self) -> int:
        return next((at for at, field in enumerate(self._form.fields) if self._box(field).has_focus), 0)

    def _complete(self) -> None:
        """Take the name that the field offers."""
        field = self._form.fields[self._here]
        typed = self._box(field).value.strip().lower()
        names = self._offered.get(field.id, ())
        if typed and typed not in (name.lower() for name in names):
            found = next((name for name in names if name.lower().startswith(typed)), None)
            if found is not None:
                self._box(field).value = found

    def action_next(self, step: int) -> None:
        """Go to another field."""
        self._complete()
        self.set_focus(self._box(self._form.fields[(self._here + step) % len(self._form.fields)]))

    def action_review(self) -> None:
        """Ask whether it is to be done; where something is to be filled in, go there."""
        self._complete()
        draft = self.draft
        lacks = missing(draft)
        if lacks:
            self.set_focus(self._box(next(field for field in self._form.fields if field.label == lacks[0])))
        elif draft == self._of:
            self._ask()
        else:
            self._wants_review = True
            self._look()

    def action_scroll(self, step: int) -> None:
        """Scroll the preview."""
        pane = self.query_one(DetailPane)
        pane.action_page_down() if step > 0 else pane.action_page_up()

    def action_cancel(self) -> None:
        """End without anything."""
        self.dismiss(None)
