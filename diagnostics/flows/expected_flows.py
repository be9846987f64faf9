"""The flows that ought to pass, or ought not to, by the networks' own options.  Pure.

Each is walked there and back, for IPv4 and for IPv6.  A network that asks for
nothing (an intention of None) yields no expectation, so nothing is ever
reported against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise, permutations

import msgspec

from dnet_tui.diagnostics.context.host_context import INFERRED, AttachedContainer, HostContext
from dnet_tui.diagnostics.flows.dns_flows import server_flows
from dnet_tui.diagnostics.flows.flow import Flow, FlowKind
from dnet_tui.diagnostics.flows.host_flows import host_flows
from dnet_tui.diagnostics.flows.intentions import (
    gateway_mode,
    has_family,
    icc,
    is_isolated,
    is_ruled,
    leads_out,
    masquerades,
    publishes,
)
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.later_packets import LaterPacket, later_packets
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import (
    Container,
    Family,
    LinkRef,
    Network,
    NotSeen,
    Partial,
    PublishedPort,
    Unread,
    known_items,
)
from dnet_tui.inspect.model.coverage.sections import lacks_of
from dnet_tui.inspect.model.default_routes import default_routes
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

__all__ = ["Flow", "FlowKind", "derive"]

_EPHEMERAL = 40000
_UNPUBLISHED = 65001
_YES = {"1", "true"}
_DNS = 53

_FAMILIES: tuple[Family, ...] = ("ip", "ip6")
_WILD: dict[Family, set[str]] = {"ip": {"0.0.0.0", "::"}, "ip6": {"::"}}  # noqa: S104 - compared with, not bound to


def derive(case: HostContext) -> tuple[Flow, ...]:
    """Every flow that the host's networks ask for, walked."""
    makers = (_egress, _same_network, _cross_network, _published, _from_host, _names, host_flows)
    found: list[Flow] = []
    for maker in makers:
        for family in _FAMILIES:
            with case.noting():  # what the ones rest on and was not read is nothing to the others
                found.extend(maker(case, family))
    with case.noting():
        found.extend(server_flows(case))
    return tuple(_with_later(case, flow) for flow in found)


def _with_later(case: HostContext, flow: Flow) -> Flow:
    """A flow that ought to pass with its connection's later packets, of which rules may stop some."""
    later: tuple[LaterPacket, ...] = ()
    if flow.expected:
        with case.noting():
            later = later_packets(case.view, flow.forward, flow.answer, beyond=True, refused=True)
    return msgspec.structs.replace(flow, later=later) if later else flow


def _tcp(family: Family, src: str, dst: str, port: int) -> Packet:
    return Packet(family=family, src=src, dst=dst, proto="tcp", sport=_EPHEMERAL, dport=port, tcp_flags=("SYN",))


def _members(case: HostContext, network: Network, family: Family) -> tuple[AttachedContainer, ...]:
    """The containers of a network that was asked to have the family."""
    return case.members(network, family) if has_family(network, family) else ()


def _egress(case: HostContext, family: Family) -> Iterator[Flow]:
    """Container → internet, for containers with a network that isn't internal, where the host itself has a way out."""
    if not case.ways_out(family):
        return
    seen: set[str] = set()
    for network in case.networks:
        if not leads_out(network, family):
            continue
        masquerade = masquerades(case, network, family)
        for member in _members(case, network, family):
            if member.namespace in seen or not _leaves_by(case, network, member, family):
                continue
            seen.add(member.namespace)
            packet = _tcp(family, _chosen_source(case, member, family), case.outside(family), 443)
            forward = walk(case.view, packet, origin=member.namespace, outside=True, beyond=True)
            translated = forward.last.snatted or masquerade is not True
            answer = reply(case.view, forward, beyond=True) if forward.exits and translated else None
            yield Flow(
                kind="egress",
                network=network,
                source=member.container.name,
                target="outside",
                expected=True,
                member=member,
                masquerade=masquerade,
                ruled=is_ruled(case, network, family),
                forward=forward,
                answer=answer,
            )


