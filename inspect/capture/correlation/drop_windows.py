"""When the kernel had no room for a point's packets: what was not seen there then may have been there.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_SLACK_NS: Final = 100_000_000
"""A ring is full for some time before and after its counter is read."""

_MOST = 256


class DropWindows:
    """The stretches of time in which points dropped packets, from their counters (nanoseconds since 1970)."""

    def __init__(self) -> None:
        self._looked_at = 0
        self._dropped: dict[int, int] = {}
        self._windows: dict[int, list[tuple[int, int]]] = {}

    def look(self, dropped: Sequence[int], now_ns: int) -> None:
        """The points' counters as of now: since the last look they may have grown."""
        since, self._looked_at = self._looked_at, now_ns
        for point, number in enumerate(dropped):
            if number > self._dropped.get(point, 0):
                self._dropped[point] = number
                self._add(point, since - _SLACK_NS, now_ns + _SLACK_NS)

    def _add(self, point: int, start: int, end: int) -> None:
        windows = self._windows.setdefault(point, [])
        if windows and (start <= windows[-1][1] or len(windows) >= _MOST):
            start, _ = windows.pop()
        windows.append((start, end))

    def covers(self, point: int, time_ns: int) -> bool:
        """Whether the point may have lost a packet of this time."""
        return any(start <= time_ns <= end for start, end in self._windows.get(point, ()))
