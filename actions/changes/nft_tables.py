"""Tables of nftables that are dnet-tui's alone: nft takes each as one transaction."""

from __future__ import annotations

from dnet_tui.actions.host_access import HostAccess
from dnet_tui.actions.journal.captured_state import NftTableState
from dnet_tui.actions.plans.nft_table import AddNftTable, DeleteNftTable
from dnet_tui.actions.plans.plan import line
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.sanitize import clean

TableChange = AddNftTable | DeleteNftTable


def prepare(action: TableChange, host: HostAccess) -> NftTableState:
    """See that the table isn't there yet, or keep what it holds.

    Raises:
        ActionFailedError: It is there already, or not there any more.
    """
    listed = _listed(action, host)
    if isinstance(action, AddNftTable) and listed:
        raise ActionFailedError(f"there is a table {action.family} {clean(action.name)} already", "delete it first")
    if isinstance(action, DeleteNftTable) and not listed:
        raise ActionFailedError(f"there is no table {action.family} {clean(action.name)} any more", "nothing to do")
    return NftTableState(ruleset=listed)


def perform(action: TableChange, host: HostAccess) -> NftTableState:
    """Add or delete it.

    Raises:
        ActionFailedError: nft refused, and did nothing.
    """
    for words in action.commands():
        _nft(host, words)
    return NftTableState(ruleset=_listed(action, host))


def revert(action: TableChange, captured: NftTableState, after: NftTableState | None, host: HostAccess) -> str:
    """Delete what was added, or load what was deleted; one that somebody has changed meanwhile is left alone.

    Raises:
        ActionFailedError: It was changed since, or nft refused.
    """
    now, name = _listed(action, host), f"table {action.family} {clean(action.name)}"
    if isinstance(action, AddNftTable):
        if not now:
            return f"{name} is gone already"
        if after is not None and now != after.ruleset:
            raise ActionFailedError(f"{name} was changed since, and is left alone", f"`nft delete {name}` deletes it")
        _nft(host, ("nft", "delete", "table", action.family, action.name))
        return f"deleted {name}"
    if now:
        return f"{name} is there already"
    _nft(host, ("nft", "-f", "-"), captured.ruleset.encode())
    return f"put back {name}"


def _listed(action: TableChange, host: HostAccess) -> str:
    """What the table holds, without counters; empty where it isn't there.

    Raises:
        ActionFailedError: nft could not say.
    """
    ran = host.run(("nft", "-s", "list", "table", action.family, action.name))
    if ran.code and "No such file" not in ran.err:
        raise _refused(("nft", "list", "table", action.family, action.name), ran.err)
    return "" if ran.code else ran.out


def _nft(host: HostAccess, words: tuple[str, ...], given: bytes = b"") -> None:
    ran = host.run(words, given=given)
    if ran.code:
        raise _refused(words, ran.err or ran.out)


def _refused(words: tuple[str, ...], said: str) -> ActionFailedError:
    told = clean(" ".join(said.split()), 300)
    hint = "changing rules needs root (CAP_NET_ADMIN): try sudo" if "permitted" in told else ""
    return ActionFailedError(f"`{line(words)}` failed: {told}", hint)
