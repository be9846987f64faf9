"""Traffic between containers and their host, and to published ports from the host's side.  Pure.

What an engine promises besides the way out and the way in: a container
reaches its host, by the bridge's address and by the host's own; the host
reaches its containers; and a published port is there on the host's own
addresses, for the host itself and for containers of this and of other
networks.  A userland proxy takes such connections and makes one of its own,
from the host to the container: that one is walked as well.

What the engine's own rules stop here is its design (isolation, icc off), and
no flow at all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext
from dnet_tui.diagnostics.context.iptables_layout import owner_of
from dnet_tui.diagnostics.flows.flow import Flow
from dnet_tui.diagnostics.flows.intentions import has_family, icc, leads_out
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.model import Address, Container, Family, LinkRef, Network, PortProxy, PublishedPort, known_items
from dnet_tui.inspect.model.default_routes import default_routes
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS

OF_PROXY = "proxy of port "
"""How the source of a proxy's own connection to its container is called."""

_EPHEMERAL = 40000
_DNS = 53
_LOOPBACK: dict[Family, str] = {"ip": "127.0.0.1", "ip6": "::1"}
_WILD: dict[Family, set[str]] = {"ip": {"", "0.0.0.0", "::"}, "ip6": {"", "::"}}  # noqa: S104 - compared with, not bound to
_PROXIES = frozenset(name for kind in ENGINE_KINDS for name in kind.port_holders)


def host_flows(case: HostContext, family: Family) -> Iterator[Flow]:
    """Container → host, for one container of each network; and to published ports from the host's own side."""
    for network in case.networks:
        with case.noting():
            yield from _to_host(case, network, family)
    if family == "ip":  # what is published for IPv6 by a proxy alone is nobody's promise: see intentions.publishes
        yield from case.severally(published_here(case), lambda item: _to_published(case, item))


def _to_host(case: HostContext, network: Network, family: Family) -> Iterator[Flow]:
    """One container of a network → the host's address on it, and that of each uplink the container's way leads to."""
    members = case.members(network, family) if has_family(network, family) else ()
    if not members or case.view.host is None:
        return
    member = members[0]
    near = _next_to(case, network, member)
    far = [case.uplink_address(name, family) for name in case.ways_out(family)] if near else []
    routed = leads_out(network, family) and _leaves_by(case, member, family)
    for address in dict.fromkeys(item for item in (near, *(far if routed else ())) if item):
        packet = _question(case, member.address, address, family)
        forward = walk(case.view, packet, origin=member.namespace, beyond=True)
        if any(hop.verdict in {"dnat", "redirect"} for hop in forward.hops):  # a published port: not the host's own
            packet = _echo(member.address, address, family)
            forward = walk(case.view, packet, origin=member.namespace, beyond=True)
        yield Flow(
            kind="container-to-host",
            network=network,
            source=member.container.name,
            target=f"host {address}",
            expected=True,
            member=member,
            forward=forward,
            answer=_answer(case, forward) if forward.last_namespace == case.view.host.id else None,
        )


def _next_to(case: HostContext, network: Network, member: AttachedContainer) -> str:
    """The host's address on a network's bridge in the subnet of a container there; empty where it has none."""
    host = case.view.host
    link = case.view.link_named(host.id, network.bridge) if host is not None else None
    if host is None or link is None:
        return ""
    owned = case.view.addresses_of(LinkRef(namespace=host.id, ifindex=link.ifindex))
    fitting = [item.address for item in owned if contains(_span(item), member.address) is True]
    gateways = {subnet.gateway for subnet in network.subnets}
    return next(iter(sorted(fitting, key=lambda address: address not in gateways)), "")


def _span(address: Address) -> str:
    return str(ipaddress.ip_interface(address.cidr).network)


def _answer(case: HostContext, forward: Walk) -> Walk:
    """The host's own answer, which may leave by an uplink though a container of this host awaits it."""
    return reply(case.view, forward, beyond=True, outside=True)


def _leaves_by(case: HostContext, member: AttachedContainer, family: Family) -> bool:
    ns = case.view.namespaces[member.namespace]
    return any(hop.ifindex == member.link.ifindex for route in default_routes(ns, family) for hop in route.hops)


def _question(case: HostContext, src: str, dst: str, family: Family) -> Packet:
    """A connection to a service of the host's own that is open there, or else an echo request."""
    host = case.view.host
    sockets = known_items(host.sockets) if host is not None else ()
    ports = [
        item.port
        for item in sockets
        if item.proto == "tcp"
        and item.address in _WILD[family] | {dst}
        and item.process not in _PROXIES
        and item.port != _DNS
    ]
    if ports:
        return _tcp(family, src, dst, min(ports))
    return _echo(src, dst, family)


