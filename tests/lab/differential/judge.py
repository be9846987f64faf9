"""Compares what the walk says with what the kernel did.  Pure.

A definite answer must be right in everything it says: whether and where the
packet arrives, with which tuple, which rule decided, and every rule by which
it says that a chain let the packet pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

import msgspec

from dnet_tui.diagnostics.walk.packet import Decider, Packet, RuleRef, Walk
from dnet_tui.diagnostics.walk.trip import reply, walk
from dnet_tui.inspect.model import LinkRef, Snapshot
from dnet_tui.inspect.view import View
from lab.differential.account import Account, account, sent_answer
from lab.differential.spec import HOST, OUTSIDE, UPLINK, HostSpec, Observation, Outcome, Part, Probe, Sight

Result = Literal["agrees", "unknown", "wrong"]
_ROUTING = {"reverse-path", "forwarding", "routing", "martian"}
_BACKENDS = {"iptables-nft": "nft", "nftables": "nft", "iptables-legacy": "legacy"}


class Judgement(Part, frozen=True, kw_only=True):
    """One probe judged.  ``reasons`` are what is wrong, or why it is unknown; ``end`` is the walk's (there, back)."""

    probe: Probe
    result: Result
    reasons: tuple[str, ...] = ()
    end: tuple[str, str] = ("", "")
    kernel: tuple[str, str] = ("", "")


class Court:
    """Judges the probes of one host."""

    def __init__(self, spec: HostSpec, seen: Observation) -> None:
        self.spec = spec
        self.view = View(msgspec.json.decode(seen.snapshot, type=Snapshot))
        self.ids = seen.namespaces
        self.outcomes = {outcome.probe: outcome for outcome in seen.outcomes}

    @cached_property
    def places(self) -> dict[str, str]:
        """Places by the namespace's id."""
        return {ident: place for place, ident in self.ids.items()}

    @cached_property
    def rules(self) -> dict[tuple[str, str, str, int], tuple[str, int]]:
        """(chain, number) by (place, table's family, table, handle)."""
        return {
            (self.places[ns.id], table.family, table.name, rule.handle): (chain.name, rule.number)
            for ns in self.view.snapshot.namespaces
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
            for ns in self.view.snapshot.namespaces
            if ns.id in self.places and ns.firewall is not None
            for table in ns.firewall.tables
            if table.backend == "iptables-legacy"
            for chain in table.chains
        }

    def judge(self, probe: Probe) -> Judgement:
        """Walk the probe and its answer, and compare both with what happened."""
        outcome = self.outcomes[probe.number]
        packet = first_packet(probe)
        there = walk(self.view, packet, origin=self.ids[probe.origin])
        truth = account(outcome, "there", probe.origin)
        wrong = list(self._compare(there, truth, outcome, ""))
        wrong += self._answer_kind(there, truth, outcome)
        wrong += self._variants(probe, packet, there, outcome)
        back: Walk | None = None
        fate: Account | None = None
        answered = sent_answer(outcome, truth.place) if truth.where == "arrived" else ""
        if answered and there.end in {"delivered", "refused"} and not wrong:
            back = reply(self.view, there)
            fate = account(outcome, "back", truth.place, answered)
            wrong += self._compare(back, fate, outcome, answered)
        ends = (there.end, back.end if back else "")
        result: Result = "wrong" if wrong else "unknown" if "unknown" in ends else "agrees"
        if result == "unknown":
            wrong = [
                f"unknown: {w.decided_by.text if w.decided_by else ''}"
                for w in (there, back)
                if w and w.end == "unknown"
            ]
        return Judgement(
            probe=probe,
            result=result,
            reasons=tuple(wrong),
            end=ends,
            kernel=(str(truth), str(fate) if fate else ""),
        )

    def _compare(self, said: Walk, truth: Account, outcome: Outcome, kind: str) -> Iterator[str]:
        way = "the answer" if kind else "the packet"
        if said.end == "unknown":
            return
        place = self.places.get(said.last_namespace, said.last_namespace)
        if said.end in {"delivered", "refused"}:
            if truth.where != "arrived" or truth.last is None:
                yield f"{way} is said to be {said.end} at {place}, but: {truth}"
            elif truth.place != place:
                yield f"{way} is said to be {said.end} at {place}, but arrived at {truth.place}"
            elif not _same(said.last, truth.last):
                yield f"{way} is said to arrive as {said.last.tuple_text()}, but: {truth}"
        elif said.end == "left":
            yield f"{way} is said to have left, though what is outside can be seen"
        else:
            yield from self._stopped(said, truth, way, place)
        yield from self._path(said, outcome, "back" if kind else "there", kind)

    def _stopped(self, said: Walk, truth: Account, way: str, place: str) -> Iterator[str]:
        by = said.decided_by
        stage = said.obstacles[0].stage if said.obstacles else ""
        claim = f"{way} is said to be {said.end} at {place} in {stage} by {by.text if by else 'nothing'}"
        if truth.where == "arrived":
            yield f"{claim}, but it {truth}"
        elif stage == "neighbour":
            # Stopped was what asks for the neighbour's MAC; the packet itself waited in vain.
            if truth.where != "link":
                yield f"{claim}, but: {truth}"
        elif not (self._by_rule(by, truth, place) if by and by.rule else _by_way(stage, by, truth, place)):
            yield f"{claim}, but: {truth}"

    def _by_rule(self, by: Decider, truth: Account, place: str) -> bool:
        """Whether the kernel dropped it by the rule that the walk names (or by one that it says may be instead)."""
        rules = [rule for rule in (by.rule, *by.instead) if rule is not None]
        return (truth.where, truth.place) == ("hook", place) and any(self._is(r, truth.by, place) for r in rules)

    def _is(self, rule: RuleRef, sight: Sight | None, place: str) -> bool:
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
        return (rule.chain, rule.number) == self.rules.get((place, sight.family, sight.table, sight.handle))

    def _path(self, said: Walk, outcome: Outcome, direction: str, kind: str) -> Iterator[str]:
        """Every rule by which the walk says that something was done must have been met."""
        met = [
            s
            for s in outcome.sights
            if s.point in {"rule", "policy"} and s.direction == direction and (not kind or s.kind == kind)
        ]
        for hop in said.hops:
            place = self.places.get(hop.namespace, "")
            if hop.rule is None or hop.verdict in {"drop", "reject", "unknown"}:
                continue  # the end itself is judged elsewhere
            if not any(s.place == place and self._is(hop.rule, s, place) for s in met):
                rule = hop.rule
                where = f"{rule.table} {rule.chain} {rule.number}: {rule.text}"
                yield f"{hop.verdict} at {place} is said to be by {where}, which was not met"

    def _answer_kind(self, there: Walk, truth: Account, outcome: Outcome) -> Iterator[str]:
        """Whether somebody listens is told by the kind of the answer."""
        made = sent_answer(outcome, truth.place) if truth.where == "arrived" else ""
        if there.end == "delivered" and made in {"rst", "icmp-error"}:
            yield f"somebody is said to listen, but the answer is {made}"
        if there.end == "refused" and made in {"synack", "udp-reply", "echo-reply"}:
            yield f"nobody is said to listen, but the answer is {made}"

    def _variants(self, probe: Probe, packet: Packet, there: Walk, outcome: Outcome) -> Iterator[str]:
        """The two other ways to ask: with the walk ending at the uplink, and with one beginning there."""
        if OUTSIDE not in {probe.origin, self.places.get(there.last_namespace)}:
            return
        if probe.origin == OUTSIDE:
            link = self.view.link_named(self.ids[HOST], UPLINK)
            if link is None or len(there.hops) < 2 or there.last_namespace == self.ids[OUTSIDE]:
                return
            arriving = LinkRef(namespace=self.ids[HOST], ifindex=link.ifindex)
            other = walk(self.view, packet, origin=self.ids[HOST], arriving=arriving)
            if (other.end, other.last_namespace) != (there.end, there.last_namespace):
                yield f"from outside it is {there.end}, but arriving at the uplink {other.end}"
            return
        other = walk(self.view, packet, origin=self.ids[probe.origin], outside=True)
        if other.end != "left":
            return
        gone = [
            s
            for s in outcome.sights
            if (s.place, s.direction, s.point, s.stage) == (HOST, "there", "tail", "postrouting")
        ]
        if not any(_same(other.last, s) for s in gone):
            yield f"it is said to leave by {other.exits} as {other.last.tuple_text()}, which it didn't"


