"""Reads what ``iptables-save`` prints into the rule model.  Pure.

A line that can't be read is never left out in silence: it becomes a
:class:`ParseProblem`, and where its chain is known it also keeps its place
there as a rule that can't be decided.  Its neighbours are read as usual.

Sources: iptables-save(8), iptables-extensions(8), and for the hooks and
priorities of the built-in chains the kernel's iptable_*.c.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import msgspec

from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.iptables.fast_compiler import FragmentCompiler
from dnet_tui.inspect.iptables.save_grammar import RuleSyntaxError
from dnet_tui.inspect.model.firewall import PRIORITIES, Backend, Chain, Hook, Opaque, Rule, Table
from dnet_tui.inspect.text.sanitize import clean

IptablesFamily = Literal["ip", "ip6"]


class BuiltIn(NamedTuple):
    """Where a built-in chain is attached, and as what."""

    hook: Hook
    priority: int
    type: str = "filter"


def _table(priority: int, *chains: tuple[str, Hook]) -> dict[str, BuiltIn]:
    return {name: BuiltIn(hook, priority) for name, hook in chains}


_PRE: tuple[str, Hook] = ("PREROUTING", "prerouting")
_IN: tuple[str, Hook] = ("INPUT", "input")
_FORWARD: tuple[str, Hook] = ("FORWARD", "forward")
_OUT: tuple[str, Hook] = ("OUTPUT", "output")
_POST: tuple[str, Hook] = ("POSTROUTING", "postrouting")

BUILT_IN: dict[str, dict[str, BuiltIn]] = {
    "raw": _table(PRIORITIES["raw"], _PRE, _OUT),
    # Rerouting after a changed mark makes mangle's OUTPUT a chain of type route.
    "mangle": _table(PRIORITIES["mangle"], _PRE, _IN, _FORWARD, _POST)
    | {"OUTPUT": BuiltIn("output", PRIORITIES["mangle"], "route")},
    "nat": {
        "PREROUTING": BuiltIn("prerouting", PRIORITIES["dstnat"], "nat"),
        "INPUT": BuiltIn("input", PRIORITIES["srcnat"], "nat"),
        "OUTPUT": BuiltIn("output", PRIORITIES["dstnat"], "nat"),
        "POSTROUTING": BuiltIn("postrouting", PRIORITIES["srcnat"], "nat"),
    },
    "filter": _table(PRIORITIES["filter"], _IN, _FORWARD, _OUT),
    "security": _table(PRIORITIES["security"], _IN, _FORWARD, _OUT),
}
"""The built-in chains of each table."""


class ParseProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A line (counted from 1) that could not be read.

    ``contained``: the line is a rule that keeps its place in its chain as one
    that can't be decided.  Otherwise something of ``table`` is missing, and
    nobody can say what that would do.
    """

    line: int
    text: str
    reason: str
    table: str = ""
    contained: bool = False


def parse_save(text: str, *, backend: Backend, family: IptablesFamily) -> tuple[Table, ...]:
    """Read the text of ``iptables-save`` (with or without ``-c``).

    Raises:
        DnetError: a line could not be read; :func:`parse_save_report` reads on.
    """
    tables, problems = parse_save_report(text, backend=backend, family=family)
    if problems:
        first = problems[0]
        msg = f"line {first.line} of the {backend} rules can't be read ({first.reason}): {clean(first.text)}"
        raise DnetError(msg, "expected the text that iptables-save prints")
    return tables


def parse_save_report(
    text: str, *, backend: Backend, family: IptablesFamily
) -> tuple[tuple[Table, ...], tuple[ParseProblem, ...]]:
    """Read the text of ``iptables-save``; returns the tables and the problems met."""
    parser = _SaveParser(backend, family)
    for line_number, line in enumerate(text.split("\n"), start=1):
        parser.line(line_number, line.rstrip("\r"))
    parser.end()
    return tuple(parser.tables), tuple(parser.problems)


_CHAIN = re.compile(r":(\S+) (ACCEPT|DROP|-)(?: \[(\d{1,20}):(\d{1,20})\])?\s*", re.ASCII)
_RULE = re.compile(r"(?:\[(\d{1,20}):(\d{1,20})\] )?-A (\S+)(?: (.*))?", re.ASCII)


