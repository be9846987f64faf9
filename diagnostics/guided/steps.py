"""The steps of a guided check, made of a packet's walk: what was looked at, and what was found.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import TraceEndpoint
from dnet_tui.diagnostics.trace.unanswerable import NOBODY_ANSWERS
from dnet_tui.diagnostics.walk.packet import Decider, Hop, Obstacle, RuleRef, Walk
from dnet_tui.inspect.model import known_items

StepOutcome = Literal["ok", "stop", "unknown"]
Leg = Literal["there", "proxy", "proxy-answer", "answer", "later"]
"""Which of a trace's walks a step belongs to; ``later``: that of a later packet of the connection."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    ``place`` is where (a container, ``host``), ``section`` which part of the
    snapshot the answer rests on, ``looked_at`` the command that shows the
    same to a person, ``found`` what was seen, in words.  ``passed`` counts the
    hops of its walk (``leg``) up to and with this one; 0 before its first.
    """

    title: str
    outcome: StepOutcome
    place: str
    section: str
    looked_at: str
    found: tuple[str, ...] = ()
    leg: Leg = "there"
    passed: int = 0


_HOOKS = {
    "prerouting": "Rules for what comes in (PREROUTING)",
    "input": "Rules for what is for this place (INPUT)",
    "forward": "Rules for what is routed on (FORWARD)",
    "output": "Rules for what is made here (OUTPUT)",
    "postrouting": "Rules for what leaves (POSTROUTING)",
}

_STAGES: dict[str, tuple[str, str, str]] = {
    "routing": ("Route", "routes", "ip route get; ip rule"),
    "forwarding": ("Forwarding switch", "sysctls", "sysctl net.ipv4.ip_forward and those of the interfaces"),
    "reverse-path": ("Reverse-path filter", "sysctls", "sysctl net.ipv4.conf.*.rp_filter"),
    "neighbour": ("Neighbour", "neighbours", "ip neigh"),
    "bridge": ("Bridge and its ports", "links", "bridge link; bridge fdb"),
    "link": ("Link", "links", "ip link"),
    "local": ("Who takes it", "sockets", "ss -lntup"),
    "listener": ("Who takes it", "sockets", "ss -lntup"),
    "mtu": ("Size", "links", "ip link (mtu)"),
    "outside": ("Whether the outside can answer", "firewall", "iptables-save -t nat; nft list ruleset"),
    "answer": ("Whose answer it is", "sockets", "ss -ntup; conntrack -L"),
    "xfrm": ("IPsec policies", "xfrm", "ip xfrm policy"),
    "ingress": ("Traffic control", "traffic-control", "tc filter show"),
    "egress": ("Traffic control", "traffic-control", "tc filter show"),
}
_RULES = ("firewall", "nft list ruleset; iptables-save -c")


def steps_of(case: HostContext, walk: Walk, *, way: str = "", leg: Leg = "there") -> Iterator[Step]:
    """The steps of one walk, in the packet's order; the one that stops it is the last.

    ``way`` comes before each title: of the answer, of a proxy's own connection.
    """
    for step, passed in _steps(case, walk, way):
        yield msgspec.structs.replace(step, leg=leg, passed=passed)


def _steps(case: HostContext, walk: Walk, way: str) -> Iterator[tuple[Step, int]]:
    """Each step, and how many hops have been passed with it."""
    stop = walk.obstacles[0] if walk.obstacles else None
    groups: list[tuple[str, str, list[Hop]]] = []
    for hop in walk.hops:
        key = (hop.namespace, hop.stage)
        if groups and groups[-1][:2] == key:
            groups[-1][2].append(hop)
        else:
            groups.append((*key, [hop]))
    passed = 0
    for number, (namespace, stage, hops) in enumerate(groups):
        passed += len(hops)
        last = number == len(groups) - 1
        here = stop if stop is not None and last and _is_at(stop, namespace, stage) else None
        step = _step(case, namespace, stage, hops, here, way)
        if last and walk.end == "refused" and stage == "local" and walk.decided_by is not None:
            yield msgspec.structs.replace(step, outcome="stop", found=(walk.decided_by.text,)), passed
            return
        yield step, passed
        if here is not None:
            return
    if stop is not None:
        yield _stopped(case, stop, way), passed
    elif walk.end == "refused":
        by = walk.decided_by
        text = by.text if by is not None else "no process listens there"
        listener = Step(
            title=f"{way}Who takes it",
            outcome="stop",
            place=case.view.label(walk.last_namespace),
            section="sockets",
            looked_at="ss -lntup",
            found=(text,),
        )
        yield listener, passed


def _is_at(stop: Obstacle, namespace: str, stage: str) -> bool:
    """Whether it stops the packet at this step; of an answer that nobody sends the step is nowhere on the host."""
    return stop.stage == stage and (stop.by.namespace == namespace or stage == NOBODY_ANSWERS)


def _step(case: HostContext, namespace: str, stage: str, hops: list[Hop], stop: Obstacle | None, way: str) -> Step:
    title, section, looked_at = _about(stage)
    found = [text for hop in hops if (text := _hop_words(hop))]
    outcome: StepOutcome = "ok"
    if stop is not None:
        outcome = "unknown" if stop.end == "unknown" else "stop"
        if not any(decider_words(stop.by) in text for text in found):
            found.append(decider_words(stop.by))
    return Step(
        title=f"{way}{title}",
        outcome=outcome,
        place=case.view.label(namespace) if namespace else "outside",
        section=section,
        looked_at=looked_at,
        found=tuple(dict.fromkeys(found)),
    )


def _stopped(case: HostContext, stop: Obstacle, way: str) -> Step:
    """The step that ends a walk without a hop of its own."""
    title, section, looked_at = _about(stop.stage)
    if stop.by.kind == "gap":
        section = stop.by.value or section
    return Step(
        title=f"{way}{title}",
        outcome="unknown" if stop.end == "unknown" else "stop",
        place=case.view.label(stop.by.namespace) if stop.by.namespace else "outside",
        section=section,
        looked_at=looked_at,
        found=(decider_words(stop.by),),
    )


def _about(stage: str) -> tuple[str, str, str]:
    if stage in _HOOKS:
        return (_HOOKS[stage], *_RULES)
    return _STAGES.get(stage, (stage.replace("-", " ").capitalize(), "links", "ip -d link"))


def _hop_words(hop: Hop) -> str:
    """What a hop says beyond that it was passed."""
    words = [hop.verdict] if hop.verdict and hop.verdict != "accept" else []
    if hop.rule is not None:
        words.append(f"by {rule_words(hop.rule)}")
    if hop.note:
        words.append(f"({hop.note})")
    if not words and hop.verdict == "accept":
        return "nothing stops it"
    if hop.rule is not None and hop.verdict == "accept":
        words.insert(0, "accepted")
    link = f"{hop.interface}: " if hop.interface and hop.stage in {"bridge", "link", "neighbour"} else ""
    return link + " ".join(words) if words else ""


def rule_words(ref: RuleRef) -> str:
    """A rule with its place and, where it was counted, its packets."""
    count = f"  [{ref.packets} packets]" if ref.packets is not None else ""
    number = f" rule {ref.number}:" if ref.number else ""
    return f"{ref.table} {ref.chain}{number} {ref.text}{count}"


def decider_words(by: Decider) -> str:
    """What decides, in words, with the rule that it is."""
    if by.rule is not None:
        return rule_words(by.rule)
    return f"{by.text} = {by.value}" if by.kind == "sysctl" and by.value else by.text


def starting_step(case: HostContext, place: TraceEndpoint) -> Step | None:
    """How a container is attached: its interfaces, addresses and networks; None for other places."""
    ns = case.view.namespaces.get(place.namespace)
    if place.container is None or ns is None:
        return None
    links = {link.ifindex: link for link in known_items(ns.links)}
    networks = [
        network.name for network in case.networks if any(member.namespace == ns.id for member in case.everyone(network))
    ]
    found = [
        f"{links[item.ifindex].name} {item.cidr}, {'up' if links[item.ifindex].up else 'DOWN'}"
        for item in known_items(ns.addresses)
        if item.ifindex in links and links[item.ifindex].kind != "loopback" and item.scope == "global"
    ]
    found.append(f"on {'networks' if networks[1:] else 'network'} {', '.join(networks) or 'none that is a bridge'}")
    return Step(
        title="Addresses and networks",
        outcome="ok",
        place=case.view.label(ns.id),
        section="addresses",
        looked_at="ip address; docker inspect",
        found=tuple(found),
    )
