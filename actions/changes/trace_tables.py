"""The table of a live trace: added to a network namespace for a moment, and taken out again.

Its name holds random letters, so whatever bears it is ours.  A namespace that
ended takes the table with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dnet_tui.actions.host_access import HostAccess, Ran
from dnet_tui.actions.journal.captured_state import TraceTableState
from dnet_tui.actions.plans.operations import AddTraceTable
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.kernel.netns import NamespaceGoneError, run_in
from dnet_tui.inspect.text.sanitize import clean

LIMIT = 10.0
"""Seconds nft may take; it waits for whoever else changes the ruleset."""

T = TypeVar("T")


def prepare(action: AddTraceTable, host: HostAccess) -> TraceTableState:
    """See that the table can be added.

    Raises:
        ActionFailedError: nft or the namespace isn't there, or there is a table of that name.
    """
    if not host.has("nft"):
        raise ActionFailedError("nft is not installed", "install nftables, which brings it, then try again")
    if _inside(action, lambda: _exists(action, host)):
        raise ActionFailedError(f"there is a table inet {clean(action.name)} already", "try again: names are random")
    return TraceTableState(existed=False)


def perform(action: AddTraceTable, host: HostAccess) -> TraceTableState:
    """Add the table, all of it or nothing.

    Raises:
        ActionFailedError: nft refused it, or the namespace is gone.
    """
    _inside(action, lambda: _nft(host, action, action.ruleset))
    return TraceTableState(existed=True)


def revert(action: AddTraceTable, host: HostAccess) -> str:
    """Delete the table if it is there.

    Returns:
        What was done, in a few words.

    Raises:
        ActionFailedError: nft refused.
    """
    label, name = clean(action.label), clean(action.name)

    def delete() -> bool:
        if not _exists(action, host):
            return False
        _nft(host, action, "delete", "table", "inet", action.name)
        return True

    try:
        deleted = _enter(action, delete)
    except NamespaceGoneError:
        return f"{label}: its network is gone, and table inet {name} with it"
    return f"{label}: deleted table inet {name}" if deleted else f"{label}: table inet {name} is gone already"


def _inside(action: AddTraceTable, job: Callable[[], T]) -> T:
    try:
        return _enter(action, job)
    except NamespaceGoneError as error:
        msg = f"the network of {clean(action.label)} is gone"
        raise ActionFailedError(msg, "it ended or was started anew meanwhile: try again") from error


def _enter(action: AddTraceTable, job: Callable[[], T]) -> T:
    """Run in the namespace, which is proved to be the one that was meant before it is entered."""
    try:
        return run_in(action.inside, job)
    except OSError as error:
        msg = f"the network of {clean(action.label)} can't be entered: {error.strerror}"
        raise ActionFailedError(msg, "entering namespaces needs root (CAP_SYS_ADMIN): try sudo") from error


def _exists(action: AddTraceTable, host: HostAccess) -> bool:
    """Whether the table is there.

    Raises:
        ActionFailedError: nft could not say.
    """
    ran = host.run(("nft", "list", "tables", "inet"), limit=LIMIT)
    if ran.code:
        raise _refused(action, ran)
    return f"table inet {action.name}" in ran.out.splitlines()


def _nft(host: HostAccess, action: AddTraceTable, *words: str) -> None:
    ran = host.run(("nft", *words), limit=LIMIT)
    if ran.code:
        raise _refused(action, ran)


def _refused(action: AddTraceTable, ran: Ran) -> ActionFailedError:
    said = clean(" ".join((ran.err or ran.out).split()), 300)
    denied = "permitted" in said
    hint = "changing rules needs root (CAP_NET_ADMIN): try sudo" if denied else ""
    return ActionFailedError(f"nft failed in the network of {clean(action.label)}: {said}", hint)
