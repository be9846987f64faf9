"""What is sent on a host, and whether what came of it is what the walk and a trace say.

Packets are judged by the walk on the whole snapshot
(:mod:`lab.differential.judge`), connections by a trace on a snapshot as it is
on a real host, where nobody sees what is beyond the uplink.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import msgspec

from dnet_tui.actions.demo.topology import DEMO
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import Snapshot, known_items
from lab.differential.engines import LOOPBACKS, places_of, probes_of
from lab.differential.host import observe_in
from lab.differential.judge import CLOSED, Court, Judgement, claim_of, fits
from lab.differential.spec import HOST, OUTSIDE, HostSpec, Observation, Part, Probe
from lab.machines.hosts import LAB_ID, LAB_VARIABLE, DemoHost, LabHost

BEYOND = (DEMO.outside_server,)
"""What is outside and answers."""


class Disagreement(Part, frozen=True, kw_only=True):
    """One packet or connection of which something else was said than what happened, or nothing definite."""

    host: str
    fault: str
    result: str
    asked: str
    """``trace`` for a connection, ``walk`` for a packet."""
    origin: str
    src: str
    dst: str
    proto: str
    dport: int
    said: str
    kernel: str
    reasons: tuple[str, ...] = ()


def sent(host: LabHost, snapshot: Snapshot) -> tuple[HostSpec, Observation]:
    """Send everything on a host, and return what was sent and what the kernel did."""
    places = _places(host, snapshot)
    packets = probes_of(snapshot, places)
    number = max((item.number for item in packets), default=0)
    replace = msgspec.structs.replace
    wanted = dict.fromkeys(
        replace(probe, number=0, connects=True) for probe in (*packets, *_outward(packets)) if probe.proto == "tcp"
    )
    connections = tuple(replace(probe, number=number + at) for at, probe in enumerate(wanted, start=1))
    spec = HostSpec(existing=places, probes=(*packets, *connections))
    return spec, observe_in(host.sandbox, spec, {LAB_VARIABLE: LAB_ID})


def _places(host: LabHost, snapshot: Snapshot) -> dict[str, str]:
    if isinstance(host, DemoHost):
        return {HOST: "", OUTSIDE: f"/run/netns/{DEMO.outside}"} | {
            member.name: f"/run/netns/{member.name}" for member in DEMO.members
        }
    return places_of(snapshot, host.pids)  # type: ignore[attr-defined]


def _outward(packets: tuple[Probe, ...]) -> Iterator[Probe]:
    """To the outside's server as well, by the source that goes to the outside's own address."""
    for probe in packets:
        if probe.proto == "tcp" and probe.dport == 80 and probe.dst == DEMO.outside_address.partition("/")[0]:
            yield from (msgspec.structs.replace(probe, dst=dst) for dst in BEYOND)


def judged(name: str, fault: str, spec: HostSpec, seen: Observation) -> Iterator[Disagreement | None]:
    """Judge what was sent; None for what agrees."""
    court = Court(spec, seen)
    narrow = HostContext(without_outside(court.view.snapshot, seen.namespaces[OUTSIDE]))
    whole = HostContext(court.view.snapshot)
    aliases = _aliases(court.view.snapshot, {ident: place for place, ident in seen.namespaces.items()})
    for probe in spec.probes:
        if not probe.connects:
            yield _told(name, fault, probe, court.judge(probe))
            continue
        answered = court.outcomes[probe.number].answered
        answered = aliases.get(answered, answered)
        if answered == "closed" and probe.dst in _outside(court):
            answered = OUTSIDE  # its server closes before it has read what it was asked
        if probe.origin == OUTSIDE and answered == "unreachable":
            continue  # it has no way to send this at all
        for case in (narrow, whole):
            yield _traced(name, fault, case, court, probe, answered)


def _aliases(snapshot: Snapshot, places: dict[str, str]) -> dict[str, str]:
    """The places by the names that are answered with: several containers may be in one."""
    named = {item.name: places[item.netns] for item in snapshot.containers if item.netns in places}
    return {**named, DEMO.outside: OUTSIDE}


def _told(name: str, fault: str, probe: Probe, found: Judgement) -> Disagreement | None:
    unwatched = any("net:[" in reason for reason in found.reasons)  # a container that the fault itself brought
    # What came back to the sender's own port is what a server answered that the fault itself brought.
    came_back = any(f" > {probe.src}:{probe.sport}" in word for word in found.kernel) and probe.proto == "udp"
    if found.result == "agrees" or unwatched or came_back:
        return None
    said = "/".join(filter(None, found.end))
    return _disagreement(
        name, fault, probe, found.result, "walk", said, "; ".join(filter(None, found.kernel)), found.reasons
    )


def _traced(name: str, fault: str, case: HostContext, court: Court, probe: Probe, answered: str) -> Disagreement | None:
    """A connection, against the trace that a person would ask for."""
    containers = {item.netns or "": item.name for item in known_items(court.view.snapshot.containers)}
    by_id = {**containers, **{ident: place for place, ident in court.ids.items()}}
    try:
        source = find(case, probe.src if probe.origin == OUTSIDE else probe.origin)
        if probe.origin == HOST and probe.src not in LOOPBACKS.values():
            source = find(case, "host")
        found = trace(case, source, find(case, probe.dst), port=probe.dport, sport=probe.sport)
    except DnetError as error:
        return _disagreement(name, fault, probe, "unknown", "trace", error.message, answered, (error.hint,))
    if found.forward.start.src != probe.src:
        return None  # another question than what was sent
    claim = claim_of(found.forward, found.answer, found.relay, by_id, found.later)
    if (found.held_by or found.paused) and claim.startswith("answer "):
        claim = CLOSED
    by = found.decided_by.text if found.decided_by is not None else ""
    beyond = found.forward.end == "left"
    if not claim:
        return _disagreement(name, fault, probe, "unknown", "trace", "unknown", answered, (by,))
    if beyond and not answered and found.forward.last.dst not in _outside(court):
        return None  # an answer is expected of somebody who isn't there
    if beyond and found.answer is not None and found.answer.last.dst == probe.src and _knows_a_way(court, probe.src):
        return None  # this outside routes the containers' subnet to the host, which no host can know
    # What is beyond the uplink isn't seen: whoever answers there is expected to.
    right = bool(answered) and answered != "closed" if beyond and claim.startswith("answer ") else fits(claim, answered)
    return None if right else _disagreement(name, fault, probe, "wrong", "trace", claim, answered, (by, found.why))


def _outside(court: Court) -> set[str]:
    """The addresses of what is outside, but for those that every host has for itself."""
    ns = court.view.namespaces.get(court.ids[OUTSIDE])
    return {item.address for item in ns.addresses if item.scope != "host"} if ns is not None else set()


def _knows_a_way(court: Court, address: str) -> bool:
    """Whether the outside has a route of its own to an address that only this host's networks have."""
    ns = court.view.namespaces.get(court.ids[OUTSIDE])
    wanted = ipaddress.ip_address(address)
    nets = (ipaddress.ip_network(item.dst) for item in (known_items(ns.routes) if ns is not None else ()))
    return any(wanted.version == net.version and net.prefixlen and wanted in net for net in nets)


def _disagreement(
    name: str, fault: str, probe: Probe, result: str, asked: str, said: str, kernel: str, reasons: tuple[str, ...]
) -> Disagreement:
    return Disagreement(
        host=name,
        fault=fault,
        result=result,
        asked=asked,
        origin=probe.origin,
        src=probe.src,
        dst=probe.dst,
        proto=probe.proto,
        dport=probe.dport,
        said=said,
        kernel=kernel or "no answer",
        reasons=tuple(filter(None, reasons)),
    )


def without_outside(snapshot: Snapshot, outside: str) -> Snapshot:
    """The snapshot as it would be if the uplink's other end were another machine's."""
    replace = msgspec.structs.replace

    def far(ns: object) -> object:
        links = tuple(
            replace(link, peer=None, kind="", peer_note="")
            if link.peer is not None and link.peer.namespace == outside
            else link
            for link in ns.links  # type: ignore[attr-defined]
        )
        return replace(ns, links=links)  # type: ignore[type-var]

    kept = tuple(far(ns) for ns in snapshot.namespaces if ns.id != outside)
    return replace(snapshot, namespaces=kept)
