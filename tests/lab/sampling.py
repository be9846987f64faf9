"""A changing sample of the fault matrix, where the whole takes too long.

Each fault is tried on some of the kinds of hosts it is made for, on others the next time: which ones follows from the
number of commits, so that all workers of a run agree and a failure can be had again.
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pytest

SHARES = 4
"""In so many turns every kind of host has its turn."""

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "DNET_MATRIX"
"""``sample`` (or ``sample:TURN``) in the environment: a sample; else the whole."""


def turn_of(setting: str) -> int | None:
    """The turn that a setting of :data:`VARIABLE` asks for; None: everything is run."""
    word, _, number = setting.partition(":")
    if word != "sample":
        return None
    return int(number) if number else commits()


def part_of(items: Sequence[T], setting: str) -> Sequence[T]:
    """One of so many parts of a list, as ``PARTS`` or ``PARTS:TURN`` asks; without a turn another with each commit."""
    words, _, number = setting.partition(":")
    if not words:
        return items
    parts = int(words)
    return items[(int(number) if number else commits()) % parts :: parts]


def commits() -> int:
    """How many commits led here; 0 outside of a clone."""
    argv = ["git", "-C", str(ROOT), "rev-list", "--count", "HEAD"]
    try:
        count = subprocess.run(argv, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    return int(count)


def chosen(turn: int, hosts: Sequence[str]) -> frozenset[str]:
    """A quarter of the kinds of hosts (at least one), each at least every fourth turn."""
    ordered = sorted(hosts)
    count = -(-len(ordered) // SHARES)
    return frozenset(ordered[(turn * count + at) % len(ordered)] for at in range(count))


def sampled(items: Sequence[pytest.Item], turn: int) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Those to run, and those to leave out: what isn't of the matrix is always run."""
    hosts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for item in items:
        if (place := _place(item)) is not None:
            hosts[place[0]].add(place[1])
    wanted = {case: chosen(turn + at, tuple(found)) for at, (case, found) in enumerate(sorted(hosts.items()))}
    keep: list[pytest.Item] = []
    drop: list[pytest.Item] = []
    for item in items:
        place = _place(item)
        (keep if place is None or place[1] in wanted[place[0]] else drop).append(item)
    return keep, drop


def _place(item: pytest.Item) -> tuple[tuple[str, str], str] | None:
    """A test of the matrix: its file and case, and its kind of host; None for every other test."""
    call = getattr(item, "callspec", None)
    if item.get_closest_marker("matrix") is None or call is None:
        return None
    key = next(name for name in ("case", "what", "fault") if name in call.params)
    case = call.params[key]
    kind = ",".join([item.name.partition("[")[0], *(str(call.params[it]) for it in sorted(call.params) if it != key)])
    return (str(item.path), case if isinstance(case, str) else case.id), kind
