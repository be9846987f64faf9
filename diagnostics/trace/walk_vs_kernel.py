"""Compares what the walk says with what the kernel did.  Pure.

A definite answer must be right in everything it says: whether and where the
packet arrives, with which tuple, which rule decided, and every rule by which
it says that something was done to it.  An undecided one can't be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from dnet_tui.diagnostics.trace.trace_events import PacketOutcome, TracePoint, tuple_of
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, Packet, RuleRef, Walk
from dnet_tui.inspect.model import known_items
from dnet_tui.inspect.model.firewall import Backend, Rule
from dnet_tui.inspect.model.view import View

_ROUTING = {"reverse-path", "forwarding", "routing", "martian", "xfrm"}
_DEVICE = {"ingress", "egress"}
_BACKENDS = {"iptables-nft": "nft", "nftables": "nft", "iptables-legacy": "legacy"}
_ENDED = {"drop", "reject", "unknown"}
"""Verdicts of a hop at which the walk ends; the end itself is compared elsewhere."""

LegacyCounts = Mapping[tuple[str, str, str, str, int], bool]
"""Whether the counter of a legacy rule moved, by (place, family, table, chain, number)."""


class Agreement:
    """Compares walks over one snapshot with sights.

    ``places`` names the namespaces that were watched, by their ids.
    ``counts`` is given where legacy rules leave no sights, and then tells of
    those whose counters were read before and after.
    """

    def __init__(self, view: View, places: Mapping[str, str], *, counts: LegacyCounts | None = None) -> None:
        self.view = view
        self.places = places
        self._counts = counts

    @cached_property
    def rules(self) -> dict[tuple[str, str, str, int], tuple[str, Rule]]:
        """(chain, rule) by (place, table's family, table, handle)."""
        return {
            (self.places[ns.id], table.family, table.name, rule.handle): (chain.name, rule)
            for ns in known_items(self.view.snapshot.namespaces)
            if ns.id in self.places and ns.firewall is not None
            for table in ns.firewall.tables
            for chain in table.chains
            for rule in chain.rules
            if rule.handle
        }

    @cached_property
    def sizes(self) -> dict[tuple[str, str, str, str], int]:
        """How many rules a legacy chain has, by (place, family, table, chain)."""
        return {
            (self.places[ns.id], table.family, table.name, chain.name): len(chain.rules)
            for ns in known_items(self.view.snapshot.namespaces)
            if ns.id in self.places and ns.firewall is not None
            for table in ns.firewall.tables
            if table.backend == "iptables-legacy"
            for chain in table.chains
        }

    @cached_property
    def _backends(self) -> dict[tuple[str, str, str], Backend]:
        """The backend of each table that nftables traces, by (place, family, table)."""
        return {
            (self.places[ns.id], table.family, table.name): table.backend
            for ns in known_items(self.view.snapshot.namespaces)
            if ns.id in self.places and ns.firewall is not None
            for table in ns.firewall.tables
            if table.backend != "iptables-legacy"
        }

    def named(self, sight: TracePoint) -> tuple[Backend, Rule | None]:
        """The backend and the rule that a sight is of; no rule for a policy, or one that the snapshot doesn't have."""
        place, family, table = sight.place, sight.family, sight.table
        if sight.backend == "legacy":
            return "iptables-legacy", None
        _, rule = self.rules.get((place, family, table, sight.handle), ("", None))
        return self._backends.get((place, family, table), "nftables"), rule

    def tell(self, truth: PacketOutcome, it: str = "it") -> str:
        """How a packet ended, in words that name the rule."""
        errno = f" (errno {truth.errno})" if truth.errno else ""
        seen = f", last seen as {tuple_of(truth.last)}" if truth.last is not None else ""
        if truth.where == "arrived":
            return f"{it} arrived at {truth.place}{seen}"
        if truth.where == "nowhere":
            return f"{it} was never seen at {truth.place}{errno}"
        if truth.where == "link":
            return f"{it} left {truth.place} and was seen nowhere else{seen}"
        if truth.where == "routing":
            return f"{it} ended in {truth.place} after {truth.stage}, between the hooks{errno}{seen}"
        return f"{it} ended in {truth.place} in {truth.stage}, {self._by(truth.by)}{errno}{seen}"

    def _by(self, sight: TracePoint | None) -> str:
        if sight is None:
            return "by no rule that a trace shows"
        backend, rule = self.named(sight)
        where = f"by {backend} {sight.table} {sight.chain}"
        if sight.point == "policy":
            return f"{where} policy {sight.verdict}"
        if rule is not None:
            return f"{where} rule {rule.number}: {rule.text}"
        return f"{where} " + (f"rule {sight.number}" if sight.number else f"a rule with handle {sight.handle}")

    def compare(self, said: Walk, truth: PacketOutcome, sights: Sequence[TracePoint], kind: str = "") -> Iterator[str]:
        """Yield what the walk says and the kernel contradicts; ``kind`` is the answer's, empty for the packet.

        Of several possible ways, the kernel has taken one.
        """
        ways = [list(self._compare(way, truth, sights, kind)) for way in (said, *said.others)]
        if [] not in ways:
            yield from ways[0]

    def _compare(self, said: Walk, truth: PacketOutcome, sights: Sequence[TracePoint], kind: str) -> Iterator[str]:
        way = "the answer" if kind else "the packet"
        if said.end == "unknown":
            return
        place = self.places.get(said.last_namespace, said.last_namespace)
        if said.end in {"delivered", "refused"}:
            if truth.where != "arrived" or truth.last is None:
                yield f"{way} is said to be {said.end} at {place}, but {self.tell(truth)}"
            elif truth.place != place:
                yield f"{way} is said to be {said.end} at {place}, but arrived at {truth.place}"
            elif not same_tuple(said.last, truth.last):
                yield f"{way} is said to arrive as {said.last.tuple_text()}, but {self.tell(truth)}"
        elif said.end == "left":
            if truth.where != "link" or truth.place != place or truth.last is None:
                yield f"{way} is said to leave {place} by {said.exits}, but {self.tell(truth)}"
            elif not same_tuple(said.last, truth.last):
                yield f"{way} is said to leave as {said.last.tuple_text()}, but {self.tell(truth)}"
        else:
            yield from self._stopped(said, truth, way, place)
        yield from self._path(said, sights, "back" if kind else "there", kind)

    def _stopped(self, said: Walk, truth: PacketOutcome, way: str, place: str) -> Iterator[str]:
        by = said.decided_by
        stage = said.obstacles[0].stage if said.obstacles else ""
        claim = f"{way} is said to be {said.end} at {place} in {stage} by {by.text if by else 'nothing'}"
        if said.obstacles and said.obstacles[0].outer:
            # Traced is the packet inside, which was last seen where the tunnel took it.
            if truth.where != "link":
                yield f"{claim}, but {self.tell(truth)}"
        elif stage == "xfrm" and by is not None and by.value == "in":
            # The policy is asked after INPUT, so the packet is seen there.
            if (truth.where, truth.place) != ("arrived", place):
                yield f"{claim}, but {self.tell(truth)}"
        elif truth.where == "arrived":
            yield f"{claim}, but {self.tell(truth)}"
        elif stage == "neighbour":
            # Stopped was what asks for the neighbour's MAC; the packet itself waited in vain.
            if truth.where != "link" and not _waits_on_a_bridge(said.obstacles[0].packet, truth, place):
                yield f"{claim}, but {self.tell(truth)}"
        elif not (
            self._by_rule(stage, by, truth, place)
            if by and by.rule
            else _by_way(stage, by, truth, place) or _copies_are_stopped(said.obstacles, by, truth)
        ):
            yield f"{claim}, but {self.tell(truth)}"

    def _by_rule(self, stage: str, by: Decider, truth: PacketOutcome, place: str) -> bool:
        """Whether the kernel dropped it by the rule that the walk names (or by one that it says may be instead)."""
        rules = [rule for rule in (by.rule, *by.instead) if rule is not None]
        below_ip = stage in _DEVICE or any(rule.family == "bridge" for rule in rules)
        if below_ip and truth.where in {"link", "routing"}:
            return True  # a bridge's and a device's own hooks lie between those that are watched
        if (truth.where, truth.place) != ("hook", place):
            return False
        return any(self.is_rule(r, truth.by, place) or self._may_be_legacy(r, truth, place) for r in rules)

    def _may_be_legacy(self, rule: RuleRef, truth: PacketOutcome, place: str) -> bool:
        """Whether an end that no trace event explains may be this legacy rule's doing, as its counter says."""
        if self._counts is None or rule.backend != "iptables-legacy" or truth.by is not None:
            return False
        return self._counts.get((place, rule.family, rule.table, rule.chain, rule.number), True)

    def is_rule(self, rule: RuleRef, sight: TracePoint | None, place: str) -> bool:
        """Whether a sight is of this rule, or of the policy that it stands for."""
        if sight is None or sight.place != place or _BACKENDS[rule.backend] != sight.backend:
            return False
        if (rule.family, rule.table) != (sight.family, sight.table):
            return False
        if sight.backend == "legacy":
            # A rule without conditions is logged as if it were the policy; the policy's number follows the rules'.
            last = self.sizes.get((place, sight.family, sight.table, sight.chain), 0)
            return (rule.chain, rule.number) == (sight.chain, sight.number if sight.number <= last else 0)
        if sight.point == "policy":
            return (rule.chain, rule.number) == (sight.chain, 0)
        chain, known = self.rules.get((place, sight.family, sight.table, sight.handle), ("", None))
        return known is not None and (rule.chain, rule.number) == (chain, known.number)

    def _path(self, said: Walk, sights: Sequence[TracePoint], direction: str, kind: str) -> Iterator[str]:
        """Every rule by which the walk says that something was done must have been met."""
        met = [
            s
            for s in sights
            if s.point in {"rule", "policy"} and s.direction == direction and (not kind or s.kind == kind)
        ]
        for hop in said.hops:
            place = self.places.get(hop.namespace, "")
            if hop.rule is None or hop.verdict in _ENDED or hop.outer:
                continue
            if not self._was_met(hop.rule, met, place):
                rule = hop.rule
                where = f"{rule.table} {rule.chain} {rule.number}: {rule.text}"
                yield f"{hop.verdict} at {place} is said to be by {where}, which was not met"

    def _was_met(self, rule: RuleRef, met: Sequence[TracePoint], place: str) -> bool:
        if self._counts is not None and rule.backend == "iptables-legacy":
            return self._counts.get((place, rule.family, rule.table, rule.chain, rule.number), True)
        return any(s.place == place and self.is_rule(rule, s, place) for s in met)


def _waits_on_a_bridge(waiting: Packet, truth: PacketOutcome, place: str) -> bool:
    """Whether a packet that a bridge redirected waited there, between PREROUTING and FORWARD."""
    redirected = bool(waiting.physin) and not waiting.oif
    return redirected and (truth.where, truth.place, truth.stage) == ("routing", place, "prerouting")


def answer_kind(there: Walk, made: str) -> Iterator[str]:
    """Whether somebody listens is told by the kind of the answer that was made."""
    if there.end == "delivered" and made in {"rst", "icmp-error"}:
        yield f"somebody is said to listen, but the answer is {made}"
    if there.end == "refused" and made in {"synack", "udp-reply", "echo-reply"}:
        yield f"the walk found no listener, but the answer is {made}"


def same_tuple(said: Packet, seen: TracePoint) -> bool:
    """Whether the tuples agree; a port that the walk leaves open, as NAT chose it at random, fits any."""
    ports = ((said.sport, seen.sport), (said.dport, seen.dport))
    return (said.src, said.dst) == (seen.src, seen.dst) and all(told in {real, None} for told, real in ports)


def _by_way(stage: str, by: Decider | None, truth: PacketOutcome, place: str) -> bool:
    """Whether the packet got lost where the walk says, between hooks: in routing, or on a link or bridge."""
    if truth.where == "hook":
        if stage in _ROUTING and truth.stage == "output":
            # A new route after OUTPUT's NAT or marks is looked up inside the hook (ip_route_me_harder).
            return truth.by is None or truth.by.verdict != "drop"
        return truth.by is None or (truth.stage == "forward" and _floods(by))
    if stage in _ROUTING:
        return truth.where in {"routing", "nowhere"} and truth.place == place
    return truth.where in {"link", "nowhere", "routing" if stage == "bridge" else ""}


def _copies_are_stopped(obstacles: Sequence[Obstacle], by: Decider | None, truth: PacketOutcome) -> bool:
    """Whether rules stopped the copies of a frame that a bridge floods: each meets them on its way out of a port."""
    on_a_bridge = any(item.packet.physin and not item.packet.oif for item in obstacles[:1])
    return on_a_bridge and _floods(by) and (truth.where, truth.stage) == ("hook", "postrouting")


def _floods(by: Decider | None) -> bool:
    """Whether a frame is said to end where the bridge doesn't know its MAC, and floods it."""
    return by is not None and (by.kind == "neighbour" or by.value in {"DOWN", "disabled", "isolated on"})
