"""Takes a snapshot of the host: the one entrance to this room.

Two phases.  First every namespace is read, from inside, while the engine is
asked in parallel; then relations are resolved (veth peers, which container
is where, networks).  The kernel is the truth; an engine only adds names and
intentions, so a silent one costs its names and nothing else.

Reads only.  What can't be read is a gap in the snapshot, never an error.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.coverage.needs import SectionName
from dnet_tui.inspect.snapshot.read_cache import ReadCache
from dnet_tui.inspect.snapshot.snapshot_run import Options, SnapshotRun

if TYPE_CHECKING:
    from dnet_tui.inspect.ruleset.change_log import RuleEvents
    from dnet_tui.inspect.ruleset.read_firewall import BackgroundRuleRefresh

__all__ = ["Observer", "Options", "take_snapshot"]


def take_snapshot(options: Options | None = None) -> Snapshot:
    """Read this host, as the network namespace that the process is in sees it.

    Raises:
        CannotInspectError: /proc isn't there, so nothing can be found.
    """
    return SnapshotRun(options or Options(), ReadCache()).snapshot()


class Observer:
    """Takes one snapshot after the other, each faster than the first: what nothing says has changed isn't read again.

    A namespace that is taken over carries the time when it was read
    (``Namespace.read_at``); the host's own is read each time, and so is every
    new one.  Its rules are taken over when they are proved to be unchanged
    (``Namespace.firewall_at``); of the host's, the chains that changed are read
    again.  See :mod:`dnet_tui.inspect.snapshot.read_cache` for the signs of change.  Not
    for several threads at once.
    """

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self._memory = ReadCache()
        self._events: RuleEvents | None = None

    def take(self) -> Snapshot:
        """Read everything.

        Raises:
            CannotInspectError: /proc isn't there, so nothing can be found.
        """
        self._memory = ReadCache()
        return self.refresh()

    def refresh(self, touched: Collection[str] = ()) -> Snapshot:
        """Read the host, what is new, and what shows signs of change.

        Args:
            touched: the ids of namespaces that are known to have changed.

        Raises:
            CannotInspectError: /proc isn't there, so nothing can be found.
        """
        taking = SnapshotRun(self._options, self._memory, frozenset(touched), self._rules())
        snapshot = taking.snapshot()
        self._memory = taking.memory
        return snapshot

    def _rules(self) -> BackgroundRuleRefresh | None:
        """The host's rules, being brought up to date, when they were read before."""
        if SectionName.FIREWALL not in self._options.needs.sections:
            return None
        from dnet_tui.inspect.ruleset.change_log import RuleEvents  # noqa: PLC0415 - only where rules are wanted
        from dnet_tui.inspect.ruleset.read_firewall import BackgroundRuleRefresh  # noqa: PLC0415 - as above

        self._events = self._events or RuleEvents()
        self._events.listen()
        before = next((self._memory.contents.get(key) for key, one in self._memory.places.items() if one.is_host), None)
        return None if before is None else BackgroundRuleRefresh(before, self._events)

    def close(self) -> None:
        """Stop to keep account of changed rules.  Safe to repeat; a later refresh begins again."""
        if self._events is not None:
            self._events.close()
