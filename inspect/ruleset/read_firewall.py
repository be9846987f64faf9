"""Reads a namespace's rules, or proves that those read earlier still stand.

nftables counts every change of a namespace's ruleset (its generation).
Where that is what it was, no iptables-legacy table is loaded and no ipset is
looked up, the rules read before are the rules now; only their counters have
moved on, which ``firewall_at`` says.  Where an account was kept of what has
changed since (:mod:`dnet_tui.inspect.ruleset.change_log`), only that is read again.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import NamedTuple

from dnet_tui.inspect.kernel.nfnetlink_tables import NftSocket
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.ruleset.change_log import RuleEvents

_ATTEMPTS = 3
_LEGACY = ("ip_tables_names", "ip6_tables_names")


class BackgroundRuleRefresh:
    """Brings the host's rules of an earlier reading up to date, beside everything else that is read.

    Programs and the kernel are busy most of that time, not this one.  The new
    thread is in the namespace of the thread that makes it.

    Args:
        before: what the earlier reading had.
        events: the account of what has changed since.
    """

    def __init__(self, before: NamespaceReading, events: RuleEvents) -> None:
        self._before, self._events = before, events
        self._found: NamespaceReading | None = NamespaceReading(id=before.id)
        self._thread = threading.Thread(target=read_rules, args=(self._found, before, events), name="rules")
        self._thread.start()

    def fill(self, contents: NamespaceReading) -> None:
        """Fill in the firewall of the calling thread's namespace, which is the same."""
        self._thread.join()
        found, self._found = self._found, None
        if found is None or found.generation is None or found.generation != _read_generation():
            read_rules(contents, self._before, self._events)
            return
        contents.firewall, contents.generation = found.firewall, found.generation
        contents.firewall_at = found.firewall_at or contents.read_at
        contents.gaps.extend(found.gaps)


def read_rules(contents: NamespaceReading, before: NamespaceReading | None, events: RuleEvents | None = None) -> None:
    """Fill in the firewall of the calling thread's namespace.  Never raises for anything the host does.

    Args:
        contents: where to.
        before: what an earlier reading of the namespace had.
        events: the account of what has changed in it, if one is kept.
    """
    generation = _read_generation()
    if before is not None and before.firewall is not None and can_be_kept(before) and not _legacy_loaded():
        kept: Known | None = Known(before.firewall, generation)
        if before.generation != generation or generation is None:
            kept = _caught_up(before, events)
        if kept is not None:
            contents.firewall, contents.generation = kept
            contents.firewall_at = before.firewall_at
            return
    _read_anew(contents)
    contents.firewall_at = contents.read_at
    contents.generation = generation


class Known(NamedTuple):
    """Rules, and the generation of which they are known to be."""

    firewall: Firewall
    generation: int | None


def _caught_up(before: NamespaceReading, events: RuleEvents | None) -> Known | None:
    """The rules of ``before`` made those of now; None where everything must be read."""
    if events is None or before.firewall is None or before.generation is None:
        return None
    from dnet_tui.inspect.ruleset.ruleset_update import splice  # noqa: PLC0415 - only when the rules are wanted

    try:
        with NftSocket() as nft:
            if not nft.cookie() == events.cookie == before.cookie:
                return None
            for _ in range(_ATTEMPTS):
                generation = nft.generation()
                touched = events.between(before.generation, generation)
                found = None if touched is None else splice(before.firewall, touched, nft)
                if found is None:
                    return None
                if nft.generation() == generation:
                    return Known(found, generation)
    except Exception:  # noqa: BLE001 - text from host programs: whatever it provokes, reading everything still works
        return None
    return None


def _read_anew(contents: NamespaceReading) -> None:
    from dnet_tui.inspect.ruleset.read_iptables import read_firewall  # noqa: PLC0415 - only when the rules are wanted

    try:
        contents.firewall, gaps = read_firewall(contents.id)
    except Exception as error:  # noqa: BLE001 - text from host programs: whatever it provokes is a gap, not the end
        contents.miss("firewall", f"the rules could not be read: {error}")
    else:
        contents.gaps.extend(gaps)


def _read_generation() -> int | None:
    """The ruleset's generation, before the rules are read; None where it can't be told."""
    try:
        with NftSocket() as nft:
            return nft.generation()
    except OSError:
        return None


def can_be_kept(before: NamespaceReading) -> bool:
    """Whether the rules read before are all there, and of a kind whose changes nftables tells.  Pure."""
    if before.firewall is None:
        return False
    if any(gap.section == "firewall" for gap in before.gaps) or before.firewall.unread or before.firewall.ipsets:
        return False  # what went wrong then may go well now, and an ipset's contents have no generation
    return not any(table.backend == "iptables-legacy" for table in before.firewall.tables)


def _legacy_loaded() -> bool:
    """Whether any table of iptables-legacy is there; also when that can't be told."""
    for name in _LEGACY:
        try:
            if Path(f"/proc/thread-self/net/{name}").read_bytes().strip():
                return True
        except FileNotFoundError:
            continue
        except OSError:
            return True
    return False