def _by_way(stage: str, by: Decider | None, truth: Account, place: str) -> bool:
    """Whether the packet got lost where the walk says, between hooks: in routing, or on a link or bridge."""
    if truth.where == "hook":
        if stage in _ROUTING and truth.stage == "output":
            # A new route after OUTPUT's NAT or marks is looked up inside the hook (ip_route_me_harder).
            return truth.by is None or truth.by.verdict != "drop"
        # Copies of a flooded frame are stopped each on its way out of another port.
        return truth.by is None or (truth.stage == "forward" and _floods(by))
    if stage in _ROUTING:
        return truth.where in {"routing", "nowhere"} and truth.place == place
    return truth.where in {"link", "nowhere", "routing" if stage == "bridge" else ""}


def _floods(by: Decider | None) -> bool:
    """Whether a frame is said to end where the bridge doesn't know its MAC, and floods it."""
    return by is not None and (by.kind == "neighbour" or by.value in {"DOWN", "disabled"})


def _same(said: Packet, seen: Sight) -> bool:
    """Whether the tuples agree; a port that the walk leaves open, as NAT chose it at random, fits any."""
    ports = ((said.sport, seen.sport), (said.dport, seen.dport))
    return (said.src, said.dst) == (seen.src, seen.dst) and all(told in {real, None} for told, real in ports)


def first_packet(probe: Probe) -> Packet:
    """The probe as the walk takes it."""
    echo = 128 if probe.family == "ip6" else 8
    return Packet(
        family=probe.family,
        src=probe.src,
        dst=probe.dst,
        proto="icmpv6" if probe.proto == "icmp" and probe.family == "ip6" else probe.proto,
        sport=probe.sport,
        dport=probe.dport,
        icmp_type=echo if probe.proto == "icmp" else 0,
        tcp_flags=("SYN",) if probe.proto == "tcp" else (),
    )
