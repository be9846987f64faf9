"""Which changes a reboot takes away, and which are kept: read off the journal.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from dnet_tui.actions.journal.entries import JournalEntry, StepLocation, elsewhere
from dnet_tui.actions.plans.boot_files import WriteFile
from dnet_tui.actions.plans.identity import REMOVALS, identity
from dnet_tui.actions.plans.nft_table import AddNftTable
from dnet_tui.actions.plans.operations import AddTraceTable, AnyAction
from dnet_tui.diagnostics.operations.address import AddAddress
from dnet_tui.diagnostics.operations.bridge import CreateBridge
from dnet_tui.diagnostics.operations.bridge_port import AddPortVlan, SetPortFlag
from dnet_tui.diagnostics.operations.kernel import LoadModule, SetSysctl
from dnet_tui.diagnostics.operations.link import AddVeth, SetLinkMaster, SetLinkUp, SetSpanningTree
from dnet_tui.diagnostics.operations.neighbour import SetNeighbour
from dnet_tui.diagnostics.operations.netns_scope import AddNamespace
from dnet_tui.diagnostics.operations.nft_rule import AcceptInNft
from dnet_tui.diagnostics.operations.policy_rule import AddPolicyRule
from dnet_tui.diagnostics.operations.route import AddRoute, ReplaceRoute
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule, SetChainPolicy

_FADING = (
    SetSysctl,
    LoadModule,
    InsertRule,
    SetChainPolicy,
    AcceptInNft,
    AddNftTable,
    CreateBridge,
    AddVeth,
    AddNamespace,
    SetLinkUp,
    SetLinkMaster,
    SetSpanningTree,
    SetPortFlag,
    AddPortVlan,
    AddAddress,
    AddRoute,
    ReplaceRoute,
    AddPolicyRule,
    SetNeighbour,
    DeleteRule,
)
"""What only the kernel's memory holds.  What engines and firewalld write down themselves isn't among them."""

FILES_NAME = re.compile(r"dnet-tui-(\d{4,9})\.")
"""An entry's number in the names of the files that keep it."""


def kept_by(entries: Iterable[JournalEntry]) -> dict[str, str]:
    """The entries that are kept over a reboot, and the entry by which each is."""
    kept: dict[str, str] = {}
    for entry in entries:
        for index in entry.standing:
            action = entry.changes[index].action
            found = FILES_NAME.search(action.path) if isinstance(action, WriteFile) else None
            if found is not None:
                kept[found[1]] = entry.id
    return kept


def lost_at_reboot(entries: Sequence[JournalEntry], place: StepLocation) -> tuple[JournalEntry, ...]:
    """The entries of this host whose changes, or some of them, a reboot takes away; oldest first."""
    kept = kept_by(entries)
    removed = _removed(entries, place)
    return tuple(
        entry
        for entry in entries
        if entry.id not in kept
        and not entry.unreadable
        and not elsewhere(entry, place)
        and any(_fades(entry.changes[index].action, entries, removed) for index in entry.standing)
    )


def fading(entry: JournalEntry) -> Iterator[AnyAction]:
    """The changes of an entry that a reboot takes away, in their order."""
    for index in entry.standing:
        if isinstance(entry.changes[index].action, _FADING):
            yield entry.changes[index].action


def is_ours(action: DeleteRule, entries: Iterable[JournalEntry]) -> bool:
    """Whether a deleted rule was one that an entry had put in."""
    return any(
        isinstance(change.action, InsertRule) and identity(change.action) == identity(action)
        for entry in entries
        for change in entry.changes
    )


def kept_things(removals: Iterable[AnyAction], entries: Sequence[JournalEntry]) -> tuple[str, ...]:
    """The entries whose files bring back, at the next start of the host, what these operations take away."""
    gone = {identity(action) for action in removals if isinstance(action, REMOVALS)} - {()}
    kept = kept_by(entries)
    found = (
        kept[entry.id]
        for entry in entries
        if entry.id in kept
        for change in entry.changes
        if not isinstance(change.action, REMOVALS) and identity(change.action) in gone
    )
    return tuple(dict.fromkeys(found))


def _removed(entries: Iterable[JournalEntry], place: StepLocation) -> set[tuple[str, ...]]:
    """What later entries of this host have taken away again."""
    gone: set[tuple[str, ...]] = set()
    for entry in entries:
        if elsewhere(entry, place):
            continue
        for index in entry.standing:
            action = entry.changes[index].action
            if isinstance(action, REMOVALS):
                gone.add(identity(action))
            else:
                gone.discard(identity(action))
    return gone


def _fades(action: AnyAction, entries: Sequence[JournalEntry], removed: set[tuple[str, ...]]) -> bool:
    if isinstance(action, AddTraceTable) or not isinstance(action, _FADING):
        return False
    if isinstance(action, DeleteRule):
        return not is_ours(action, entries)
    what = identity(action)
    return not what or what not in removed
