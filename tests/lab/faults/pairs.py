"""Two faults at a time: both root causes must be named.

Pairs are drawn with a seed, so that a failure can be had again.  Left out are
pairs of which one fault contains the other, or hides it: what nobody can see
on such a host, and nobody needs to repair before the other.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

from dnet_tui.diagnostics.examine import examine
from lab.faults.machinery import Case, settled, state
from lab.hosts import LabHost

_RULES = frozenset(
    {
        "masq-missing",
        "isolation-missing",
        "drop-before-docker",
        "user-chain-drop",
        "fwd-jump-missing",
        "nat-jump-missing",
        "stale-dnat",
        "foreign-base-drop",
    }
)
_STOPS_ALL = frozenset({"ip-forward-off", "drop-before-docker", "two-backends", "foreign-base-drop"})

LEFT_OUT: tuple[tuple[frozenset[str], frozenset[str], str], ...] = (
    (frozenset({"rules-flushed"}), _RULES, "a flushed ruleset has no rule that could be wrong"),
    (
        frozenset({"ip-forward-off"}),
        frozenset({"fwd-off-bridge", "fwd-off-uplink"}),
        "switching forwarding off for the host switches it off for every interface",
    ),
    (_STOPS_ALL, frozenset({"isolation-missing"}), "while nothing is forwarded, nothing is exposed"),
)
"""Faults that don't make a pair, and why."""


@dataclass(frozen=True)
class Named:
    """What the doctor said of a pair, put in in this order; ``why`` is empty when it named both."""

    first: str
    second: str
    why: str = ""


def left_out(one: str, other: str) -> str:
    """Return why two faults don't make a pair; empty when they do."""
    for these, those, reason in LEFT_OUT:
        if (one in these and other in those) or (other in these and one in those):
            return reason
    return ""


def draw(cases: Iterable[Case], host: LabHost, count: int, seed: int) -> list[tuple[Case, Case]]:
    """Draw ``count`` ordered pairs of what can be put into a host; all there are when those are fewer."""
    possible = [case for case in cases if not case.cannot(host)]
    every = [(one, two) for one, two in permutations(possible, 2) if not left_out(one.id, two.id)]
    return random.Random(seed).sample(every, min(count, len(every)))  # noqa: S311 - a choice of tests, no secret


def name_pairs(host: LabHost, pairs: Sequence[tuple[Case, Case]]) -> Iterator[Named]:
    """Put each pair into a host, ask the doctor, take it out, and see that nothing stays."""
    before = state(host)
    for one, two in pairs:
        with one.put(host), two.put(host):
            why = _unnamed(host, one, two)
        changed = settled(host, before)
        yield Named(one.id, two.id, "; ".join(filter(None, (why, *changed))))


def _unnamed(host: LabHost, one: Case, two: Case) -> str:
    """What is wrong with the doctor's answer; empty when both causes are named and no other."""
    found = [item for item in examine(host.snapshot()).findings if item.severity != "info"]
    wanted = {one.check, two.check}
    known = wanted | one.also | two.also
    named = {item.check for item in found if item.caused_by is None or item.caused_by in wanted}
    strangers = {item.check for item in found if item.caused_by is None} - known
    if wanted <= named and not strangers:
        return ""
    words = [item.check + (f" ← {item.caused_by}" if item.caused_by else "") for item in found]
    return f"the doctor says: {', '.join(words) or 'healthy'}"
