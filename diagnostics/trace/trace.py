"""One traced packet with its answer, and the reason in words.  Pure."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import msgspec

from dnet_tui.diagnostics.checks.subjects.docker28_isolation import why as protects
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.context.iptables_layout import in_user_chain
from dnet_tui.diagnostics.trace.endpoints import TraceEndpoint, uplink_ref
from dnet_tui.diagnostics.trace.reception import Relay, holder, intended, received_by, redirected, relay, unanswerable
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.icmp_too_big import too_big_message
from dnet_tui.diagnostics.walk.l3.routing import lookup
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Decider, Hedge, Packet, Truth, Walk
from dnet_tui.diagnostics.walk.stages.mtu import HEADER, LONGEST, SHORTEST, STAGE
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import LinkRef, Network, NotSeen, known_items, require

TraceProtocol = Literal["tcp", "udp", "icmp"]

EPHEMERAL = 40000
"""The source port of a traced packet that nobody asked for."""

DEFAULT_PORT = 80


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A packet walked from one place to another, and its answer walked back when it arrived.

    ``why`` says in words what the end means: by design, by whose rule.
    """

    source: TraceEndpoint
    target: TraceEndpoint
    forward: Walk
    answer: Walk | None
    why: str
    told: Walk | None = None
    """The ICMP message to the sender of a packet that is too big, where one is sent."""
    relay: Relay | None = None
    """What a proxy that took the connection does with it."""
    received_by: str = ""
    """Who received it: a container, ``host``, outside; empty where nobody has."""
    intended: Truth = None
    """Whether that is who was meant."""
    held_by: str = ""
    """The program that took it only because it holds the port, and will never answer."""

    @property
    def arrives(self) -> Truth:
        """Whether the packet gets to who was meant and its answer gets back."""
        ways = [self.forward.arrives] + ([self.answer.arrives] if self.answer is not None else [])
        ways += [self.relay.arrives] if self.relay is not None else []
        ways += [False] if self.intended is False else []
        return False if False in ways else None if None in ways else True

    @property
    def hedges(self) -> tuple[Hedge, ...]:
        """What the verdict rests on that was taken for granted, of all the walks it is made of."""
        walks = [self.forward, self.answer]
        walks += [self.relay.forward, self.relay.answer] if self.relay is not None else []
        return tuple(dict.fromkeys(hedge for walk in walks if walk is not None for hedge in walk.hedges))

    @property
    def verdict(self) -> str:
        """The end in one word; the answer's, or that of a proxy's own connection, when only that fails."""
        if self.answer is not None and self.answer.arrives is not True:
            return f"answer {self.answer.end}"
        failing = self.relay.failing if self.relay is not None else None
        return f"proxy {failing.end}" if failing is not None else self.forward.end

    @property
    def decided_by(self) -> Decider | None:
        """What decided the verdict."""
        failing = self.relay.failing if self.relay is not None else None
        if failing is not None and (self.answer is None or self.answer.arrives is True):
            return failing.decided_by
        if self.answer is not None and self.answer.arrives is not True:
            return self.answer.decided_by
        return self.forward.decided_by


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
) -> Trace:
    """Walk the first packet of a connection, and its answer.

    ``size`` is the whole packet's in bytes (0: it fits everywhere), ``df``
    its Don't Fragment bit (None: as Linux sends).  An echo's answer is as
    long; others are short.

    Raises:
        UsageError: the two places have no address of the same family, or there is nothing to trace; or no
            packet has that size.
        CannotInspectError: there is no outside.
    """
    packet, arriving = _first_packet(case, source, target, proto, target.port or port or DEFAULT_PORT, sport)
    packet = _sized(packet, size, df=df)
    origin = source.namespace or (arriving.namespace if arriving else "")
    forward = walk(case.view, packet, origin=origin, arriving=arriving, outside=target.kind == "outside")
    answer = (unanswerable(case, forward) or reply(case.view, forward)) if forward.arrives else None
    told = too_big_message(case.view, forward)
    passed_on = relay(case, forward)
    meant = intended(case, target, forward, passed_on)
    why = ""
    with suppress(NotSeen):  # it only explains
        why = _why(case, source, target, forward, answer)
    why = why or _who_hears(forward, told) or _who_has_it(passed_on)
    return Trace(
        source=source,
        target=target,
        forward=forward,
        answer=answer,
        why=_held(holder(forward)) or _whose(meant, redirected(forward)) or why,
        told=told,
        relay=passed_on,
        received_by=received_by(case, forward, passed_on),
        intended=False if holder(forward) else meant,
        held_by=holder(forward),
    )


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
    proxy = passed_on.proxy
    where = f"{proxy.container_ip}:{proxy.container_port}"
    failing = passed_on.failing
    how = "which answers" if failing is None else f"whose own connection fails ({failing.end})"
    return f"taken by a proxy (process {proxy.pid}) that connects to {where} from {passed_on.forward.start.src}, {how}"


