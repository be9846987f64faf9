"""Rules and policies of iptables, of either backend.  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal, Self

import msgspec

from dnet_tui.diagnostics.operations.base import Argv, Operation, ProgramOperation, UnknownEffectError, on_host
from dnet_tui.inspect.iptables.rule import parse_rule
from dnet_tui.inspect.iptables.save_grammar import RuleSyntaxError, split_words
from dnet_tui.inspect.model import Namespace, Snapshot
from dnet_tui.inspect.model.firewall import Backend, Chain, Firewall, Rule, Table

PROGRAMS: dict[tuple[str, str], str] = {
    ("iptables-nft", "ip"): "iptables-nft",
    ("iptables-nft", "ip6"): "ip6tables-nft",
    ("iptables-legacy", "ip"): "iptables-legacy",
    ("iptables-legacy", "ip6"): "ip6tables-legacy",
}
"""The program that changes the rules of a backend and family."""


class RuleOperation(Operation, frozen=True, kw_only=True):
    """A change of one chain.

    ``spec`` is a rule's text as ``iptables-save`` prints it (no chain, no
    counters); ``packets`` and ``bytes`` are counters, kept for a rule that is
    put back.
    """

    backend: Backend
    family: Literal["ip", "ip6"]
    table: str
    chain: str
    spec: str

    @property
    def where(self) -> str:
        """The chain as people name it."""
        return f"{self.table} {self.chain} ({PROGRAMS.get((self.backend, self.family), self.backend)})"

    def _head(self) -> Argv:
        return (PROGRAMS[self.backend, self.family], "-w", "-t", self.table)


class InsertRule(RuleOperation, frozen=True, kw_only=True, tag="insert-rule"):
    """Inserts an iptables rule so that it becomes number ``position``; None appends.

    ``below`` and ``above`` are the texts of the rules that it is to stand
    between, where they were seen: they decide if the numbers have moved.
    """

    position: int | None = None
    packets: int = 0
    bytes: int = 0
    below: str = ""
    above: str = ""

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        at = f"as rule {self.position} of" if self.position is not None else "at the end of"
        return f"insert `{self.spec}` {at} {self.where}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        counters = ("-c", str(self.packets), str(self.bytes)) if self.packets else ()
        verb = ("-A", self.chain) if self.position is None else ("-I", self.chain, str(self.position))
        return ((*self._head(), *verb, *rule_words(self.spec), *counters),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return _with_chain(snapshot, self, self._inserted)

    def _inserted(self, chain: Chain, names: set[str]) -> Chain:
        rules = list(chain.rules)
        parsed = parse_rule(self.spec, names)
        rule = Rule(
            number=0,
            text=self.spec,
            exprs=parsed.exprs,
            comment=parsed.comment,
            packets=self.packets,
            bytes=self.bytes,
        )
        rules.insert(len(rules) if self.position is None else self.position - 1, rule)
        return msgspec.structs.replace(chain, rules=numbered(rules))

    def inverse(self) -> DeleteRule:
        """See :class:`Operation`."""
        return DeleteRule(
            backend=self.backend,
            family=self.family,
            table=self.table,
            chain=self.chain,
            spec=self.spec,
            position=self.position or 0,
        )


class DeleteRule(RuleOperation, frozen=True, kw_only=True, tag="delete-rule"):
    """Deletes the rule with this text from a chain; ``position`` is where it stood (for the undo)."""

    position: int
    packets: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, table: Table, chain: Chain, rule: Rule) -> Self:
        """The deletion of a rule of iptables from where it was seen, counters and all."""
        return cls(
            backend=table.backend,
            family="ip6" if table.family == "ip6" else "ip",
            table=table.name,
            chain=chain.name,
            spec=rule.text,
            position=rule.number,
            packets=rule.packets or 0,
            bytes=rule.bytes or 0,
        )

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"delete rule {self.position} of {self.where}: `{self.spec}`"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return ((*self._head(), "-D", self.chain, *rule_words(self.spec)),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        return _with_chain(snapshot, self, self._deleted)

    def _deleted(self, chain: Chain, _: set[str]) -> Chain:
        rules = list(chain.rules)
        at = self.position - 1
        if not 0 <= at < len(rules) or rules[at].text != self.spec:
            msg = f"rule {self.position} of {chain.name} is not {self.spec}"
            raise UnknownEffectError(msg)
        del rules[at]
        return msgspec.structs.replace(chain, rules=numbered(rules))

    def inverse(self) -> InsertRule:
        """See :class:`Operation`."""
        return InsertRule(
            backend=self.backend,
            family=self.family,
            table=self.table,
            chain=self.chain,
            spec=self.spec,
            position=self.position,
            packets=self.packets,
            bytes=self.bytes,
        )


class SetChainPolicy(ProgramOperation, frozen=True, kw_only=True, tag="set-chain-policy"):
    """Sets what becomes of packets that reach the end of a base chain."""

    backend: Backend
    family: Literal["ip", "ip6"]
    table: str
    chain: str
    policy: Literal["ACCEPT", "DROP"]

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"set the policy of {self.table} {self.chain} ({PROGRAMS[self.backend, self.family]}) to {self.policy}"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return ((PROGRAMS[self.backend, self.family], "-w", "-t", self.table, "-P", self.chain, self.policy),)

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """See :class:`Operation`."""
        policy: Literal["accept", "drop"] = "accept" if self.policy == "ACCEPT" else "drop"
        wanted = (self.backend, self.family, self.table, self.chain)
        return changed_chain(snapshot, wanted, lambda chain, _: msgspec.structs.replace(chain, policy=policy))

    def inverse(self) -> SetChainPolicy:
        """See :class:`Operation`."""
        return msgspec.structs.replace(self, policy="DROP" if self.policy == "ACCEPT" else "ACCEPT")


_BYTES = re.compile(r"\\x[89a-f][0-9a-f]")


def tells(interface: str) -> bool:
    r"""Whether a rule of iptables can speak of this interface alone.

    A plus sign at the end makes it a pattern (iptables(8)), and bytes that
    are no text stand in a snapshot as ``\xNN``, which is another name.
    """
    return not interface.endswith("+") and _BYTES.search(interface) is None


def rule_words(spec: str) -> Argv:
    """A rule's text as arguments, by iptables-save's own grammar.

    A text that breaks it (a comment with a newline ends the line that
    iptables-save prints) is split at spaces: such a rule is only ever shown,
    :mod:`dnet_tui.actions` refuses to write it.
    """
    try:
        return tuple(split_words(spec)[0])
    except RuleSyntaxError:
        return tuple(spec.split())


def numbered(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Rules with their numbers as they stand, from 1."""
    return tuple(msgspec.structs.replace(rule, number=index) for index, rule in enumerate(rules, start=1))


