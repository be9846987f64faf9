"""Reads native tables of nftables by ``nft -j``, in the calling thread's network namespace.  Changes nothing.

Table by table: first without the sets' elements, then the elements of those
sets that rules look into.  Everything is bounded in time and size; what
exceeds the bounds is not read, and said.

nft takes its arguments for a piece of its own language, and a table may have
any name: names are passed as JSON, where they can be nothing but names.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from dnet_tui.inspect.kernel.nfnetlink_tables import NftTable
from dnet_tui.inspect.kernel.run_program import ProgramResult, find_program, run_program
from dnet_tui.inspect.model.firewall import Table, UnreadTable
from dnet_tui.inspect.nftables.listing import NO_TEXTS, Texts, read_texts
from dnet_tui.inspect.nftables.table import ParsedTable, dormant_table, parse_elements, parse_table, with_elements
from dnet_tui.inspect.text.sanitize import clean

TIME_LIMIT = 15.0
"""Seconds for all tables of a namespace; 20,000 rules take less than one."""

_ATTEMPTS = 3
_MOST_RULES = 64 << 20
"""Bytes of one table's listing; 20,000 rules take 7 MB."""
_MOST_ELEMENTS = 16 << 20
_MOST_SETS = 256
"""Sets of one table whose elements are read."""
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9/_.-]*", re.ASCII)
_LIST = ("-j", "-a", "-p", "-f", "-")
"""JSON, with handles, protocols as numbers, commands from standard input."""
_CHANGED = "it changed each time while it was read"


class ReadFailure(NamedTuple):
    """Something that could not be read, and what to do about it."""

    reason: str
    hint: str = ""


class NativeTables(NamedTuple):
    """The tables that were read, those that weren't (in full), and why."""

    tables: tuple[Table, ...] = ()
    unread: tuple[UnreadTable, ...] = ()
    said: tuple[ReadFailure, ...] = ()


def read_tables(tables: Sequence[NftTable], generation: Callable[[], int]) -> NativeTables:
    """Read these tables.

    Args:
        tables: what the kernel says there is.
        generation: tells the ruleset's generation, so that what was read is one state of it.

    Raises:
        OSError: the kernel doesn't tell the generation any more.
    """
    hollow = tuple(Table(family=item.family, name=item.name, backend="nftables") for item in tables if item.empty)
    filled = [table for table in tables if not table.empty]
    if not filled:
        return NativeTables(hollow)
    program = find_program("nft")
    if program is None:
        found = _without_nft(filled)
    else:
        reading = _Reading(program, filled)
        for _ in range(_ATTEMPTS):
            before = generation()
            found = reading.once()
            if generation() == before or reading.is_late():
                break
        else:
            found = _changed(found, filled)
    return found._replace(tables=hollow + found.tables)


def _without_nft(tables: Sequence[NftTable]) -> NativeTables:
    reason = "nft is not installed"
    said = ReadFailure(f"{reason}, so these tables can't be read: {_listed(tables)}", "install nftables")
    return NativeTables(unread=tuple(_unread(table, reason) for table in tables if not table.dormant), said=(said,))


def _changed(found: NativeTables, tables: Sequence[NftTable]) -> NativeTables:
    said = ReadFailure(f"nftables: the rules changed each time while they were read: {_listed(tables)}", "try again")
    known = {(item.family, item.name) for item in found.unread}
    more = tuple(
        _unread(table, _CHANGED) for table in tables if (table.family, table.name) not in known and not table.dormant
    )
    return NativeTables(found.tables, found.unread + more, (*found.said, said))


def _unread(table: NftTable, reason: str) -> UnreadTable:
    return UnreadTable(family=table.family, name=table.name, backend="nftables", reason=reason)


def _listed(tables: Sequence[NftTable]) -> str:
    names = ", ".join(f"{table.family} {clean(table.name, 60)}" for table in tables[:5])
    return f"{names} and {len(tables) - 5} more" if len(tables) > 5 else names


