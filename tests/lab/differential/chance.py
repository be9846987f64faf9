"""What else the rules might have drawn by lot on a recorded host.  Pure.

A walk says that a rule is taken to match, or not to, "by chance".  The other
outcome is the host on which that rule matches the other way round; only what
one of these hosts explains is owed to chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import msgspec

from dnet_tui.diagnostics.walk.match.numgen import drawn, share
from dnet_tui.diagnostics.walk.packet import Hedge, RuleRef
from dnet_tui.inspect.model import Namespace, Snapshot, require
from dnet_tui.inspect.model.firewall import AnyExpr, Chain, Match, Rule, Table
from dnet_tui.inspect.model.rule_expressions import StatefulMatch

MOST_LOTS = 4
"""Of so many rules by lot every outcome is tried; of more, each by itself."""

BY_CHANCE = "by chance"


def lots(hedges: tuple[Hedge, ...]) -> tuple[RuleRef, ...]:
    """The rules that a walk took to be met, or not, by chance; not those that rest on anything else."""
    return tuple(dict.fromkeys(item.rule for item in hedges if BY_CHANCE in item.text and item.rule is not None))


def other_outcomes(snapshot: Snapshot, rules: tuple[RuleRef, ...]) -> Iterator[Snapshot]:
    """The host with each other outcome of these rules' lots."""
    if len(rules) <= MOST_LOTS:
        for turned in product((False, True), repeat=len(rules)):
            if any(turned):
                yield _turned(snapshot, tuple(rule for rule, other in zip(rules, turned, strict=True) if other))
    else:
        for rule in rules:
            yield _turned(snapshot, (rule,))


def _turned(snapshot: Snapshot, rules: tuple[RuleRef, ...]) -> Snapshot:
    spaces = tuple(_space(ns, rules) for ns in require(snapshot.namespaces))
    return msgspec.structs.replace(snapshot, namespaces=spaces)


def _space(ns: Namespace, rules: tuple[RuleRef, ...]) -> Namespace:
    mine = [rule for rule in rules if rule.namespace == ns.id]
    if not mine:
        return ns
    firewall = require(ns.firewall)
    tables = tuple(_table(table, mine) for table in firewall.tables)
    return msgspec.structs.replace(ns, firewall=msgspec.structs.replace(firewall, tables=tables))


def _table(table: Table, rules: list[RuleRef]) -> Table:
    name = (table.backend, table.family, table.name)
    numbers = {(rule.chain, rule.number) for rule in rules if (rule.backend, rule.family, rule.table) == name}
    return msgspec.structs.replace(table, chains=tuple(_chain(chain, numbers) for chain in table.chains))


def _chain(chain: Chain, numbers: set[tuple[str, int]]) -> Chain:
    rules = tuple(_rule(rule) if (chain.name, rule.number) in numbers else rule for rule in chain.rules)
    return msgspec.structs.replace(chain, rules=rules)


def _rule(rule: Rule) -> Rule:
    return msgspec.structs.replace(rule, exprs=tuple(_expr(expr) for expr in rule.exprs))


def _expr(expr: AnyExpr) -> AnyExpr:
    match expr:
        case StatefulMatch(chance=True):
            return msgspec.structs.replace(expr, first=not expr.first)
        case Match() if drawn(expr.field) is not None:
            likely = (share(expr.field, expr.values) >= 0.5) != expr.negate
            return StatefulMatch(text=expr.field, first=not likely, words=f"otherwise, {BY_CHANCE}", chance=True)
        case _:
            return expr
