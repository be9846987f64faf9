"""nft's own text of rules, found in a plain listing by their handles.  Pure.

``nft -s -t -a list table`` prints a rule as its author would write it, and
``# handle N`` at the end of its line.  A rule that isn't on one line, or
whose handle stands there twice, is left to :mod:`~dnet_tui.inspect.nft_render`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dnet_tui.inspect.legible import text as legible

_CHAIN = re.compile(r"\tchain (\S+) \{.*")
_RULE = re.compile(r"\t\t(?!\t)(.*) # handle (\d{1,19})", re.ASCII)
_HOOK = re.compile(r"\t\ttype \S+ hook \S+ (?:devices? = \{ (?P<many>[^}]*) \}|device (?P<one>\S+) )?.*")


class Texts(NamedTuple):
    """The rules' texts by their handles, and each base chain's devices (none: it isn't bound to any)."""

    rules: dict[int, str]
    devices: dict[str, tuple[str, ...]]


NO_TEXTS = Texts({}, {})


def read_texts(listing: bytes) -> Texts:
    """Read a listing of one table."""
    rules: dict[int, str] = {}
    twice: set[int] = set()
    devices: dict[str, tuple[str, ...]] = {}
    chain = ""
    for line in legible(listing).split("\n"):
        if found := _CHAIN.fullmatch(line):
            chain = found[1]
        elif line == "\t}":
            chain = ""
        elif chain and (found := _RULE.fullmatch(line)):
            handle = int(found[2])
            if handle in rules:
                twice.add(handle)
            rules[handle] = found[1].strip()
        elif chain and chain not in devices and (found := _HOOK.fullmatch(line)):
            names = (found["many"] or found["one"] or "").split(",")
            devices[chain] = tuple(name.strip(' "') for name in names if name.strip(' "'))
    whole = {handle: text for handle, text in rules.items() if handle not in twice and not text.startswith("}")}
    return Texts(whole, devices)
