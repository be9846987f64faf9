"""Which legacy iptables rules counted a packet: their counters before and after.  Reads only.

nftables' trace tells nothing of the legacy tables.  A rule whose counter
stood still did not match; one whose counter moved may have matched somebody
else's packet as well.

Only tables that a snapshot has seen are asked for: asking for others would
make them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.iptables.save_text import parse_save
from dnet_tui.inspect.model import Namespace, Unread
from dnet_tui.inspect.ruleset.run_save import save

Counts = Mapping[tuple[str, str, str, int], tuple[str, int]]
"""(text, packets) of each rule by (family, table, chain, number); number 0 is the chain's policy."""

_LEGACY: Literal["iptables-legacy"] = "iptables-legacy"


def has_legacy(namespace: Namespace) -> bool:
    """Whether a namespace has legacy tables."""
    return bool(_families(namespace))


def read_counts(namespace: Namespace) -> Counts:
    """The counters of a namespace's legacy rules, in which the calling thread is; empty where they can't be read."""
    found: dict[tuple[str, str, str, int], tuple[str, int]] = {}
    for family, tables in _families(namespace).items():
        for saved in save(_LEGACY, family, tables):
            if saved.error:
                continue
            try:
                parsed = parse_save(saved.text, backend=_LEGACY, family=family)
            except DnetError:
                continue
            for table in parsed:
                for chain in table.chains:
                    at = (family, table.name, chain.name)
                    found[*at, 0] = (chain.policy, chain.packets or 0)
                    found |= {(*at, rule.number): (rule.text, rule.packets or 0) for rule in chain.rules}
    return found


def moved(before: Counts, after: Counts) -> dict[tuple[str, str, str, int], bool]:
    """Whether each rule's counter moved; empty when the rules have changed: then nothing can be said."""
    if {key: item[0] for key, item in before.items()} != {key: item[0] for key, item in after.items()}:
        return {}
    return {key: after[key][1] > count for key, (_, count) in before.items()}


def _families(namespace: Namespace) -> dict[Literal["ip", "ip6"], tuple[str, ...]]:
    tables: Iterable[tuple[str, str]] = (
        (table.family, table.name)
        for table in (() if isinstance(namespace.firewall, Unread) else namespace.firewall.tables)
        if table.backend == _LEGACY
    )
    found: dict[Literal["ip", "ip6"], tuple[str, ...]] = {}
    for family, name in tables:
        key: Literal["ip", "ip6"] = "ip6" if family == "ip6" else "ip"
        found[key] = (*found.get(key, ()), name)
    return found
