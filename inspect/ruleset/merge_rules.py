"""Tables of iptables into which nft has put rules: each rule read by who understands it.  Pure.

iptables-nft shows its own rules, with their matches and targets, and shows
nft's wrongly; nft shows its own, and of iptables' only the names of what they
are made of.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from dnet_tui.inspect.model.firewall import Opaque, Rule, Table


class Mixed(NamedTuple):
    """The table, and how many of nft's rules could not be found in nft's listing."""

    table: Table
    lost: int


def with_native_rules(table: Table, foreign: Collection[int], native: Table | None) -> Mixed:
    """Put nft's rules, as nft shows them, in their places.

    Args:
        table: the table as iptables shows it, with the rules' handles.
        foreign: the handles of those that iptables doesn't show truly.
        native: the same table as nft shows it; None when it could not be read.
    """
    known: dict[tuple[str, int], Rule] = {}
    for chain in native.chains if native is not None else ():
        known |= {(chain.name, rule.handle): rule for rule in chain.rules if rule.handle is not None}
    lost = 0
    chains = []
    for chain in table.chains:
        rules = []
        for rule in chain.rules:
            found = known.get((chain.name, rule.handle)) if rule.handle in foreign and rule.handle is not None else None
            lost += found is None and rule.handle in foreign
            rules.append(rule if found is None else msgspec.structs.replace(found, number=rule.number))
        chains.append(msgspec.structs.replace(chain, rules=tuple(rules)))
    sets = native.sets if native is not None else ()
    return Mixed(msgspec.structs.replace(table, chains=tuple(chains), sets=sets), lost)


def opaque_rules(table: Table) -> int:
    """How many rules of a table can't be decided, or acted out, from what was read."""
    return sum(any(isinstance(expr, Opaque) for expr in rule.exprs) for chain in table.chains for rule in chain.rules)