def _chosen_source(case: HostContext, member: AttachedContainer, family: Family) -> str:
    """The address that the container's packets to the internet have: its route may name another one than its first."""
    ns = case.view.namespaces[member.namespace]
    with suppress(NotSeen):  # the walk comes to it as well, and says so
        answer = routing.lookup(index_of(case.view, ns), _tcp(family, member.address, case.outside(family), 443))
        held = any(item.address == answer.source for item in ns.addresses)
        return answer.source if answer.source and held else member.address
    return member.address


def _leaves_by(case: HostContext, network: Network, member: AttachedContainer, family: Family) -> bool:
    """Whether the container's way out leads over this network (or it has none at all, though it should).

    A container on several networks has its gateway from one of them, which
    need not have IPv6 (libnetwork's choice of the gateway endpoint).
    """
    ns = case.view.namespaces[member.namespace]
    if lacks_of(ns.routes):
        return True  # then the walk is to say that nobody knows
    defaults = {hop.ifindex for route in default_routes(ns, family) for hop in route.hops}
    if defaults:
        return member.link.ifindex in defaults
    alone = family == "ip" or sum(_is_on(case, other, member) for other in case.networks) == 1
    return network.engine != INFERRED and alone


def _is_on(case: HostContext, network: Network, member: AttachedContainer) -> bool:
    return any(other.namespace == member.namespace for other in case.everyone(network))


def _same_network(case: HostContext, family: Family) -> Iterator[Flow]:
    """Neighbours on one network: they reach each other unless icc is off."""
    for network in case.networks:
        wanted = icc(case, network, family)
        for one, two in pairwise(_members(case, network, family)) if wanted is not None else ():
            packet = _tcp(family, one.address, two.address, _UNPUBLISHED)
            forward = walk(case.view, packet, origin=one.namespace, beyond=bool(wanted))
            answer = reply(case.view, forward, beyond=True) if wanted and forward.last.dst == two.address else None
            yield Flow(
                kind="same-network",
                network=network,
                source=one.container.name,
                target=two.container.name,
                expected=bool(wanted),
                member=one,
                ruled=is_ruled(case, network, family),
                forward=forward,
                answer=answer if answer is not None and forward.last_namespace == two.namespace else None,
            )


def _cross_network(case: HostContext, family: Family) -> Iterator[Flow]:
    """Containers of separate networks: kept apart where the target's network asks for it."""
    for here, there in permutations(case.networks, 2):
        if here.engine != there.engine or not _kept_apart(case, here, there, family):
            continue
        homes, targets = _members(case, here, family), _members(case, there, family)
        pair = next(((a, b) for a in homes for b in targets if a.namespace != b.namespace), None)
        if pair is None or _share(case, *pair):
            continue
        one, two = pair
        # A routed network's published ports are there for everybody (Docker 28), other networks included.
        open_ports = () if gateway_mode(there, family) == "routed" else two.container.published
        ports = [item.container_port for item in open_ports if item.proto == "tcp"]
        for port in dict.fromkeys((_UNPUBLISHED, *ports)):
            forward = walk(case.view, _tcp(family, one.address, two.address, port), origin=one.namespace)
            yield Flow(
                kind="cross-network",
                network=here,
                other=there,
                source=one.container.name,
                target=two.container.name,
                expected=False,
                member=one,
                forward=forward,
            )


def _kept_apart(case: HostContext, here: Network, there: Network, family: Family) -> bool:
    """Whether one network asks that the other can't reach it; with Podman's ``isolate``, both have to ask."""
    both = (here.options.get("isolate"), there.options.get("isolate"))
    mutual = (
        traits_of(here.engine).isolation_is_mutual
        and both[0] in _YES
        and both[1] in _YES
        and is_ruled(case, there, family)
    )
    return bool(is_isolated(case, there, family)) or mutual


def _share(case: HostContext, one: AttachedContainer, two: AttachedContainer) -> bool:
    """Whether two containers have a network in common: then they may talk, by that one."""
    return any(
        {one.namespace, two.namespace} <= {member.namespace for member in case.everyone(network)}
        for network in case.networks
    )


def _published(case: HostContext, family: Family) -> Iterator[Flow]:
    """Outside → published port, on every uplink whose address it is bound to."""
    if case.view.host is None:
        return
    for container in known_items(case.snapshot.containers):
        if container.netns is None or not container.running or not container.published:
            continue
        network = _home(case, container, family)
        for port in container.published:
            if network is None or port.proto not in {"tcp", "udp"}:
                continue
            for uplink in case.ways_out(family):
                address = case.uplink_address(uplink, family)
                if address and publishes(case, network, family, port, address):
                    yield _arriving(case, container, network, port, uplink, address)


