"""The rules on containers' packets' way that drop, reject, redirect or exempt them, and how they are reached.  Pure.

Found by one pass over each table; of a rule that is reached by many paths a
few are told.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Literal, NamedTuple

from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Chain,
    Element,
    Firewall,
    Lookup,
    Nat,
    NoTrack,
    Opaque,
    Rule,
    SetZone,
    Table,
    Verdict,
    VerdictMap,
)

Effect = Literal["drop", "reject", "redirect", "rewrite", "notrack", "zone"]

UNASKED: frozenset[Effect] = frozenset({"notrack", "zone"})
"""What keeps a packet from nobody by itself."""

HOOKS = frozenset({"prerouting", "forward", "postrouting", "input", "output", "ingress", "egress"})
FRAMES = frozenset({"bridge", "netdev"})
"""Families whose rules see frames at ports and devices, of either version of IP."""
_FAMILIES = frozenset({"ip", "ip6", "inet"}) | FRAMES
_MOST_PATHS = 4
_DEEPEST = 16


class DecidingRule(NamedTuple):
    """One rule and one way to it.

    ``conditions`` are what a packet has to meet, from the base chain on;
    ``steps`` the rules that lead there, the rule itself last.
    """

    table: Table
    base: Chain
    chain: Chain
    rule: Rule
    effect: Effect
    conditions: tuple[AnyExpr, ...]
    steps: tuple[Rule, ...]

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What makes it the same rule, however it is reached."""
        return self.table.backend, self.table.family, self.table.name, self.chain.name, self.rule.number


class _Call(NamedTuple):
    chain: Chain
    rule: Rule
    conditions: tuple[AnyExpr, ...]


Calls = dict[str, list[_Call]]
"""Who leads to a chain, by the chain's name."""


class Candidate(NamedTuple):
    """A rule that would decide, if a packet came to it; ``calls`` are those of its table."""

    table: Table
    chain: Chain
    rule: Rule
    effect: Effect
    conditions: tuple[AnyExpr, ...]
    calls: Calls

    def ways(self) -> Iterator[DecidingRule]:
        """A few of the ways that lead to it; none where no base chain does."""
        for base, before, above in islice(_ways(self.chain, self.calls, 0), _MOST_PATHS):
            conditions, steps = (*before, *self.conditions), (*above, self.rule)
            yield DecidingRule(self.table, base, self.chain, self.rule, self.effect, conditions, steps)


def candidates(firewall: Firewall) -> Iterator[Candidate]:
    """Every rule of the tables for IP that decides; of a verdict map one for each element that does."""
    for table in firewall.tables:
        if table.family in _FAMILIES and not table.dormant:
            yield from _of_table(table)


def deciding_rules(firewall: Firewall, effect: Effect) -> Iterator[DecidingRule]:
    """The rules of one effect, by each of a few ways that lead to them."""
    for candidate in candidates(firewall):
        if candidate.effect == effect:
            yield from candidate.ways()


def _of_table(table: Table) -> Iterator[Candidate]:
    calls: defaultdict[str, list[_Call]] = defaultdict(list)
    found: list[tuple[Chain, Rule, Effect, tuple[AnyExpr, ...]]] = []
    for chain in table.chains:
        for rule in chain.rules:
            last = rule.exprs[-1] if rule.exprs else None
            if type(last) is VerdictMap:
                for element in _elements(table, last):
                    asked = (*rule.exprs[:-1], Lookup(fields=last.fields, elements=(element,)))
                    _note(chain, rule, element.verdict, asked, calls, found)
            else:
                _note(chain, rule, last, rule.exprs[:-1], calls, found)
    for chain, rule, effect, conditions in found:
        yield Candidate(table, chain, rule, effect, conditions, calls)


def _note(
    chain: Chain,
    rule: Rule,
    last: AnyExpr | None,
    asked: tuple[AnyExpr, ...],
    calls: dict[str, list[_Call]],
    found: list[tuple[Chain, Rule, Effect, tuple[AnyExpr, ...]]],
) -> None:
    """Note what a rule does at its end: lead to another chain, or decide."""
    if type(last) is Verdict:
        if last.kind in {"jump", "goto"}:
            calls[last.chain].append(_Call(chain, rule, asked))
        elif last.kind in _VERDICTS:
            found.append((chain, rule, _VERDICTS[last.kind], asked))
    elif type(last) is Nat and last.kind in {"dnat", "redirect"}:
        found.append((chain, rule, "redirect", asked))
    elif type(last) is Opaque and last.role == "target" and _REWRITES.search(last.text):
        found.append((chain, rule, "rewrite", asked))
    elif type(last) is NoTrack:
        found.append((chain, rule, "notrack", asked))
    elif type(last) is SetZone:
        found.append((chain, rule, "zone", asked))


_REWRITES = re.compile(r"(?:^|\s)ip6? daddr set\s")
"""How nft says that a packet's destination is written over, past connection tracking (a statement of payload)."""

_VERDICTS: dict[str, Effect] = {"drop": "drop", "reject": "reject"}


def _ways(
    chain: Chain, calls: dict[str, list[_Call]], depth: int
) -> Iterator[tuple[Chain, tuple[AnyExpr, ...], tuple[Rule, ...]]]:
    """The base chains that lead to a chain, each with what it asks for on the way."""
    if chain.hook is not None:
        if chain.hook in HOOKS:
            yield chain, (), ()
        return
    if depth == _DEEPEST:
        return
    for call in calls.get(chain.name, ()):
        for base, conditions, steps in _ways(call.chain, calls, depth + 1):
            yield base, (*conditions, *call.conditions), (*steps, call.rule)


def _elements(table: Table, lookup: VerdictMap) -> tuple[Element, ...]:
    if not lookup.set:
        return lookup.elements
    named = next((item for item in table.sets if item.name == lookup.set), None)
    return named.elements or () if named is not None else ()
