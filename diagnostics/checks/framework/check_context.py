"""A case with its flows walked: what a check is given.  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from functools import cached_property

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.difference.conntrack_growth import Growth, growth
from dnet_tui.diagnostics.flows.expected_flows import Flow, derive
from dnet_tui.diagnostics.flows.flow import OF_THE_HOST
from dnet_tui.diagnostics.flows.probes import Probed
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, RuleRef
from dnet_tui.inspect.model import Snapshot


class BlockedFlows:
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
        """The kinds of flow it stops, in the order of the flows; and whether it stops IPv6 alone."""
        kinds = tuple(dict.fromkeys(flow.kind for flow in self.flows))
        return (*kinds, "ipv6") if all(flow.family == "ip6" for flow in self.flows) else kinds


def element(obstacle: Obstacle) -> Decider | RuleRef:
    """What decides: a rule that stops a packet and its neighbour discovery is one element all the same."""
    return obstacle.by.rule or obstacle.by


Owns = Callable[[HostContext, Obstacle], bool]
"""Whether a check is the one that explains an obstacle."""

FALLBACK = "flow-blocked"
"""The check that owns what no other does."""


class CheckContext:
    """The case, its flows, and every obstacle with the check that owns it.

    Each obstacle in the way of a flow that should pass has exactly one owner:
    the first of ``owners`` that claims it, or the fallback, so that nothing
    is lost.  ``probes`` is what real packets said, where any were sent;
    ``before`` an earlier snapshot of the same host, where there is one.
    ``asks_rules``: every rule that drops is asked; not where the host is only
    simulated, whose rules say nothing new.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        owners: tuple[tuple[str, Owns], ...] = (),
        probes: tuple[Probed, ...] = (),
        before: Snapshot | None = None,
        *,
        asks_rules: bool = True,
    ) -> None:
        self.case = HostContext(snapshot)
        self.probes = probes
        self.before = before
        self.asks_rules = asks_rules
        self.unexplained: set[Decider | RuleRef] = set()
        """What decides where nobody knows which check is to explain it: something that tells was not read."""
        self._owners = owners

    @cached_property
    def growth(self) -> tuple[Growth, ...]:
        """What connection tracking counted since the earlier snapshot."""
        return growth(self.before, self.case.snapshot) if self.before is not None else ()

    @property
    def flows(self) -> tuple[Flow, ...]:
        """Every flow that the networks' options speak of, walked."""
        return self.case.once(derive)

    @property
    def _by_element(self) -> dict[str, dict[tuple[Decider | RuleRef, bool], BlockedFlows]]:
        return self.case.kept("by element", self._share_out)

    def _share_out(self) -> dict[str, dict[tuple[Decider | RuleRef, bool], BlockedFlows]]:
        found: defaultdict[str, dict[tuple[Decider | RuleRef, bool], BlockedFlows]] = defaultdict(dict)
        for flow in self.flows:
            if not flow.expected:
                continue
            for way, obstacle in flow.obstacles:
                check = self.owner(obstacle)
                blocked = found[check].setdefault(
                    (element(obstacle), obstacle.end == "unknown"), BlockedFlows(obstacle)
                )
                (blocked.there if way == "there" else blocked.back).append(flow)
        return dict(found)

    def owner(self, obstacle: Obstacle) -> str:
        """The check that explains an obstacle: the first that claims it, else the first of which that isn't known."""
        unsure = ""
        for check, owns in self._owners:
            before = len(self.case.unseen)
            claims = False
            with self.case.noting():
                claims = owns(self.case, obstacle)
                before = len(self.case.unseen)
            if claims:
                return check
            if len(self.case.unseen) > before:
                unsure = unsure or check
        if unsure:
            self.unexplained.add(element(obstacle))
        return unsure or FALLBACK

    def blocked_by(self, check: str) -> list[BlockedFlows]:
        """The obstacles that a check owns, in the order they were met."""
        return list(self._by_element.get(check, {}).values())

    def gaps_met(self, sections: Collection[str]) -> list[str]:
        """What the flows came to that was not read, of these sections; in words, each once."""
        texts = [text for section, text in self.case.kept("gaps met", self._met_gaps) if section in sections]
        return list(dict.fromkeys(texts))

    def _met_gaps(self) -> list[tuple[str, str]]:
        """Each section that was not read, as the flows came to it, and how that is told."""
        return [
            (obstacle.by.value, f"{flow.label}: {obstacle.by.text}")
            for flow in self.flows
            if flow.expected
            for _, obstacle in flow.obstacles
            if obstacle.by.kind == "gap"
        ]

    @property
    def meant(self) -> tuple[BlockedFlows, ...]:
        """What the host's own rules keep its programs from, and stops nothing that was promised to anybody."""
        known = {
            key[0]
            for items in self._by_element.values()
            for key, blocked in items.items()
            if any(flow.kind != "names" for flow in blocked.flows)  # what is said of names says nothing of the rest
        }
        found: dict[Decider | RuleRef, BlockedFlows] = {}
        for flow in self.flows:
            for way, obstacle in flow.meant if flow.expected and flow.kind in {*OF_THE_HOST, "published"} else ():
                if obstacle.end != "unknown" and element(obstacle) not in known:
                    blocked = found.setdefault(element(obstacle), BlockedFlows(obstacle))
                    (blocked.there if way == "there" else blocked.back).append(flow)
        return tuple(found.values())

    @property
    def meant_unsure(self) -> tuple[tuple[Flow, Obstacle], ...]:
        """What the host's own rules may keep its programs from, or may not: nobody can tell."""
        mine = (flow for flow in self.flows if flow.expected and flow.kind in OF_THE_HOST)
        return tuple((flow, obstacle) for flow in mine for _, obstacle in flow.meant if obstacle.end == "unknown")
