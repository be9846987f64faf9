"""The rules of iptables' own extension tests: ``extensions/*.t`` of its source, taken apart.  Pure.

A line is ``RULE;AS SAVED;OK or FAIL``; before it stand the chains (``:``),
the table (``*``) and commands to be run first (``@``, ``%``).  The files come
with Debian's source package and are never part of this repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from lab.machines.debs import source_files

Family = Literal["ip", "ip6"]
PREFIXES: dict[Family, tuple[str, ...]] = {"ip": ("libxt_", "libipt_"), "ip6": ("libxt_", "libip6t_")}


class ExtensionRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of the suite; ``extension`` is its match's or target's name as its file has it.

    A rule without a target gets ``-j DROP``, or nothing would depend on it.
    """

    extension: str
    family: Family
    table: str
    chain: str
    words: str
    before: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """The rule as it is loaded."""
        own = f" {self.words} "
        return self.words if " -j " in own or " -g " in own else f"{self.words} -j DROP".strip()


def rules(family: Family) -> list[ExtensionRule]:
    """The suite's rules of one family that are to be accepted, each once.

    Raises:
        DnetError: the source package can't be had.
    """
    folder = source_files("iptables", "*/extensions/*.t")
    found: list[ExtensionRule] = []
    for path in sorted(folder.glob("*/extensions/*.t")):
        prefix = path.stem.partition("_")[0] + "_"
        if prefix in PREFIXES[family]:
            found += parse(path.read_text(encoding="utf-8"), path.stem.removeprefix(prefix), family)
    return list(dict.fromkeys(found))


def parse(text: str, extension: str, family: Family) -> Iterator[ExtensionRule]:
    """The rules of one file that are to be accepted."""
    chain, table, before = "", "filter", []
    for line in text.splitlines():
        kind, rest = line[:1], line[1:].strip()
        if kind == ":":
            chain = rest.split(",")[0]
        elif kind == "*":
            table = rest.split(",")[0]
        elif kind in {"@", "%"}:
            before.append(rest)
        elif kind and kind != "#":
            words, _, expected = line.partition(";")
            if expected.split(";")[1:2] == ["OK"]:
                yield ExtensionRule(
                    extension=extension,
                    family=family,
                    table=table,
                    chain=chain,
                    words=words.strip(),
                    before=tuple(before),
                )
