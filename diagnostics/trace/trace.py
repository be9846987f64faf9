"""One traced packet with its answer, and the reason in words.  Pure."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import msgspec

from dnet_tui.diagnostics.checks.subjects.docker28_isolation import why as protects
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.context.iptables_layout import in_user_chain
from dnet_tui.diagnostics.trace.endpoints import TraceEndpoint
from dnet_tui.diagnostics.trace.first_packet import DEFAULT_PORT, TraceProtocol, first_packet, sized
from dnet_tui.diagnostics.trace.meant_receiver import intended
from dnet_tui.diagnostics.trace.outside import assumption, is_outside
from dnet_tui.diagnostics.trace.paused import PAUSED, PausedReceiver, paused_receiver
from dnet_tui.diagnostics.trace.reception import (
    Relay,
    at_a_service,
    holder,
    received_by,
    redirected,
    relay,
)
from dnet_tui.diagnostics.trace.unanswerable import NOBODY_ANSWERS, unanswerable
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.icmp_too_big import too_big_message
from dnet_tui.diagnostics.walk.later_packets import LaterPacket, later_packets, worst
from dnet_tui.diagnostics.walk.packet import Decider, Hedge, Truth, Walk
from dnet_tui.diagnostics.walk.stages.mtu import STAGE
from dnet_tui.inspect.model import LinkRef, Network, NotSeen

AnswerState = Literal["returns", "expected", "unanswerable", "misdelivered", "lost", "unknown"]
"""``expected``: it comes from beyond what can be seen.  ``unanswerable``: nobody there can send one."""


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A packet walked from one place to another, and its answer walked back when it arrived.

    ``why`` says in words what the end means: by design, by whose rule.
    """

    source: TraceEndpoint
    target: TraceEndpoint
    forward: Walk
    answer: Walk | None
    why: str
    later: tuple[LaterPacket, ...] = ()
    """The connection's later packets, where they may fare otherwise than the first one and its answer."""
    told: Walk | None = None
    """The ICMP message to the sender of a packet that is too big, where one is sent."""
    relay: Relay | None = None
    """What a proxy that took the connection does with it."""
    received_by: str = ""
    """Who received it: a container, ``host``, outside; empty where nobody has."""
    intended: Truth = None
    """Whether that is who was meant."""
    assumed: str = ""
    """What was assumed where the host doesn't say it, in words: which link stands for the way outside."""
    paused: PausedReceiver | None = None
    """Who received it, where that is a paused container."""
    held_by: str = ""
    """The program that took it only because it holds the port, and will never answer."""

    @property
    def arrives(self) -> Truth:
        """Whether the packet gets to who was meant and its answer gets back."""
        ways = [self.forward.arrives] + ([self.answer.arrives] if self.answer is not None else [])
        ways += [self.relay.arrives] if self.relay is not None else []
        ways += [item.walk.arrives for item in self.later]
        ways += [False] if self.intended is False else []
        ways += [False if self.paused.certain else None] if self.paused is not None else []
        return False if False in ways else None if None in ways else True

    @property
    def stopped_later(self) -> LaterPacket | None:
        """The later packet that doesn't get through, where the first one and its answer do."""
        opened = self.answer is not None and self.answer.arrives is True
        if not opened or (self.relay is not None and self.relay.failing is not None):
            return None
        return worst(self.later)

    @property
    def failing(self) -> Walk:
        """The walk that fails, if one does: the packet's, its answer's, a proxy's own, or a later packet's."""
        if self.forward.arrives is True and self.answer is not None and self.answer.arrives is not True:
            return self.answer
        of_relay = self.relay.failing if self.relay is not None else None
        later = self.stopped_later
        return of_relay or (later.walk if later is not None else self.forward)

    @property
    def answer_state(self) -> AnswerState | None:
        """What becomes of the answer; None where nobody answers, for nothing arrived."""
        if self.answer is None:
            return None
        if self.answer.intended is False:
            return "misdelivered"
        if self.answer.arrives is None:
            return "unknown"
        if self.answer.arrives:
            return "expected" if self.forward.end == "left" else "returns"
        by_nobody = self.answer.obstacles[0].stage == NOBODY_ANSWERS if self.answer.obstacles else False
        return "unanswerable" if by_nobody else "lost"

    @property
    def hedges(self) -> tuple[Hedge, ...]:
        """What the verdict rests on that was taken for granted, of all the walks it is made of."""
        walks = [self.forward, self.answer, *(item.walk for item in self.later)]
        relay = self.relay
        while relay is not None:
            walks += [relay.forward, relay.answer, *(item.walk for item in relay.later)]
            relay = relay.next
        return tuple(dict.fromkeys(hedge for walk in walks if walk is not None for hedge in walk.hedges))

    @property
    def verdict(self) -> str:
        """The end in one word; where only the answer, a proxy's own connection or a later packet fails, its end."""
        if self.answer_state == "unanswerable":
            return "unanswerable"
        if self.answer is not None and self.answer.arrives is not True:
            return f"answer {self.answer.end}"
        failing = self.relay.failing if self.relay is not None else None
        if failing is not None:
            return f"proxy {failing.end}"
        later = self.stopped_later
        if later is not None:
            return f"{later.kind} {'misdelivered' if later.walk.intended is False else later.walk.end}"
        return self.forward.end if self.paused is None or not self.paused.certain else PAUSED

    @property
    def decided_by(self) -> Decider | None:
        """What decided the verdict."""
        return self.failing.decided_by


