"""A case with its flows walked: what a check is given.  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import cached_property

from dnet_tui.diagnostics.case import Case
from dnet_tui.diagnostics.flows import Flow, derive
from dnet_tui.diagnostics.probes import Probed
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle
from dnet_tui.inspect.model import Snapshot


class Blocked:
    """All that one deciding element stands in the way of."""

    def __init__(self, obstacle: Obstacle) -> None:
        self.obstacle = obstacle
        self.there: list[Flow] = []
        self.back: list[Flow] = []

    @property
    def flows(self) -> tuple[Flow, ...]:
        """The flows it stops, each once."""
        return tuple({id(flow): flow for flow in (*self.there, *self.back)}.values())

    @property
    def symptoms(self) -> tuple[str, ...]:
        """The kinds of flow it stops, in the order of the flows."""
        return tuple(dict.fromkeys(flow.kind for flow in self.flows))


Owns = Callable[[Case, Obstacle], bool]
"""Whether a check is the one that explains an obstacle."""

FALLBACK = "flow-blocked"
"""The check that owns what no other does."""


class Examination:
    """The case, its flows, and every obstacle with the check that owns it.

    Each obstacle in the way of a flow that should pass has exactly one owner:
    the first of ``owners`` that claims it, or the fallback, so that nothing
    is lost.  ``probes`` is what real packets said, where any were sent.
    """

    def __init__(
        self, snapshot: Snapshot, owners: tuple[tuple[str, Owns], ...] = (), probes: tuple[Probed, ...] = ()
    ) -> None:
        self.case = Case(snapshot)
        self.probes = probes
        self._owners = owners

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """Every flow that the networks' options speak of, walked."""
        return derive(self.case)

    @cached_property
    def _owned(self) -> dict[str, list[Blocked]]:
        found: defaultdict[str, dict[Decider, Blocked]] = defaultdict(dict)
        for flow in self.flows:
            if not flow.expected:
                continue
            for way, obstacle in flow.obstacles:
                check = self.owner(obstacle)
                blocked = found[check].setdefault(obstacle.by, Blocked(obstacle))
                (blocked.there if way == "there" else blocked.back).append(flow)
        return {check: list(items.values()) for check, items in found.items()}

    def owner(self, obstacle: Obstacle) -> str:
        """The check that explains an obstacle."""
        return next((check for check, owns in self._owners if owns(self.case, obstacle)), FALLBACK)

    def blocked_by(self, check: str) -> list[Blocked]:
        """The obstacles that a check owns, in the order they were met."""
        return self._owned.get(check, [])