def _echo(src: str, dst: str, family: Family) -> Packet:
    kind = ("icmp", 8) if family == "ip" else ("icmpv6", 128)
    return Packet(family=family, src=src, dst=dst, proto=kind[0], icmp_type=kind[1])


def _tcp(family: Family, src: str, dst: str, port: int) -> Packet:
    return Packet(family=family, src=src, dst=dst, proto="tcp", sport=_EPHEMERAL, dport=port, tcp_flags=("SYN",))


class PublishedHere(msgspec.Struct, frozen=True, kw_only=True):
    """A published TCP port with the container's place and the proxy that takes connections to it, if one does."""

    container: Container
    network: Network
    member: AttachedContainer
    port: PublishedPort
    proxy: PortProxy | None


def published_here(case: HostContext) -> tuple[PublishedHere, ...]:
    """The first TCP port that each container publishes."""
    return case.once(_published_here)


def _published_here(case: HostContext) -> tuple[PublishedHere, ...]:
    found: dict[str, PublishedHere] = {}
    host = case.view.host
    for network in case.networks:
        for member in case.members(network) if network.internal is not True else ():
            container = member.container
            port = next(iter(sorted(_tcp_ports(container), key=_is_narrow)), None)
            if port is None or container.id in found or host is None or ":" in port.host_ip.strip(":"):
                continue
            proxies = (
                item
                for item in case.snapshot.proxies
                if (item.netns, item.proto, item.host_port) == (host.id, "tcp", port.host_port)
                and item.container_ip == member.address
            )
            found[container.id] = PublishedHere(
                container=container, network=network, member=member, port=port, proxy=next(proxies, None)
            )
    return tuple(found.values())


def _tcp_ports(container: Container) -> Iterator[PublishedPort]:
    return (item for item in container.published if item.proto == "tcp" and item.host_port)


def _is_narrow(port: PublishedPort) -> bool:
    return port.host_ip.startswith("127.")


def _to_published(case: HostContext, item: PublishedHere) -> Iterator[Flow]:
    """The host itself, and containers → the published port; the proxy's own connection where there is one."""
    host = case.view.host
    if host is None:
        return
    wild = item.port.host_ip in _WILD["ip"]
    uplink = next((address for name in case.uplinks if (address := case.uplink_address(name))), "")
    own = (_LOOPBACK["ip"] if item.proxy is not None else uplink) if wild else item.port.host_ip
    if own:
        yield from _flow(case, item, "host", host.id, own, own)
    outer = uplink if wild else item.port.host_ip
    if outer and not outer.startswith("127."):
        for other in _callers(case, item):
            yield from _flow(case, item, other.container.name, other.namespace, outer, other.address)
    if item.proxy is not None:
        source = _next_to(case, item.network, item.member)
        packet = _tcp("ip", source, item.proxy.container_ip, item.proxy.container_port)
        forward = walk(case.view, packet, origin=host.id, outside=True, beyond=True) if source else None
        if forward is not None:
            inside = forward.last_namespace == item.member.namespace
            yield Flow(
                kind="host-to-published",
                network=item.network,
                source=f"{OF_PROXY}{item.port.host_port}",
                target=f"{item.container.name}:{item.proxy.container_port}",
                expected=True,
                container=item.container,
                port=item.port,
                forward=forward,
                answer=reply(case.view, forward, beyond=True) if inside else None,
            )


def _callers(case: HostContext, item: PublishedHere) -> Iterator[AttachedContainer]:
    """A container of the same network, and one of another, that may call the host."""
    for same in (True, False):
        members = (
            (network, member)
            for network in case.networks
            if (network.id == item.network.id) is same and leads_out(network, "ip")
            for member in case.members(network)
            if member.namespace != item.member.namespace
        )
        for network, member in members:
            if (same and icc(case, network, "ip") is False) or not _leaves_by(case, member, "ip"):
                continue
            yield member
            break


def _flow(
    case: HostContext, item: PublishedHere, source: str, namespace: str, address: str, sender: str
) -> Iterator[Flow]:
    packet = _tcp("ip", sender, address, item.port.host_port)
    forward = walk(case.view, packet, origin=namespace, beyond=True)
    answer = _answer(case, forward) if forward.arrives else None
    if forward.end == "refused" and forward.last_namespace != item.member.namespace and item.proxy is None:
        return  # nobody promised more than the translation
    stops = (*forward.obstacles, *(answer.obstacles if answer is not None else ()))
    if any(owner_of(case, stop.by.rule) for stop in stops if stop.by.rule is not None):
        return  # the engine keeps networks apart by design, or another manager decides
    yield Flow(
        kind="host-to-published" if source == "host" else "container-to-published",
        network=item.network,
        source=source,
        target=f"{address}:{item.port.host_port} ({item.container.name}:{item.port.container_port})",
        expected=True,
        container=item.container,
        port=item.port,
        forward=forward,
        answer=answer,
    )
