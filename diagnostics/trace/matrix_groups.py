"""Places of a matrix that behave the same, so that a grid of hundreds has a few rows.  Pure.

Two places are in one group when every pair of groups has one answer: whoever
of the one asks whoever of the other, the same becomes of it.  That a place
isn't asked about itself makes no difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from dnet_tui.diagnostics.trace.matrix import Matrix, Reach

Group = tuple[str, ...]


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """A matrix by groups: ``reach`` by (row, column); a row's group stands in no other row."""

    groups: tuple[Group, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    reach: dict[tuple[int, int], Reach]


def grouped(matrix: Matrix) -> Grid:
    """The grid of a matrix, with as few groups as it can have; in the order of their first places."""
    reach = {(cell.source, cell.target): cell.reach for cell in matrix.cells}
    places = tuple(dict.fromkeys((*matrix.sources, *matrix.targets)))
    sources, targets = set(matrix.sources), set(matrix.targets)
    block: dict[str, object] = {place: (place in sources, place in targets) for place in places}
    count = 0
    while count != len(set(block.values())):
        count = len(set(block.values()))
        block = _split(block, reach)
        if count == len(set(block.values())):
            block = _without_mixed(block, reach)
    members: dict[object, list[str]] = {}
    for place in places:
        members.setdefault(block[place], []).append(place)
    groups = tuple(tuple(names) for names in members.values())
    rows = tuple(at for at, names in enumerate(groups) if names[0] in sources)
    columns = tuple(at for at, names in enumerate(groups) if names[0] in targets)
    found = {(row, column): _one(groups[row], groups[column], reach) for row in rows for column in columns}
    return Grid(groups=groups, rows=rows, columns=columns, reach=found)


def _split(block: dict[str, object], reach: dict[tuple[str, str], Reach]) -> dict[str, object]:
    """Each block split by what becomes of its places' packets to and from every block."""
    there: dict[str, set[tuple[object, Reach]]] = defaultdict(set)
    back: dict[str, set[tuple[object, Reach]]] = defaultdict(set)
    for (source, target), value in reach.items():
        if source != target:
            there[source].add((block[target], value))
            back[target].add((block[source], value))
    numbers: dict[object, int] = {}
    return {
        place: numbers.setdefault((old, frozenset(there[place]), frozenset(back[place])), len(numbers))
        for place, old in block.items()
    }


def _without_mixed(block: dict[str, object], reach: dict[tuple[str, str], Reach]) -> dict[str, object]:
    """The first block that has several answers to another (a ring looks alike from everywhere), taken apart."""
    seen: dict[tuple[object, object], Reach] = {}
    for (source, target), value in reach.items():
        pair = (block[source], block[target])
        if source != target and seen.setdefault(pair, value) != value:
            return {place: place if old in pair else old for place, old in block.items()}
    return block


def _one(rows: Iterable[str], columns: Iterable[str], reach: dict[tuple[str, str], Reach]) -> Reach:
    return next((reach[row, column] for row in rows for column in columns if row != column), "-")
