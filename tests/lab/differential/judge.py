"""Compares what the walk says with what the kernel did.  Pure.

A definite answer must be right in everything it says
(:mod:`dnet_tui.diagnostics.trace.walk_vs_kernel`), and so must the other ways to ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import product
from typing import Literal

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.reception import Relay, relay
from dnet_tui.diagnostics.trace.trace_events import PacketOutcome
from dnet_tui.diagnostics.trace.walk_vs_kernel import Agreement, answer_kind, same_tuple
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.later_packets import LaterPacket, later_packets, worst
from dnet_tui.diagnostics.walk.packet import Hedge, Packet, RuleRef, Walk
from dnet_tui.inspect.model import LinkRef
from dnet_tui.inspect.model.view import View
from lab.differential import wire
from lab.differential.account import BRIDGE, account, bridge_drops, copies, sent_answer
from lab.differential.chance import lots, other_outcomes
from lab.differential.spec import HOST, OUTSIDE, UPLINK, HostSpec, Observation, Outcome, Part, Probe
from lab.recordings import recording

Result = Literal["agrees", "unknown", "wrong", "alone"]
"""``alone``: it agrees where it is the host's first packet, but not after the others, of which one taught somebody
what the snapshot doesn't show (a neighbour, a bridge's entry)."""


class Judgement(Part, frozen=True, kw_only=True):
    """One probe judged.  ``reasons`` are what is wrong, or why it is unknown; ``end`` is the walk's (there, back)."""

    probe: Probe
    result: Result
    reasons: tuple[str, ...] = ()
    end: tuple[str, str] = ("", "")
    kernel: tuple[str, str] = ("", "")


