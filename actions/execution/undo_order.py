"""Which later change has to be taken back before an earlier one: what it removed, moved or stands on.  Pure.

Taken back in another order the two would not meet: what the later one removed
can't be deleted, and would come back by the later one's undo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dnet_tui.actions.journal.entries import JournalEntry, StepLocation, elsewhere
from dnet_tui.actions.plans.identity import REMOVALS, Identity, identity
from dnet_tui.actions.plans.operations import AnyAction
from dnet_tui.diagnostics.operations.link import AddVeth, SetLinkMaster
from dnet_tui.diagnostics.operations.netns_scope import ScopedOperation
from dnet_tui.diagnostics.operations.rule import InsertRule


def blocked_by(entries: Sequence[JournalEntry], entry: JournalEntry, place: StepLocation) -> tuple[JournalEntry, str]:
    """The later entry that has to be undone before ``entry``, and which change of it.

    ``entry`` itself and "" if there is none.
    """
    own = {identity(action): action for action in _standing(entry)}
    made = {what for what, action in own.items() if not isinstance(action, REMOVALS)}
    at = next((number for number, item in enumerate(entries) if item.id == entry.id), len(entries))
    for later in reversed(entries[at + 1 :]):
        if later.unreadable or later.status == "undone" or elsewhere(later, place):
            continue
        for action in _standing(later):
            what = identity(action)
            twins = isinstance(action, InsertRule) and isinstance(own.get(what), InsertRule)
            if what and what in own and not twins:
                return later, action.text
            if made & set(_foundations(action)):
                return later, action.text
    return entry, ""


def _standing(entry: JournalEntry) -> Iterator[AnyAction]:
    return (entry.changes[index].action for index in entry.standing)


def _foundations(action: AnyAction) -> Iterator[Identity]:
    """What must be there for a change to stand, and would take it along."""
    if isinstance(action, AddVeth):
        yield "namespace", action.inside
    if isinstance(action, SetLinkMaster) and action.master:
        yield "link", action.master
    if isinstance(action, ScopedOperation) and action.inside.name:
        yield "namespace", action.inside.name
