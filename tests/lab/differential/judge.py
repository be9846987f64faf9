"""Compares what the walk says with what the kernel did.  Pure.

A definite answer must be right in everything it says
(:mod:`dnet_tui.diagnostics.trace.walk_vs_kernel`), and so must the other ways to ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from dnet_tui.diagnostics.trace.trace_events import Account
from dnet_tui.diagnostics.trace.walk_vs_kernel import Agreement, answer_kind, same_tuple
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import LinkRef
from dnet_tui.inspect.model.view import View
from lab import recording
from lab.differential.account import account, sent_answer
from lab.differential.spec import HOST, OUTSIDE, UPLINK, HostSpec, Observation, Outcome, Part, Probe

Result = Literal["agrees", "unknown", "wrong"]


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
        self.view = View(recording.snapshot(seen.snapshot))
        self.ids = seen.namespaces
        self.outcomes = {outcome.probe: outcome for outcome in seen.outcomes}

    @cached_property
    def places(self) -> dict[str, str]:
        """Places by the namespace's id."""
        return {ident: place for place, ident in self.ids.items()}

    @cached_property
    def agreement(self) -> Agreement:
        """The comparison that the program itself makes, which here sees legacy rules as well."""
        return Agreement(self.view, self.places)

    def judge(self, probe: Probe) -> Judgement:
        """Walk the probe and its answer, and compare both with what happened."""
        outcome = self.outcomes[probe.number]
        packet = first_packet(probe)
        there = walk(self.view, packet, origin=self.ids[probe.origin])
        truth = account(outcome, "there", probe.origin)
        wrong = list(self._compare(there, truth, outcome, ""))
        if truth.where == "arrived":
            wrong += answer_kind(there, sent_answer(outcome, truth.place))
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
        if said.end == "left":
            yield "it is said to have left, though what is outside can be seen"
        else:
            yield from self.agreement.compare(said, truth, outcome.sights, kind)

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
            # Of who sent the frame less is known there: its MAC address.
            if other.end != "unknown" and (other.end, other.last_namespace) != (there.end, there.last_namespace):
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
        if not any(same_tuple(way.last, s) for way in (other, *other.others) for s in gone):
            yield f"it is said to leave by {other.exits} as {other.last.tuple_text()}, which it didn't"


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