def trace(
    case: HostContext,
    source: TraceEndpoint,
    target: TraceEndpoint,
    *,
    proto: TraceProtocol = "tcp",
    port: int = 0,
    sport: int = 0,
    size: int = 0,
    df: bool | None = None,
    arrives_by: str = "",
) -> Trace:
    """Walk the first packet of a connection, and its answer.

    ``size`` is the whole packet's in bytes (0: it fits everywhere), ``df``
    its Don't Fragment bit (None: as Linux sends).  An echo's answer is as
    long; others are short.  ``arrives_by`` is the host's interface by which a
    packet from outside comes; empty: the one by which answers go there.

    Raises:
        UsageError: the two places have no address of the same family, or there is nothing to trace; or no
            packet has that size, or a link is named by which it can't come.
        CannotInspectError: there is no outside.
    """
    packet, arriving = first_packet(case, source, target, proto, target.port or port or DEFAULT_PORT, sport, arrives_by)
    packet = sized(packet, size, df=df)
    origin = source.namespace or (arriving.namespace if arriving else "")
    beyond = target.kind == "outside" or (not target.namespace and is_outside(case, packet.dst))
    forward = at_a_service(case, walk(case.view, packet, origin=origin, arriving=arriving, outside=beyond))
    answer = (unanswerable(case, forward) or reply(case.view, forward)) if forward.arrives else None
    told = too_big_message(case.view, forward)
    passed_on = relay(case, forward)
    meant = intended(case, target, forward, passed_on)
    found = Trace(
        source=source,
        target=target,
        forward=forward,
        answer=answer,
        why="",
        later=later_packets(case.view, forward, answer),
        told=told,
        relay=passed_on,
        received_by=received_by(case, forward, passed_on),
        intended=False if holder(forward) else meant,
        paused=paused_receiver(case, passed_on.last.forward if passed_on is not None else forward),
        held_by=holder(forward),
        assumed=_assumed(case, source, target, forward, arriving),
    )
    return msgspec.structs.replace(found, why=reason(case, source, target, found))


def reason(case: HostContext, source: TraceEndpoint, target: TraceEndpoint, found: Trace) -> str:
    """What a trace's end means, in words, for these two places; empty when the hops say it all."""
    why = ""
    with suppress(NotSeen):  # it only explains
        why = _why(case, source, target, found.forward, found.answer)
    why = why or _who_hears(found.forward, found.told) or _who_has_it(found.relay)
    asleep = found.paused.text if found.paused is not None else ""
    return asleep or _held(found.held_by) or _whose(found.intended, redirected(found.forward)) or why