class Court:
    """Judges the probes of one host."""

    def __init__(
        self, spec: HostSpec, seen: Observation, *, there: View | None = None, back: View | None = None
    ) -> None:
        self.spec = spec
        self.seen = seen
        self.moments = seen.moments
        self.is_other = there is not None
        """It judges what else may have been drawn by lot: ``there`` and ``back``, the hosts on which it was."""
        self.view = there or View(recording.snapshot(seen.snapshot))
        self.back = back or self.view
        self.ids = seen.namespaces
        self.outcomes = {outcome.probe: outcome for outcome in seen.outcomes}

    @cached_property
    def places(self) -> dict[str, str]:
        """Places by the namespace's id."""
        return {ident: place for place, ident in self.ids.items()}

    @cached_property
    def case(self) -> HostContext:
        """The snapshot as a trace takes it."""
        return HostContext(self.view.snapshot)

    @cached_property
    def agreement(self) -> Agreement:
        """The comparison that the program itself makes, which here sees legacy rules as well."""
        return Agreement(self.view, self.places)

    def judge(self, probe: Probe) -> Judgement:
        """Walk the probe and its answer, and compare both with what happened."""
        moment = self.moments.get(probe.number)
        if moment is not None:
            own = Court(self.spec, msgspec.structs.replace(self.seen, snapshot=moment, moments={}))
            return own.judge(probe)
        outcome = self.outcomes[probe.number]
        packet = first_packet(probe)
        there = walk(self.view, packet, origin=self.ids[probe.origin])
        if probe.connects:
            return self._judge_connection(probe, there, outcome.answered)
        truth = account(outcome, "there", probe.origin)
        wrong = [*self._compare(there, truth, outcome, ""), *self._bridge_rule(there, outcome), *_taker(there, outcome)]
        if truth.where == "arrived":
            wrong += answer_kind(there, sent_answer(outcome, truth.place))
        wrong += self._variants(probe, packet, there, outcome)
        back: Walk | None = None
        fate: PacketOutcome | None = None
        answered = sent_answer(outcome, truth.place) if truth.where == "arrived" else ""
        if answered and there.end in {"delivered", "refused"} and not wrong:
            back = reply(self.back, there)
            fate = account(outcome, "back", truth.place, answered)
            complaints = [list(self._compare(back, one, outcome, answered)) for one in copies(outcome, "back", fate)]
            wrong += [*min(complaints, key=len), *self._bridge_rule(back, outcome, answered)]
            taken = self._taken_way(there, truth, outcome)
            if taken is not None:
                one = reply(self.back, taken)
                wrong += [f"of the way it took: {words}" for words in self._compare(one, fate, outcome, answered)]
        ends = (there.end, back.end if back else "")
        result: Result = "wrong" if wrong else "unknown" if "unknown" in ends else "agrees"
        if wrong and self._is_by_chance(probe, packet):
            result = "unknown"  # it says that it may be otherwise, and for how many packets
        elif result == "unknown":
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

    def _is_by_chance(self, probe: Probe, packet: Packet) -> bool:
        """Whether another outcome of the lots that a walk names is what happened.

        Each packet draws anew: the way back may have drawn otherwise than the way there.
        """
        if self.is_other:
            return False
        rules: tuple[RuleRef, ...] = ()
        views = [self.view]
        while True:
            hedges = (hedge for view in views for hedge in self._hedges(view, packet, probe.origin))
            met = tuple(dict.fromkeys((*rules, *lots(tuple(hedges)))))
            if met == rules:
                break
            rules = met  # where one falls otherwise, the packet may meet more
            views = [self.view, *map(View, other_outcomes(self.view.snapshot, rules))]
        for there, back in product(views, repeat=2):
            if (there, back) != (self.view, self.view):
                court = Court(self.spec, msgspec.structs.replace(self.seen, moments={}), there=there, back=back)
                if court.judge(probe).result != "wrong":  # where it is unknown on that host, it is honestly so
                    return True
        return False

    def _hedges(self, view: View, packet: Packet, origin: str) -> Iterator[Hedge]:
        there = walk(view, packet, origin=self.ids[origin])
        yield from there.hedges
        if there.arrives:
            back = reply(view, there)
            yield from back.hedges
            for later in later_packets(view, there, back):
                yield from later.walk.hedges

    def _compare(self, said: Walk, truth: PacketOutcome, outcome: Outcome, kind: str) -> Iterator[str]:
        if said.end == "left":
            yield "it is said to have left, though what is outside can be seen"
        else:
            yield from self.agreement.compare(said, truth, outcome.sights, kind)

    def _taken_way(self, said: Walk, truth: PacketOutcome, outcome: Outcome) -> Walk | None:
        """Which of several possible ways the packet took, where that can be told; None for the only one."""
        ways = [msgspec.structs.replace(way, others=()) for way in (said, *said.others)]
        fitting = [way for way in ways if not list(self.agreement.compare(way, truth, outcome.sights))]
        return fitting[0] if len(ways) > 1 and len(fitting) == 1 else None

    def _bridge_rule(self, said: Walk, outcome: Outcome, kind: str = "") -> Iterator[str]:
        """Where a bridge's own rule is said to drop a frame, it must be one that did."""
        by = said.decided_by
        if said.end != "dropped" or by is None or by.rule is None or by.rule.family != BRIDGE:
            return
        rules = (by.rule, *by.instead)
        place = self.places.get(by.rule.namespace, "")
        drops = bridge_drops(outcome, "back" if kind else "there", kind)
        if not any(self.agreement.is_rule(rule, drop, place) for rule in rules for drop in drops):
            seen = ", ".join(f"{drop.table} {drop.chain} handle {drop.handle}" for drop in drops) or "none"
            yield f"dropped is said to be by the bridge's {by.text}, but its dropping rules were {seen}"

    def _judge_connection(self, probe: Probe, there: Walk, answered: str) -> Judgement:
        """A real connection: who answered, or how it failed, against what the walk says of packet and answer."""
        back = reply(self.back, there) if there.arrives else None
        ends = (there.end, back.end if back else "")
        later = later_packets(self.back, there, back)
        claim = claim_of(there, back, relay(self.case, there), self.places, later)
        wrong = (
            ()
            if fits(claim, answered)
            else (f"a connection is said to end as {claim!r}, but it ended as {answered!r}",)
        )
        walked = [way for way in (there, back, *(item.walk for item in later)) if way is not None]
        by_chance = bool(wrong) and self._is_by_chance(probe, first_packet(probe))
        result: Result = "unknown" if not claim or by_chance else "wrong" if wrong else "agrees"
        if not claim and result == "unknown":
            undecided = next((way for way in walked if way.end == "unknown"), there)
            wrong = (f"unknown: {undecided.decided_by.text if undecided.decided_by else ''}",)
        return Judgement(probe=probe, result=result, reasons=wrong, end=ends, kernel=(answered or "no answer", ""))

    def _variants(self, probe: Probe, packet: Packet, there: Walk, outcome: Outcome) -> Iterator[str]:
        """The two other ways to ask: with the walk ending at the uplink, and with one beginning there."""
        if OUTSIDE not in {probe.origin, self.places.get(there.last_namespace)} or _is_in_a_tunnel(there):
            return
        if probe.origin == OUTSIDE:
            link = self.view.link_named(self.ids[HOST], UPLINK)
            if link is None or len(there.hops) < 2 or there.last_namespace == self.ids[OUTSIDE]:
                return
            arriving = LinkRef(namespace=self.ids[HOST], ifindex=link.ifindex)
            other = walk(self.view, packet, origin=self.ids[HOST], arriving=arriving)
            # Of who sent the frame less is known there: its MAC address.
            # ... and its hop limit; what rests on such a thing says so.  Of two rules either may come first.
            if (
                other.end != "unknown"
                and not other.hedges
                and not any(way.decided_by is not None and way.decided_by.instead for way in (there, other))
                and (there.end, there.last_namespace)
                not in {(way.end, way.last_namespace) for way in (other, *other.others)}
            ):
                yield f"from outside it is {there.end}, but arriving at the uplink {other.end}"
            return
        other = walk(self.view, packet, origin=self.ids[probe.origin], outside=True)
        if other.end != "left" or other.carried:
            return
        gone = [
            s
            for s in outcome.sights
            if (s.place, s.direction, s.point, s.stage) == (HOST, "there", "tail", "postrouting")
        ]
        if not any(same_tuple(way.last, s) for way in (other, *other.others) for s in gone):
            yield f"it is said to leave by {other.exits} as {other.last.tuple_text()}, which it didn't"