class _Reading:
    """The reading of some tables; it has one time limit for all attempts."""

    def __init__(self, program: str, tables: Sequence[NftTable]) -> None:
        self._program = program
        self._tables = tables
        self._deadline = time.monotonic() + TIME_LIMIT

    def is_late(self) -> bool:
        """Whether there is no time for another attempt."""
        return time.monotonic() >= self._deadline

    def once(self) -> NativeTables:
        """Read all tables, once."""
        tables: list[Table] = []
        unread: list[UnreadTable] = []
        said: list[ReadFailure] = []
        for wanted in self._tables:
            parsed, failure = self._table(wanted)
            name = f"table {wanted.family} {clean(wanted.name, 60)}"
            if parsed.table is not None:
                table, more = self._with_elements(parsed.table, parsed.wanted)
                tables.append(table)
                said += more
            if parsed.problems:
                reason = parsed.problems[0]
                if not wanted.dormant:  # such a table has no effect, whatever it holds
                    unread.append(_unread(wanted, reason))
                look = f"see it with: nft list table {wanted.family} {clean(wanted.name, 60)}"
                said += [
                    ReadFailure(f"{name}: {clean(problem, 200)}", failure.hint or look)
                    for problem in parsed.problems[:5]
                ]
        return NativeTables(tuple(tables), tuple(unread), tuple(said))

    def _table(self, wanted: NftTable) -> tuple[ParsedTable, ProgramResult]:
        ran = self._ask({"table": {"family": wanted.family, "name": wanted.name}}, _MOST_RULES, "-t")
        if ran.error:
            return ParsedTable(None, (ran.error,)), ran
        texts = self._texts(wanted)
        parsed = parse_table(ran.output, family=wanted.family, name=wanted.name, dormant=wanted.dormant, texts=texts)
        if wanted.dormant and parsed.table is None:
            parsed = ParsedTable(dormant_table(wanted.family, wanted.name, texts))
        return parsed, ran

    def _texts(self, wanted: NftTable) -> Texts:
        """Nft's own text of the rules; without it they are written out of the JSON."""
        if not _PLAIN.fullmatch(wanted.name):
            return NO_TEXTS
        argv = (self._program, "-a", "-s", "-t", "list", "table", wanted.family, wanted.name)
        ran = run_program(argv, seconds=self._left(), most=_MOST_RULES)
        return NO_TEXTS if ran.error else read_texts(ran.output)

    def _with_elements(self, table: Table, wanted: Sequence[tuple[str, str]]) -> tuple[Table, list[ReadFailure]]:
        """Read the elements of the sets that rules look into."""
        read = []
        failed: dict[str, list[str]] = {}
        hint = ""
        for what, name in wanted[:_MOST_SETS]:
            ran = self._ask({what: {"family": table.family, "table": table.name, "name": name}}, _MOST_ELEMENTS)
            found, problem = (
                (None, ran.error) if ran.error else parse_elements(ran.output, family=table.family, name=name)
            )
            if found is not None:
                read.append(found)
            if problem:
                failed.setdefault(problem, []).append(name)
                hint = hint or ran.hint
        if wanted[_MOST_SETS:]:
            failed.setdefault(f"more than {_MOST_SETS} sets are in use", []).extend(
                name for _, name in wanted[_MOST_SETS:]
            )
        said = [
            ReadFailure(
                f"table {table.family} {clean(table.name, 60)}: the elements of {_some(names)} were not read:"
                f" {clean(problem, 200)}",
                hint or "rules that look into them can't be decided",
            )
            for problem, names in failed.items()
        ]
        return with_elements(table, read), said

    def _ask(self, what: dict[str, dict[str, str]], most: int, *flags: str) -> ProgramResult:
        command = msgspec.json.encode({"nftables": [{"list": what}]})
        # Times of the day are printed in the zone of the environment, and the kernel's are UTC.
        return run_program(
            (self._program, *flags, *_LIST),
            stdin=command,
            seconds=self._left(),
            most=most,
            environment={**os.environ, "TZ": "UTC0"},
        )

    def _left(self) -> float:
        return max(0.5, self._deadline - time.monotonic())


def _some(names: list[str]) -> str:
    shown = ", ".join(clean(name, 60) for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
