"""Reads ipsets by their names, in the calling thread's network namespace.  Changes nothing.

Only the sets that rules use are read, and those they consist of; large ones
are left alone, and said.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from dnet_tui.inspect.iptables.ipset import MOST_ELEMENTS, SetHeader, members, parse_headers, parse_saved
from dnet_tui.inspect.kernel.run_program import ProgramResult, find_program, run_program
from dnet_tui.inspect.model.firewall import NamedSet, Remember, SetLookup, Table
from dnet_tui.inspect.ruleset.read_nft import ReadFailure
from dnet_tui.inspect.text.encoding import text as legible
from dnet_tui.inspect.text.sanitize import clean

TIME_LIMIT = 10.0
"""Seconds for all sets of a namespace."""

_MOST_BYTES = 8 << 20
_MOST_SETS = 256


class Ipsets(NamedTuple):
    """The sets that rules use, and what of them could not be read."""

    sets: tuple[NamedSet, ...] = ()
    said: tuple[ReadFailure, ...] = ()


def ipsets_used(tables: Iterable[Table]) -> tuple[str, ...]:
    """The names of the sets that iptables' rules look into, in the rules' order."""
    return tuple(
        dict.fromkeys(
            expr.name
            for table in tables
            for chain in table.chains
            for rule in chain.rules
            for expr in rule.exprs
            if isinstance(expr, SetLookup)
        )
    )


def ipsets_filled(tables: Iterable[Table]) -> frozenset[str]:
    """The names of the sets that rules add packets' values to, or delete them from."""
    return frozenset(
        expr.name
        for table in tables
        for chain in table.chains
        for rule in chain.rules
        for expr in rule.exprs
        if isinstance(expr, Remember) and expr.kind == "ipset"
    )


def read_ipsets(names: Iterable[str], filled: frozenset[str] = frozenset()) -> Ipsets:
    """Read these sets.  Never raises for anything the host does.

    Args:
        names: the sets that rules look into.
        filled: those whose elements the packets themselves change.
    """
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return Ipsets()
    program = find_program("ipset")
    if program is None:
        reason = f"ipset is not installed, so the elements of {_some(wanted)} can't be read"
        unread = tuple(NamedSet(name=name, type="", dynamic=name in filled) for name in wanted)
        return Ipsets(unread, (ReadFailure(reason, "install ipset"),))
    return _Reading(program, filled).read(wanted)


class _Reading:
    """The reading of some sets, with one time limit."""

    def __init__(self, program: str, filled: frozenset[str]) -> None:
        self._program = program
        self._filled = filled
        self._deadline = time.monotonic() + TIME_LIMIT
        self._failed: dict[str, list[str]] = {}
        self._hint = ""

    def read(self, wanted: list[str]) -> Ipsets:
        """Read the sets, and those that they consist of."""
        headers = self._headers()
        found: dict[str, NamedSet] = {}
        while wanted:
            name = wanted.pop(0)
            if name in found:
                continue
            if len(found) >= _MOST_SETS:
                self._fail(f"more than {_MOST_SETS} sets are in use", name)
                found[name] = NamedSet(name=name, type="")
                continue
            found[name] = self._set(name, headers)
            wanted.extend(members(found[name]))
        return Ipsets(tuple(found.values()), tuple(self._said()))

    def _headers(self) -> Mapping[str, SetHeader]:
        ran = self._run("-t", "list")
        return {} if ran.error else parse_headers(legible(ran.output))

    def _set(self, name: str, headers: Mapping[str, SetHeader]) -> NamedSet:
        header = headers.get(name, SetHeader(""))
        dynamic = name in self._filled
        unread = NamedSet(name=name, type=header.type, dynamic=dynamic)
        if name.startswith("-"):
            self._fail("ipset would take the name for an option", name)
            return unread
        if header.entries is not None and header.entries > MOST_ELEMENTS:
            self._fail(f"it has more than {MOST_ELEMENTS} elements", name)
            return unread
        ran = self._run("save", name)
        parsed = None if ran.error else parse_saved(legible(ran.output), name)
        if parsed is None:
            self._fail(ran.error or "ipset did not print it", name, ran.hint)
            return unread
        if parsed.problem:
            self._fail(parsed.problem, name)
        if not dynamic:
            return parsed.set
        return NamedSet(name=name, type=parsed.set.type, dynamic=True, elements=parsed.set.elements)

    def _run(self, *arguments: str) -> ProgramResult:
        left = max(0.5, self._deadline - time.monotonic())
        return run_program((self._program, *arguments), seconds=left, most=_MOST_BYTES)

    def _fail(self, reason: str, name: str, hint: str = "") -> None:
        self._failed.setdefault(reason, []).append(name)
        self._hint = self._hint or hint

    def _said(self) -> Iterator[ReadFailure]:
        for reason, names in self._failed.items():
            hint = self._hint or "rules that look into them can't be decided"
            yield ReadFailure(f"the elements of ipset {_some(names)} were not read: {clean(reason, 200)}", hint)


def _some(names: list[str]) -> str:
    shown = ", ".join(clean(name, 60) for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
