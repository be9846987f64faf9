"""Runs iptables' save programs.  Argument vectors only, with a time limit; they change nothing.

The program runs in the network namespace of the calling thread.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from dnet_tui.inspect.iptables.save_text import IptablesFamily
from dnet_tui.inspect.kernel.run_program import find_program, run_program

TIME_LIMIT = 15.0
"""Seconds; 20,000 rules take less than half of one."""

_PROGRAMS: dict[tuple[str, IptablesFamily], tuple[tuple[str, ...], ...]] = {
    ("iptables-nft", "ip"): (("iptables-nft-save",), ("xtables-nft-multi", "iptables-save")),
    ("iptables-nft", "ip6"): (("ip6tables-nft-save",), ("xtables-nft-multi", "ip6tables-save")),
    ("list", "ip"): (("iptables-nft",), ("xtables-nft-multi", "iptables")),
    ("list", "ip6"): (("ip6tables-nft",), ("xtables-nft-multi", "ip6tables")),
    ("iptables-legacy", "ip"): (("iptables-legacy-save",), ("xtables-legacy-multi", "iptables-save")),
    ("iptables-legacy", "ip6"): (("ip6tables-legacy-save",), ("xtables-legacy-multi", "ip6tables-save")),
}
_INCOMPATIBLE = re.compile(r"^# Table [`'](\S+)' is incompatible", re.MULTILINE)
_VERSION = re.compile(r"\S+ v(\d{1,4}\.\d{1,4}\.\d{1,4})\b.*\(nf_tables\)", re.ASCII)
_LISTS_ONLY = (1, 8, 7)
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
"""A chain's name that can't be taken for anything else."""


class Saved(NamedTuple):
    """What a save program printed, and the tables it should have.

    ``error`` is empty if it ended well.  ``incompatible`` are the tables that
    it said it can't show.
    """

    text: str
    tables: tuple[str, ...]
    error: str = ""
    hint: str = ""
    incompatible: frozenset[str] = frozenset()


def save(
    backend: Literal["iptables-nft", "iptables-legacy"],
    family: IptablesFamily,
    tables: Sequence[str],
    *,
    counters: bool = True,
) -> tuple[Saved, ...]:
    """Print the tables: all at once, or one by one where the program gives up on one of them."""
    names = tuple(tables)
    program = _program(backend, family)
    if program is None:
        wanted = _PROGRAMS[backend, family][0][0]
        return (Saved("", names, f"{wanted} is not installed", f"install iptables, which brings {wanted}"),)
    command = [*program, "-c"] if counters else [*program]
    whole = _run(command, names)
    if not whole.error or len(names) == 1:
        return (whole,)
    return tuple(_run([*command, "-t", name], (name,)) for name in names)


def list_chain(family: IptablesFamily, table: str, chain: str) -> Saved | None:
    """Print one chain of iptables-nft, without counters; None where that isn't possible, or might change something.

    Before 1.8.7 merely listing a table creates the built-in chains that it lacks (``nft_rule_list_save`` in nft.c).
    """
    if not _WORD.fullmatch(chain):
        return None
    program = _program("list", family)
    if program is None or _version(program, Path(program[0]).stat().st_mtime_ns) < _LISTS_ONLY:
        return None
    return _run([*program, "-t", table, "-S", chain], (table,))


@lru_cache(maxsize=4)
def _version(program: tuple[str, ...], _changed_at: int) -> tuple[int, ...]:
    """The program's version; nothing when it doesn't tell.  Asked once for each that is installed."""
    found = _VERSION.match(_run([*program, "--version"], ()).text)
    return tuple(int(number) for number in found[1].split(".")) if found else ()


def _program(backend: str, family: IptablesFamily) -> tuple[str, ...] | None:
    for name, *arguments in _PROGRAMS[backend, family]:
        found = find_program(name)
        if found:
            return (found, *arguments)
    return None


def _run(command: Sequence[str], tables: tuple[str, ...]) -> Saved:
    ran = run_program(command, seconds=TIME_LIMIT)
    text = ran.output.decode("utf-8", "backslashreplace")
    incompatible = frozenset(_INCOMPATIBLE.findall(text) if "is incompatible" in text else ())
    return Saved(text, tables, ran.error, ran.hint, incompatible)