class _SaveParser:
    """The tables read so far, and the one that is open."""

    def __init__(self, backend: Backend, family: IptablesFamily) -> None:
        self.backend = backend
        self.family = family
        self.tables: list[Table] = []
        self.problems: list[ParseProblem] = []
        self.name = ""
        self.opened_at = 0
        self.chains: dict[str, Chain] = {}
        self.rules: dict[str, list[Rule]] = {}
        self.compiler = FragmentCompiler(self.chains)

    def line(self, number: int, line: str) -> None:
        """Read one line."""
        if line[:1] in {"-", "["} and self.name:  # by far the most frequent
            self._rule(number, line)
            return
        if not line.strip() or line.startswith("#"):
            return
        if line.startswith("*"):
            self._close(complete=False)
            self.name = line[1:].strip()
            self.opened_at = number
            if not self.name:
                self._problem(number, line, "a table without a name")
        elif not self.name:
            self._problem(number, line, "outside of any table")
        elif line.strip() == "COMMIT":
            self._close(complete=True)
        elif line.startswith(":"):
            self._chain(number, line)
        else:
            self._rule(number, line)

    def end(self) -> None:
        """Close what the text left open."""
        self._close(complete=False)

    def _problem(self, number: int, text: str, reason: str, *, contained: bool = False) -> None:
        self.problems.append(ParseProblem(line=number, text=text, reason=reason, table=self.name, contained=contained))

    def _close(self, *, complete: bool) -> None:
        if not self.name:
            return
        if not complete:
            self._problem(self.opened_at, f"*{self.name}", "the text ends before the table's COMMIT")
        chains = tuple(
            msgspec.structs.replace(chain, rules=tuple(self.rules.get(name, ()))) for name, chain in self.chains.items()
        )
        self.tables.append(Table(family=self.family, name=self.name, backend=self.backend, chains=chains))
        self.name = ""
        self.chains = {}
        self.rules = {}
        self.compiler = FragmentCompiler(self.chains)

    def _chain(self, number: int, line: str) -> None:
        found = _CHAIN.fullmatch(line)
        if found is None:
            self._problem(number, line, "not a chain's declaration")
            return
        name, policy, packets, size = found.groups()
        if name in self.chains:
            self._problem(number, line, "the chain is declared twice")
            return
        self.compiler = FragmentCompiler(self.chains)  # a jump to it was no jump before
        built_in = BUILT_IN.get(self.name, {}).get(name)
        if policy == "-":
            self.chains[name] = Chain(name=name)
            return
        if built_in is None:
            self._problem(number, line, "a policy on a chain that isn't attached to a known hook")
            self.chains[name] = Chain(name=name)
            return
        self.chains[name] = Chain(
            name=name,
            hook=built_in.hook,
            priority=built_in.priority,
            type=built_in.type,
            policy="accept" if policy == "ACCEPT" else "drop",
            packets=None if packets is None else int(packets),
            bytes=None if size is None else int(size),
        )

    def _rule(self, number: int, line: str) -> None:
        found = _RULE.fullmatch(line)
        if found is None:
            self._problem(number, line, "neither a chain nor a rule")
            return
        packets, size, chain, text = found.groups()
        text = text.strip() if text else ""
        if chain not in self.chains:
            self._problem(number, line, f"a rule of a chain that isn't declared: {chain}")
            return
        rules = self.rules.get(chain)
        if rules is None:
            rules = self.rules[chain] = []
        comment = ""
        try:
            exprs, comment = self.compiler.parse(text)
        except RuleSyntaxError as error:
            self._problem(number, line, str(error), contained=True)
            exprs = undecidable(text)
        rules.append(
            Rule(
                number=len(rules) + 1,
                text=text,
                exprs=exprs,
                packets=None if packets is None else int(packets),
                bytes=None if size is None else int(size),
                comment=comment,
            )
        )


def undecidable(text: str) -> tuple[Opaque, Opaque]:
    """The expressions of a rule of which nothing is known: whether it matches, and what it then does."""
    return Opaque(text=text, role="match"), Opaque(text=text, role="target")