def _with_chain(snapshot: Snapshot, action: RuleOperation, change: Callable[[Chain, set[str]], Chain]) -> Snapshot:
    return changed_chain(snapshot, (action.backend, action.family, action.table, action.chain), change)


def changed_chain(
    snapshot: Snapshot, wanted: tuple[str, str, str, str], change: Callable[[Chain, set[str]], Chain]
) -> Snapshot:
    """The snapshot with one chain of the host (backend, family, table, name) changed.

    ``change`` is given the chain and the names of the chains of its table.

    Raises:
        UnknownEffectError: There is no such chain.
    """
    return on_host(snapshot, partial(_changed, wanted=wanted, change=change))


def _changed(ns: Namespace, wanted: tuple[str, str, str, str], change: Callable[[Chain, set[str]], Chain]) -> Namespace:
    firewall = ns.firewall or Firewall()
    found = False
    tables = []
    for table in firewall.tables:
        if (table.backend, table.family, table.name) == wanted[:3] and any(c.name == wanted[3] for c in table.chains):
            found = True
            names = {chain.name for chain in table.chains}
            chains = tuple(change(chain, names) if chain.name == wanted[3] else chain for chain in table.chains)
            tables.append(msgspec.structs.replace(table, chains=chains))
        else:
            tables.append(table)
    if not found:
        msg = f"there is no chain {wanted[3]} in table {wanted[2]} of {wanted[0]}"
        raise UnknownEffectError(msg)
    return msgspec.structs.replace(ns, firewall=msgspec.structs.replace(firewall, tables=tuple(tables)))
