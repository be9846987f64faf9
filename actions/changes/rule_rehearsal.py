"""Rule changes gone through beforehand, on chains that are read once and changed in memory.

So that a plan whose fifth rule can't be deleted is refused before the first
is.  A legacy table that isn't loaded is not read, for reading creates it.
"""

from __future__ import annotations

from dnet_tui.actions.changes.rules import RuleChange, chain_name, locate, read_chain, require_whole, resolve_position
from dnet_tui.actions.host_access import HostAccess
from dnet_tui.diagnostics.operations.rule import DeleteRule
from dnet_tui.inspect.errors import ActionFailedError

_LOADED = {"ip": "/proc/net/ip_tables_names", "ip6": "/proc/net/ip6_tables_names"}


class RuleRehearsal:
    """The chains as they would be after the changes so far."""

    def __init__(self, host: HostAccess) -> None:
        self._host = host
        self._texts: dict[tuple[str, str, str, str], list[str]] = {}

    def go_through(self, action: RuleChange) -> None:
        """Check one change, and make it in memory.

        Raises:
            ActionFailedError: The rule to delete isn't there, its chain or the place for a new one isn't, or the
                table can't be read.
        """
        texts = self._chain(action)
        if isinstance(action, DeleteRule):
            number = locate(action, texts)
            require_whole(texts[number - 1], action)
            del texts[number - 1]
        else:
            texts.insert(resolve_position(action, texts) - 1, action.spec)

    def _chain(self, action: RuleChange) -> list[str]:
        key = (action.backend, action.family, action.table, action.chain)
        if key not in self._texts:
            self._texts[key] = self._read(action)
        return self._texts[key]

    def _read(self, action: RuleChange) -> list[str]:
        if action.backend == "iptables-legacy":
            loaded = (self._host.read(_LOADED[action.family]) or "").split()
            if action.table not in loaded:
                return []
        _, chain = read_chain(action, self._host)
        if not chain.declared:
            msg = f"{chain_name(action)}: there is no such chain"
            raise ActionFailedError(msg, "the host changed since the plan was made: look again")
        return list(chain.texts)
