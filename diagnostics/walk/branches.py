"""Where a packet may take one of several ways: each is walked, and they are taken together.  Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dnet_tui.diagnostics.walk.packet import Walk

_MOST_WAYS = 32
_GETTING_THERE = {"delivered", "left"}


def every_way(
    run: Callable[[tuple[int, ...] | None], tuple[Walk, list[int]]], first: Walk, counts: list[int]
) -> list[Walk]:
    """Every way, the first one included; none where there are too many."""
    found = [first]
    open_ends = _turns((), counts)
    while open_ends:
        if len(found) + len(open_ends) > _MOST_WAYS:
            return []
        choices = open_ends.pop()
        way, counts = run(choices)
        found.append(way)
        open_ends += _turns(choices, counts)
    return found


def _turns(choices: tuple[int, ...], counts: list[int]) -> list[tuple[int, ...]]:
    """What else could have been picked at the counts that a walk took the first way of, without being told to."""
    free = range(len(choices), len(counts))
    return [(*choices, *(0,) * (at - len(choices)), turn) for at in free for turn in range(1, counts[at])]


def together(ways: list[Walk]) -> Walk | None:
    """Several possible ways as one, if all end alike: stopped ones each by a rule, or all by the same thing.

    One that goes out of sight and one that is received end alike, as far as can be seen; the former stands for both.
    """
    ends = {way.end for way in ways}
    if not ways or (len(ends) > 1 and ends != _GETTING_THERE) or "unknown" in ends:
        return None
    ways = sorted(ways, key=lambda way: len(ends) > 1 and way.end != "left")
    first, *others = ways
    by = first.decided_by
    if first.arrives is not True and by is not None and any(way.decided_by != by for way in others):
        rules = [way.decided_by.rule for way in ways if way.decided_by is not None]
        kinds = {way.decided_by.kind for way in ways if way.decided_by is not None}
        if (len(rules) < len(ways) or None in rules) and kinds != {"route"}:
            return None
        instead = dict.fromkeys((*by.instead, *(rule for rule in rules if rule is not None and rule != by.rule)))
        by = msgspec.structs.replace(by, instead=tuple(instead))
    hedges = tuple(dict.fromkeys(hedge for way in ways for hedge in way.hedges))
    return msgspec.structs.replace(first, decided_by=by, others=tuple(others), hedges=hedges)
