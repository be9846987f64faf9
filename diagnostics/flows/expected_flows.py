"""The flows that ought to pass, or ought not to, by the networks' own options.  Pure.

Each is walked there and back, for IPv4 and for IPv6.  A network that asks for
nothing (an intention of None) yields no expectation, so nothing is ever
reported against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, permutations

import msgspec

from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext
from dnet_tui.diagnostics.flows.dns_flows import server_flows
from dnet_tui.diagnostics.flows.egress_flows import (
    EPHEMERAL,
    UNPUBLISHED,
    egress_flows,
    first_packet,
    leaves_by,
    members_with,
)
from dnet_tui.diagnostics.flows.flow import Flow, FlowKind
from dnet_tui.diagnostics.flows.host_flows import host_flows
from dnet_tui.diagnostics.flows.intentions import (
    gateway_mode,
    icc,
    is_isolated,
    is_ruled,
    publishes,
)
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.later_packets import LaterPacket, later_packets
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
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

__all__ = ["Flow", "FlowKind", "derive"]

_YES = {"1", "true"}
_DNS = 53

_FAMILIES: tuple[Family, ...] = ("ip", "ip6")
_WILD: dict[Family, set[str]] = {"ip": {"0.0.0.0", "::"}, "ip6": {"::"}}  # noqa: S104 - compared with, not bound to


def derive(case: HostContext) -> tuple[Flow, ...]:
    """Every flow that the host's networks ask for, walked."""
    makers = (egress_flows, _same_network, _cross_network, _published, _from_host, _names, host_flows)
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


def _same_network(case: HostContext, family: Family) -> Iterator[Flow]:
    """Neighbours on one network: they reach each other unless icc is off."""
    for network in case.networks:
        wanted = icc(case, network, family)
        for one, two in pairwise(members_with(case, network, family)) if wanted is not None else ():
            packet = first_packet(family, one.address, two.address, UNPUBLISHED)
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
        homes, targets = members_with(case, here, family), members_with(case, there, family)
        pair = next(((a, b) for a in homes for b in targets if a.namespace != b.namespace), None)
        if pair is None or _share(case, *pair):
            continue
        one, two = pair
        # A routed network's published ports are there for everybody (Docker 28), other networks included.
        open_ports = () if gateway_mode(there, family) == "routed" else two.container.published
        ports = [item.container_port for item in open_ports if item.proto == "tcp"]
        for port in dict.fromkeys((UNPUBLISHED, *ports)):
            forward = walk(case.view, first_packet(family, one.address, two.address, port), origin=one.namespace)
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
    return any({one.namespace, two.namespace} <= _namespaces(case, network) for network in case.networks)


def _namespaces(case: HostContext, network: Network) -> frozenset[str]:
    return case.kept(
        (network.id, "namespaces"), lambda: frozenset(member.namespace for member in case.everyone(network))
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
        members = members_with(case, network, family) if source else ()
        found = next(((m, p) for m in members if (p := _listens(case, m, family)) is not None), None)
        if found is None:
            case.unseen += [m for member in members if (m := _unheard(case, member)) is not None]
        if found is None or host is None:
            continue
        member, port = found
        packet = first_packet(family, source, member.address, port)
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
        members = members_with(case, network, family)
        serves = host is not None and any(
            (item.proto, item.port, item.address) == ("udp", _DNS, address) for item in host.sockets
        )
        if not serves or not members:
            continue
        packet = Packet(
            family=family, src=members[0].address, dst=address, proto="udp", sport=EPHEMERAL, dport=_DNS
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
        for member in members_with(case, network, family):
            if member.namespace == container.netns and (family == "ip" or leaves_by(case, network, member, family)):
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
        sport=EPHEMERAL,
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