def _from_host(case: HostContext, family: Family) -> Iterator[Flow]:
    """Host → one container of each network, on a port that it listens on."""
    host = case.view.host
    for network in case.networks if host is not None else ():
        source = case.bridge_address(network, family)
        members = _members(case, network, family) if source else ()
        found = next(((m, p) for m in members if (p := _listens(case, m, family)) is not None), None)
        if found is None:
            case.unseen += [m for member in members if (m := _unheard(case, member)) is not None]
        if found is None or host is None:
            continue
        member, port = found
        packet = _tcp(family, source, member.address, port)
        forward = walk(case.view, packet, origin=host.id, outside=True, beyond=True)
        inside = forward.last_namespace == member.namespace
        yield Flow(
            kind="host-to-container",
            network=network,
            source="host",
            target=member.container.name,
            expected=True,
            member=member,
            forward=forward,
            answer=reply(case.view, forward, beyond=True) if inside else None,
        )


def _listens(case: HostContext, member: AttachedContainer, family: Family) -> int | None:
    """A TCP port that something in the container listens on, on its address."""
    fitting = _WILD[family] | {member.address}
    sockets = known_items(case.view.namespaces[member.namespace].sockets)
    return min((item.port for item in sockets if item.proto == "tcp" and item.address in fitting), default=None)


def _unheard(case: HostContext, member: AttachedContainer) -> NotSeen | None:
    """Why nobody knows all that listens in a container."""
    sockets = case.view.namespaces[member.namespace].sockets
    return sockets.not_seen() if isinstance(sockets, Unread | Partial) else None


def _names(case: HostContext, family: Family) -> Iterator[Flow]:
    """One container of each network → the name server that listens on the bridge's own address."""
    host = case.view.host
    for network in case.networks if host is not None else ():
        address = case.bridge_address(network, family)
        members = _members(case, network, family)
        serves = host is not None and any(
            (item.proto, item.port, item.address) == ("udp", _DNS, address) for item in host.sockets
        )
        if not serves or not members:
            continue
        packet = Packet(
            family=family, src=members[0].address, dst=address, proto="udp", sport=_EPHEMERAL, dport=_DNS
        )  # fmt: skip
        forward = walk(case.view, packet, origin=members[0].namespace, beyond=True)
        yield Flow(
            kind="names",
            network=network,
            source=members[0].container.name,
            target=f"name server {address}",
            expected=True,
            member=members[0],
            forward=forward,
        )


def _home(case: HostContext, container: Container, family: Family) -> Network | None:
    """The network that a container's ports are published by: the first; for IPv6 the one that is its way out."""
    for network in case.networks:
        for member in _members(case, network, family):
            if member.namespace == container.netns and (family == "ip" or _leaves_by(case, network, member, family)):
                return network
    return None


def _arriving(
    case: HostContext, container: Container, network: Network, port: PublishedPort, uplink: str, address: str
) -> Flow:
    view = case.view
    host = view.host
    link = view.link_named(host.id, uplink) if host else None
    if host is None or link is None:
        msg = f"uplink {uplink} is not a link of the host"
        raise ValueError(msg)
    family: Family = "ip6" if ":" in address else "ip"
    packet = Packet(
        family=family,
        src=case.outside(family),
        dst=address,
        proto=port.proto,
        sport=_EPHEMERAL,
        dport=port.host_port,
        tcp_flags=("SYN",) if port.proto == "tcp" else (),
    )
    arriving = LinkRef(namespace=host.id, ifindex=link.ifindex)
    forward = walk(view, packet, origin=host.id, arriving=arriving, beyond=True)
    inside = forward.last_namespace == container.netns
    place = f"[{address}]" if family == "ip6" else address
    return Flow(
        kind="published",
        network=network,
        source="outside",
        target=f"{place}:{port.host_port} ({container.name}:{port.container_port})",
        expected=True,
        container=container,
        port=port,
        forward=forward,
        answer=reply(view, forward, beyond=True) if inside else None,
    )
