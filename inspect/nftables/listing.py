"""nft's plain listing of a table: its own text of each rule, and what its JSON leaves out.  Pure.

``nft -s -t -a list table`` prints a rule as its author would write it, and
``# handle N`` at the end of its line.  A rule that isn't on one line, or
whose handle stands there twice, is left to :mod:`~dnet_tui.inspect.nftables.render`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dnet_tui.inspect.text.encoding import text as legible

_CHAIN = re.compile(r"\tchain (\S+) \{.*")
_RULE = re.compile(r"\t\t(?!\t)(.*) # handle (\d{1,19})", re.ASCII)
_HOOK = re.compile(
    r"\t\ttype (?P<type>\S+) hook (?P<hook>\S+) (?:devices? (?:= )?(?P<devices>\{[^}]*\}|\S+) )?"
    r"priority (?P<priority>[^;]+); policy (?P<policy>\S+);"
)


class Base(NamedTuple):
    """What a base chain's first line says; the priority as it is written, the devices it is bound to."""

    type: str
    hook: str
    priority: str
    policy: str
    devices: tuple[str, ...]


class Texts(NamedTuple):
    """The rules' texts by their handles; per chain its handles in order; the base chains' first lines."""

    rules: dict[int, str]
    chains: dict[str, list[int]]
    bases: dict[str, Base]


NO_TEXTS = Texts({}, {}, {})


def read_texts(listing: bytes) -> Texts:
    """Read a listing of one table."""
    rules: dict[int, str] = {}
    twice: set[int] = set()
    chains: dict[str, list[int]] = {}
    bases: dict[str, Base] = {}
    chain = ""
    for line in legible(listing).split("\n"):
        if found := _CHAIN.fullmatch(line):
            chain = found[1]
            chains.setdefault(chain, [])
        elif line == "\t}":
            chain = ""
        elif chain and (found := _RULE.fullmatch(line)):
            handle = int(found[2])
            if handle in rules:
                twice.add(handle)
            rules[handle] = found[1].strip()
            chains[chain].append(handle)
        elif chain and chain not in bases and (found := _HOOK.fullmatch(line)):
            names = (name.strip(' "{}') for name in (found["devices"] or "").split(","))
            devices = tuple(name for name in names if name)
            bases[chain] = Base(found["type"], found["hook"], found["priority"], found["policy"], devices)
    whole = {handle: text for handle, text in rules.items() if handle not in twice and not text.startswith("}")}
    return Texts(whole, chains, bases)