def _sized(packet: Packet, size: int, *, df: bool | None) -> Packet:
    least = HEADER[packet.family] + SHORTEST.get(packet.proto, 0)
    if size and not least <= size <= LONGEST:
        version = "IPv6" if packet.family == "ip6" else "IPv4"
        raise UsageError(f"no {packet.proto} packet of {version} has {size} bytes", f"it has from {least} to {LONGEST}")
    return msgspec.structs.replace(packet, length=size, df=df) if size else packet


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


def _first_packet(
    case: HostContext, source: TraceEndpoint, target: TraceEndpoint, proto: TraceProtocol, port: int, sport: int
) -> tuple[Packet, LinkRef | None]:
    if source.kind == "outside" and target.kind == "outside":
        raise UsageError("nothing to trace from outside to outside", "name a container, the host or an address")
    dst = _destination(case, source, target)
    arriving = None
    if source.kind == "outside" or not source.namespace:
        arriving = uplink_ref(case)
        src = source.addresses[0]
    else:
        src = _source_address(case, source, dst)
    ports = proto != "icmp"
    packet = Packet(
        family="ip6" if ":" in dst else "ip",
        src=src,
        dst=dst,
        proto="icmpv6" if proto == "icmp" and ":" in dst else proto,
        sport=(sport or EPHEMERAL) if ports else 0,
        dport=port if ports else 0,
        icmp_type=0 if ports else (128 if ":" in dst else 8),
        tcp_flags=("SYN",) if proto == "tcp" else (),
    )
    return packet, arriving


def _destination(case: HostContext, source: TraceEndpoint, target: TraceEndpoint) -> str:
    """The target's address that the source would use: on a network they share, else its first."""
    if target.kind == "host" and source.kind == "container":
        shared = _shared_gateway(case, source)
        if not shared:
            require(case.snapshot.networks)  # one of those that weren't seen may be the one they share
        return shared or target.addresses[0]
    if source.namespace and len(target.addresses) > 1:
        ns = case.view.namespaces[source.namespace]
        routes = known_items(ns.routes)  # without them the walk says that nobody knows
        links = {
            route.dst for route in routes if route.type == "unicast" and all(not hop.gateway for hop in route.hops)
        }
        for address in target.addresses:
            if any(contains(cidr, address) is True for cidr in links):
                return address
    if not target.addresses:
        raise UsageError(f"{target.label} has no address", "choose another place")
    return target.addresses[0]


def _shared_gateway(case: HostContext, source: TraceEndpoint) -> str:
    """The host's address on a network of the source: what a container calls its host."""
    for network in case.networks:
        if any(member.namespace == source.namespace for member in case.members(network)):
            host = case.view.host
            link = case.view.link_named(host.id, network.bridge) if host is not None else None
            if host is not None and link is not None:
                ref = LinkRef(namespace=host.id, ifindex=link.ifindex)
                return next((item.address for item in case.view.addresses_of(ref) if item.family == "ip"), "")
    return ""


def _source_address(case: HostContext, source: TraceEndpoint, dst: str) -> str:
    """The address the kernel would choose: the route's, else one of the outgoing interface."""
    ns = case.view.namespaces[source.namespace]
    family: Literal["ip", "ip6"] = "ip6" if ":" in dst else "ip"
    blank = "0.0.0.0" if family == "ip" else "::"  # noqa: S104 - no address yet, as the kernel's first look-up has none
    with suppress(NotSeen):  # the walk comes to it as well, and says so
        answer = lookup(index_of(case.view, ns), Packet(family=family, src=blank, dst=dst, proto="tcp"))
        if answer.source:
            return answer.source
        if answer.type == "local":
            return dst
        for item in ns.addresses:
            if item.ifindex == answer.ifindex and item.family == family and item.scope == "global":
                return item.address
    fitting = [address for address in source.addresses if (":" in address) == (family == "ip6")]
    if not fitting:
        raise UsageError(
            f"{source.label} has no address of the family of {dst}", "choose an address of the other family"
        )
    return fitting[0]


def _why(case: HostContext, source: TraceEndpoint, target: TraceEndpoint, forward: Walk, answer: Walk | None) -> str:
    """What the end means, in words; empty when the hops say it all."""
    failed = forward if forward.arrives is not True else answer
    if failed is None or failed.arrives is not False:
        return ""
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
