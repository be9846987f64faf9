"""A namespace's firewall as its evaluation asks for it: base chains by hook, chains and sets by name.  Pure.

It adds no fact of its own, and is made once per snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal, NamedTuple

import msgspec

from dnet_tui.diagnostics.walk.netfilter.chain_index import ChainIndex
from dnet_tui.diagnostics.walk.packet import Decider, Packet
from dnet_tui.inspect.model.firewall import (
    AnyExpr,
    Chain,
    Firewall,
    Hook,
    Match,
    NamedSet,
    Nat,
    NoTrack,
    Remember,
    Rule,
    SetMark,
    SetZone,
    StatefulMatch,
    Table,
)

ChainPart = Literal["all", "early", "middle", "nat", "late"]
"""A span of a hook: before conntrack (-200), from there to NAT's place, NAT's chains, and what follows."""

_CONNTRACK = -200
_NAT: dict[Hook, int] = {"prerouting": -100, "output": -100, "input": 100, "postrouting": 100}
_SHORT = 12
"""Chains up to this many rules are read through: an index would cost more."""


class TableIndex:
    """One table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.chains: dict[str, Chain] = {chain.name: chain for chain in table.chains}
        self.sets: dict[str, NamedSet] = {item.name: item for item in table.sets}
        self._indexes: dict[str, ChainIndex] = {}

    def relevant(self, chain: Chain, packet: Packet) -> Sequence[Rule]:
        """The rules of one of its chains that can match a packet, in their order."""
        rules = chain.rules
        if len(rules) <= _SHORT:
            return rules
        index = self._indexes.get(chain.name)
        if index is None:
            index = self._indexes[chain.name] = ChainIndex(rules)
        return [rules[at] for at in index.positions(packet)]


class BaseChain(NamedTuple):
    """A base chain with its table."""

    table: TableIndex
    chain: Chain


class FirewallIndex:
    """All tables of one namespace."""

    def __init__(self, firewall: Firewall) -> None:
        self.firewall = firewall
        self._base_chains: dict[tuple[Hook, tuple[str, ...], ChainPart], tuple[BaseChain, ...]] = {}
        self._watched: dict[str, bool] = {}
        self._unread: dict[tuple[str, ...], Decider | None] = {}

    @cached_property
    def ipsets(self) -> dict[str, NamedSet]:
        """The ipsets by name; those that packets fill, or empty, are dynamic."""
        filled = {
            expr.name
            for rule in self.firewall.rules
            for expr in rule.exprs
            if isinstance(expr, Remember) and expr.kind == "ipset"
        }
        return {
            item.name: msgspec.structs.replace(item, dynamic=item.dynamic or item.name in filled)
            for item in self.firewall.ipsets
        }

    @cached_property
    def _tables(self) -> tuple[TableIndex, ...]:
        return tuple(TableIndex(table) for table in self.firewall.tables)

    @cached_property
    def families(self) -> frozenset[str]:
        """The families of which there are tables, read or not."""
        return frozenset(
            {table.family for table in self.firewall.tables} | {table.family for table in self.firewall.unread}
        )

    @cached_property
    def hooks(self) -> frozenset[Hook]:
        """The hooks at which there is any chain."""
        return frozenset(
            chain.hook for table in self.firewall.tables for chain in table.chains if chain.hook is not None
        )

    def is_empty_at(self, hook: Hook) -> bool:
        """Whether certainly no chain is asked at a hook: every table was read, and none has one there."""
        return hook not in self.hooks and not self.firewall.unread

    def base_chains(self, hook: Hook, families: tuple[str, ...], part: ChainPart = "all") -> tuple[BaseChain, ...]:
        """The base chains of a part of a hook, of the tables of these families that aren't dormant, as listed."""
        found = self._base_chains.get((hook, families, part))
        if found is None:
            found = self._base_chains[hook, families, part] = tuple(
                BaseChain(index, chain)
                for index in self._tables
                if index.table.family in families and not index.table.dormant
                for chain in index.table.chains
                if chain.hook == hook and (part == "all" or _part_of(chain, hook) == part)
            )
        return found

    def asks_for_connections(self, family: str) -> bool:
        """Whether any rule makes conntrack watch a family's packets: without one, what it remembers isn't looked at."""
        if family not in self._watched:
            tables = [table for table in self.firewall.tables if table.family in {family, "inet"}]
            self._watched[family] = any(
                chain.type == "nat" or any(_asks(expr) for rule in chain.rules for expr in rule.exprs)
                for table in tables
                for chain in table.chains
            )
        return self._watched[family]

    @cached_property
    def marks_what_is_sent(self) -> bool:
        """Whether a rule may mark the connection of a packet that is made here: one of OUTPUT's, or below it."""
        return any(
            isinstance(expr, SetMark) and (expr.where == "ct" or expr.op == "save")
            for table in self.firewall.tables
            for chain in table.chains
            if chain.hook in {None, "output", "postrouting"}
            for rule in chain.rules
            for expr in rule.exprs
        )

    def translates(self, family: str) -> bool:
        """Whether there is a nat chain: then conntrack gives every connection of a family a tuple of its own."""
        tables = (table for table in self.firewall.tables if table.family in {family, "inet"})
        return any(chain.type == "nat" for table in tables for chain in table.chains)

    def unread(self, families: tuple[str, ...]) -> Decider | None:
        """The decider where a table of these families could not be read."""
        if families not in self._unread:
            self._unread[families] = next(
                (
                    Decider(
                        kind="gap",
                        text=f"table {table.family} {table.name} ({table.backend}) was not read: {table.reason}",
                    )
                    for table in self.firewall.unread
                    if table.family in families
                ),
                None,
            )
        return self._unread[families]


def _asks(expr: AnyExpr) -> bool:
    """Whether an expression looks at a packet's connection."""
    if isinstance(expr, Match):
        return expr.field.startswith("ct")
    if isinstance(expr, SetMark):
        return expr.where == "ct" or expr.op in {"save", "restore"}
    if isinstance(expr, StatefulMatch):
        return bool(expr.needs)
    return isinstance(expr, NoTrack | Nat | SetZone)


def _part_of(chain: Chain, hook: Hook) -> ChainPart:
    """The span of a hook that a chain belongs to; FORWARD has only one."""
    if hook not in _NAT:
        return "all"
    if chain.type == "nat":
        return "nat"
    if chain.priority < _CONNTRACK and hook in {"prerouting", "output"}:
        return "early"
    return "middle" if chain.priority < _NAT[hook] else "late"
