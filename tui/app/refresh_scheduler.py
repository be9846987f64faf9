"""When the app looks at the host again by itself.  Pure: the caller brings the clock."""

from __future__ import annotations

from dnet_tui.inspect.model.change_events import Moved

REST = 3.0
"""So many times as long as a look took is rested after it: a restless host takes a quarter of one CPU at most."""


class Following:
    """What moved since the last look, and how long to wait with the next one.  Times are in seconds."""

    def __init__(self) -> None:
        self._moved: set[Moved] = set()
        self._begun: float | None = 0.0  # the app begins with a look
        self._rested = 0.0

    def note(self, moved: frozenset[Moved]) -> None:
        """Something moved."""
        self._moved |= moved

    def begin(self, now: float) -> frozenset[Moved]:
        """A look begins, for whatever reason; return what moved before it."""
        moved = frozenset(self._moved)
        self._moved.clear()
        self._begun = now
        return moved

    def ended(self, now: float) -> None:
        """The look ended, well or not."""
        if self._begun:
            self._rested = now + REST * (now - self._begun)
        self._begun = None

    def wait(self, now: float) -> float | None:
        """How long to wait until the next look; None when there is no reason for one, or one is under way."""
        if not self._moved or self._begun is not None:
            return None
        return max(0.0, self._rested - now)