def _is_in_a_tunnel(said: Walk) -> bool:
    """Whether it goes through a tunnel, and so doesn't cross the uplink as it is."""
    asked = any("doesn't get through" in item.by.text for item in said.obstacles)
    return asked or any(hop.stage == "tunnel" or hop.outer for hop in said.hops)


def _taker(said: Walk, outcome: Outcome) -> Iterator[str]:
    """The socket that is said to take a datagram must be the one that did."""
    by = said.decided_by
    if said.end != "delivered" or by is None or by.kind != "socket" or not outcome.taken or said.others:
        return
    _, address, port = outcome.taken.split()
    if not by.text.endswith(f" {address}:{port}"):
        yield f"{by.text} is said to take it, but {outcome.taken} did"


HALF, RESET = "a short answer may come", "taken, and then rejected"
ANSWER, REFUSED, NOTHING, CLOSED = "answer ", "refused", "no answer", "taken, but not answered"


def claim_of(
    there: Walk,
    back: Walk | None,
    passed_on: Relay | None,
    places: Mapping[str, str],
    later: tuple[LaterPacket, ...] = (),
) -> str:
    """What is said of a connection: who answers, ``refused``, ``rejected``, or no answer; empty: unknown."""
    ways = [way for way in (there, back) if way is not None]
    if any(way.end == "unknown" for way in ways):
        return ""
    if not all(way.arrives for way in ways):
        by = there.decided_by  # of two rules at one place and priority, either may be asked first
        return "rejected" if there.end == "rejected" or (by is not None and by.instead) else NOTHING
    if there.end == REFUSED:
        return REFUSED
    stopped = worst(later)
    if stopped is not None and stopped.kind == "acknowledgement" and stopped.walk.arrives is False:
        return HALF
    if stopped is not None and stopped.walk.end == "rejected":
        return RESET
    if stopped is not None:
        return CLOSED if stopped.walk.arrives is False else ""
    if passed_on is not None:
        if passed_on.arrives is not True:
            return "" if passed_on.arrives is None else CLOSED
        there = passed_on.forward
    receivers = dict.fromkeys(places.get(way.last_namespace, way.last_namespace) for way in (there, *there.others))
    return ANSWER + "|".join(receivers)


def fits(claim: str, answered: str) -> bool:
    """Whether what became of a connection is what was said of it."""
    if claim.startswith(ANSWER):
        return answered in claim.removeprefix(ANSWER).split("|")
    if claim == REFUSED:
        return answered == REFUSED
    if claim == HALF:
        return answered not in {REFUSED, "unreachable"}
    if claim == RESET:
        return answered in {"", "closed", REFUSED, "unreachable"}
    if claim == CLOSED:
        return answered in {"", "closed"}
    if claim == "rejected":
        return answered in {REFUSED, "unreachable", ""}
    return answered in {"", "unreachable"}


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
        tos=0 if probe.connects or probe.family == "ip6" else wire.TOS,
    )
