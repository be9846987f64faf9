"""What connection tracking has counted between two snapshots of one host.  Pure.

Its counters run since a namespace began, so that one look says nothing: a
host that has been up for a year has some of everything.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from dnet_tui.inspect.model import ConntrackCounts, Namespace, Snapshot, known_items

NOTHING_TO_COMPARE = "the earlier snapshot can't be compared: another host, too short ago, or counters that began anew"

SHORTEST = 2.0
"""Seconds that must lie between; snapshots' times have no fractions."""


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """How much was counted in one namespace, and in how many seconds."""

    namespace: str
    counts: ConntrackCounts
    seconds: float

    def per_second(self, count: int) -> float:
        """A count as a rate."""
        return count / self.seconds


def growth(before: Snapshot, after: Snapshot) -> tuple[Growth, ...]:
    """The growth in each namespace that both snapshots have; of one whose counters began anew nothing is told."""
    if before.host.hostname != after.host.hostname:
        return ()
    known = {ns.id: ns for ns in known_items(before.namespaces)}
    found = []
    for ns in known_items(after.namespaces):
        was = known.get(ns.id)
        seconds = _between(before, was, after, ns) if was is not None else None
        then, now = was.conntrack_counts if was is not None else None, ns.conntrack_counts
        if seconds is None or not isinstance(then, ConntrackCounts) or not isinstance(now, ConntrackCounts):
            continue
        grown = {name: getattr(now, name) - getattr(then, name) for name in ConntrackCounts.__struct_fields__}
        if min(grown.values()) >= 0:
            found.append(Growth(namespace=ns.id, counts=ConntrackCounts(**grown), seconds=seconds))
    return tuple(found)


def _between(before: Snapshot, was: Namespace, after: Snapshot, now: Namespace) -> float | None:
    try:
        times = [
            datetime.fromisoformat(text) for text in (was.read_at or before.taken_at, now.read_at or after.taken_at)
        ]
        seconds = (times[1] - times[0]).total_seconds()
    except (ValueError, TypeError):
        return None
    return seconds if seconds >= SHORTEST else None