def _assumed(
    case: HostContext, source: TraceEndpoint, target: TraceEndpoint, forward: Walk, arriving: LinkRef | None
) -> str:
    """Which link stands for the way outside, where the host itself doesn't say it."""
    with suppress(NotSeen):
        if source.kind == "outside" or arriving is not None:
            return assumption(case, address=forward.start.src, arriving=arriving, leaves="")
        if target.kind == "outside":
            return assumption(case, address=forward.start.dst, arriving=None, leaves=forward.exits)
    return ""


def _held(name: str) -> str:
    """That a port is only held."""
    return f"{name} only holds the port, so that nobody else takes it, and never answers" if name else ""


def _whose(meant: Truth, led: str) -> str:
    """That somebody else than who was meant has it, or may; empty where there is nothing to say."""
    if meant is True or not led:
        return ""
    return f"not meant for who received it: {led}" if meant is False else led


def _who_has_it(passed_on: Relay | None) -> str:
    """That a proxy is in between."""
    if passed_on is None:
        return ""
    words = []
    one: Relay | None = passed_on
    while one is not None:
        does = "connects" if one.certain else "was seen to connect"
        who = f"a {one.program}" if one.program == "proxy" else one.program
        words.append(f"{who} (process {one.proxy.pid}) that {does} to {one.to} from {one.forward.start.src}")
        one = one.next
    failing = passed_on.failing
    how = "which answers" if failing is None else f"whose own connection fails ({failing.end})"
    return f"taken by {', where it is taken by '.join(words)}, {how}"


def _who_hears(forward: Walk, told: Walk | None) -> str:
    """Whether the sender of a packet that was too big gets to know; empty for other ends."""
    by = forward.decided_by
    if forward.end != "too-big" or by is None:
        return ""
    if told is None:
        own = forward.obstacles[0].stage == STAGE and by.namespace == forward.origin
        return (
            "its sender gets an error at once (EMSGSIZE)"
            if own
            else "the sender is not notified: the frame is dropped silently"
        )
    name = "packet too big" if forward.start.family == "ip6" else "fragmentation needed"
    if told.arrives is None:
        return f"whether the sender hears of it (ICMP “{name}”) can't be decided"
    gets = "gets back to the sender, who may send less" if told.arrives else f"does not get back ({told.end})"
    return f"the ICMP message “{name}, mtu {by.value}” {gets}"


def _why(case: HostContext, source: TraceEndpoint, target: TraceEndpoint, forward: Walk, answer: Walk | None) -> str:
    """What the end means, in words; empty when the hops say it all."""
    failed = forward if forward.arrives is not True else answer
    if failed is None or failed.arrives is not False:
        return ""
    if failed.obstacles and failed.obstacles[0].stage == NOBODY_ANSWERS:
        by = failed.obstacles[0].by
        return by.text if by.rule is not None else ""
    rule = failed.decided_by.rule if failed.decided_by is not None else None
    if rule is not None and in_user_chain(rule):
        return f"by the administrator's own rule in {rule.chain}"
    guard = protects(case, rule, failed.last.dst) if rule is not None and failed is forward else ""
    here, there = _network_at(case, source), _network_at(case, target)
    if here is None or failed is not forward:
        return guard
    return _by_design(here, there, source, target, ruled=rule is not None) or guard


def _by_design(
    here: Network, there: Network | None, source: TraceEndpoint, target: TraceEndpoint, *, ruled: bool
) -> str:
    if there is not None and here.id != there.id and (there.isolated or here.internal or there.internal):
        return (
            f"by design: {source.label} and {target.label} are on different networks ({here.name}, {there.name}); "
            f"to let them talk, connect one to the other's network"
        )
    if there is not None and here.id == there.id and here.icc is False and ruled:
        return f"by design: on network {here.name} containers may not talk to each other (icc is off)"
    if target.kind in {"outside", "address"} and here.internal:
        return f"by design: network {here.name} is internal and has no way out"
    return ""


def _network_at(case: HostContext, place: TraceEndpoint) -> Network | None:
    for network in case.networks:
        if place.namespace and any(member.namespace == place.namespace for member in case.members(network)):
            return network
    return None
