"""What the forms show: what can be made, names to complete, and what a filled-in form would come to.  Pure."""

from __future__ import annotations

from dnet_tui.inspect.model import Snapshot, known_items
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.app.model.forms import FORMS, Draft, FormKind, Names, PlannedChange, missing
from dnet_tui.tui.app.model.state import AppState, ErrorInfo
from dnet_tui.tui.app.present import confirm, rules_about
from dnet_tui.tui.app.present.styled_text import BLANK, Paragraph, Row, line, say

_MOST = 2000
"""So many names are offered; more would make typing slow."""


def rows() -> tuple[Row, ...]:
    """Return what can be made, to choose from."""
    return tuple(
        Row(id=form.kind, cells=(line(say(f"{form.title:<16}", "name"), say(form.about, "dim")),), search=form.kind)
        for form in FORMS.values()
    )


def names(snapshot: Snapshot | None, wanted: Names) -> tuple[str, ...]:
    """Return the names that a field can be completed with; one that can't be shown as it is isn't offered."""
    if snapshot is None or not wanted:
        return ()
    found = [item.name for item in known_items(snapshot.containers) if item.running]
    if wanted != "containers":
        found = [item.name for item in known_items(snapshot.networks) if item.bridge or wanted == "networks"]
    return tuple(name for name in dict.fromkeys(found[:_MOST]) if name and name == clean(name, len(name)))


def prefilled(state: AppState, kind: FormKind, mode: str) -> Draft:
    """Return the form with what is selected on the map filled in."""
    if state.snapshot is None or mode != "map":
        return Draft(kind=kind)
    subject = rules_about.subject_of_row(state.snapshot, state.selected("map"))
    values: dict[str, str] = {}
    for field in FORMS[kind].fields:
        if subject is not None and field.needed and subject.label in names(state.snapshot, field.names):
            values[field.id] = subject.label
    return Draft(kind=kind, values=values)


def preview(draft: Draft, planned: PlannedChange | None, trouble: ErrorInfo | None) -> tuple[Paragraph, ...]:
    """Return what a draft comes to, what is wrong with it, or what it lacks."""
    lacks = missing(draft)
    if lacks:
        return (Paragraph(line(say(f"to be filled in: {', '.join(lacks)}", "warn"))),)
    if trouble is not None:
        return confirm.failed(trouble)
    if planned is None:
        return (Paragraph(line(say("looking...", "dim"))),)
    return confirm.planned(planned)


def asking(planned: PlannedChange) -> tuple[Paragraph, ...]:
    """Return what a person reads before saying yes to it."""
    return (Paragraph(line(say(planned.title, "name"))), BLANK, *confirm.planned(planned))
