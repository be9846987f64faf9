"""The host as packets find it that exceed a rule's limit: what lies behind a limit is asked there.  Pure.

A packet that comes alone is within every limit, so a drop for what exceeds
one (``-m limit -j ACCEPT`` before a DROP, ``hashlimit-above``) is met by no
walk.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from dnet_tui.diagnostics.walk.packet import RuleRef, Walk
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.firewall import Chain, Firewall, Rule, StatefulMatch, Table
from dnet_tui.inspect.model.view import View

_Place = tuple[str, str, str, str, int]


class Exceeded(NamedTuple):
    """The host with a limit exceeded, and for which packets the limit holds otherwise, in words."""

    view: View
    words: str


def exceeded(view: View, gone: Walk) -> Exceeded | None:
    """The host as the same packet finds it when the limits that its walk took for kept are exceeded; None without any.

    What hangs on chance is no limit.
    """
    host = view.host
    if host is None or not isinstance(host.firewall, Firewall):
        return None
    met = {_place(hedge.rule) for hedge in gone.hedges if hedge.rule is not None and hedge.lasts is None}
    if not met:
        return None
    words: list[str] = []
    tables = tuple(_table(table, met, words) for table in host.firewall.tables)
    if not words:
        return None
    changed = msgspec.structs.replace(host, firewall=msgspec.structs.replace(host.firewall, tables=tables))
    return Exceeded(View(_with(view.snapshot, changed.id, changed)), words[0])


def _with(snapshot: Snapshot, ident: str, changed: object) -> Snapshot:
    spaces = tuple(changed if ns.id == ident else ns for ns in snapshot.namespaces)
    return msgspec.structs.replace(snapshot, namespaces=spaces)


def _place(rule: RuleRef) -> _Place:
    return rule.backend, rule.family, rule.table, rule.chain, rule.number


def _table(table: Table, met: set[_Place], words: list[str]) -> Table:
    if not any(place[:3] == (table.backend, table.family, table.name) for place in met):
        return table
    return msgspec.structs.replace(table, chains=tuple(_chain(table, chain, met, words) for chain in table.chains))


def _chain(table: Table, chain: Chain, met: set[_Place], words: list[str]) -> Chain:
    head = (table.backend, table.family, table.name, chain.name)
    if not any(place[:4] == head for place in met):
        return chain
    rules = []
    for rule in chain.rules:
        after = _rule(rule, words) if (*head, rule.number) in met else rule
        if after is not None:
            rules.append(after)
    return msgspec.structs.replace(chain, rules=tuple(rules))


def _rule(rule: Rule, words: list[str]) -> Rule | None:
    """The rule for what exceeds its limits: gone where it holds within them, without them where it holds above."""
    limits = [expr for expr in rule.exprs if isinstance(expr, StatefulMatch) and not expr.chance]
    words += [expr.words for expr in limits]
    if any(expr.first for expr in limits):
        return None
    return msgspec.structs.replace(rule, exprs=tuple(expr for expr in rule.exprs if expr not in limits))
