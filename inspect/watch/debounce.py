"""Turns a burst of events into one request.  Pure: the caller brings the clock.

A container that starts is some forty events within a second; whoever looks
at the host after each of them never catches up.  So a request is due once
nothing more came for a moment, but never later than a limit after the first
event: a host that never rests is looked at all the same.
"""

from __future__ import annotations

from dnet_tui.inspect.model.change_events import Moved


class Debouncer:
    """Collects what events are about, until a request is due.

    ``quiet`` is how long nothing must come, ``longest`` how long the first
    event may wait, both in seconds.  Times are those of any monotonic clock.
    """

    def __init__(self, quiet: float = 0.25, longest: float = 2.0) -> None:
        self._quiet = quiet
        self._longest = longest
        self._first = 0.0
        self._last = 0.0
        self._moved: set[Moved] = set()

    def add(self, now: float, moved: frozenset[Moved]) -> None:
        """Note that something moved at ``now``."""
        if not moved:
            return
        if not self._moved:
            self._first = now
        self._last = now
        self._moved |= moved

    @property
    def due(self) -> float | None:
        """When a request is due, as far as is known now; None while nothing waits."""
        if not self._moved:
            return None
        return min(self._last + self._quiet, self._first + self._longest)

    def take(self, now: float) -> frozenset[Moved]:
        """What moved, once that is due, and begin anew; empty before."""
        if self.due is None or now < self.due:
            return frozenset()
        moved = frozenset(self._moved)
        self._moved.clear()
        return moved
