"""A DHCP client or network manager of the host has taken over a container's interface.

What it finds
    An address of 169.254.0.0/16 on a bridge port of a container, or on a
    network's bridge that is in no such range itself (a warning); and a default
    route of the host that such a client learnt over them: an error where it
    is the one that is used, a warning where it waits behind another.

Why it matters
    The client takes the host's end of a container's veth for a network card.
    With its default route the host, and all containers with it, send what is
    for the internet into a container.

How we know
    Addresses and routes with their protocol (``dhcp``, ``ra``), the bridge's
    ports, and that the route's gateway is no container that routes.

Remedy
    Remove the address and the route; tell the client to leave containers'
    interfaces alone: ``denyinterfaces veth*`` in dhcpcd.conf, ``Unmanaged=yes``
    in a .network file of networkd for veth*, ``unmanaged-devices`` of
    NetworkManager.

When it is harmless
    When a container on that bridge is the host's router on purpose, and its
    namespace can't be seen.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import bridge_of, on_host, symptoms
from dnet_tui.diagnostics.context.host_context import INFERRED, HostContext
from dnet_tui.diagnostics.operations.address import DeleteAddress
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.operations.route import DeleteRoute, RouteSpec
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Address, Link, LinkRef, Namespace, NextHop, Route, known_items
from dnet_tui.inspect.model.default_routes import MAIN, ways_out

ID = "link-hijack"
_LINK_LOCAL = "169.254.0.0/16"
_LEARNT = ("dhcp", "ra")


class _Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A link that was taken over, with what the client put on it."""

    link: Link
    addresses: tuple[Address, ...]
    routes: tuple[tuple[Route, NextHop], ...]
    used: bool
    """Whether one of the routes is the host's default route in use."""


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """What is sent out by a default route over a container's interface and gets nowhere."""
    taken = {item.link.name for item in case.once(_taken) if item.used}
    return (
        bool(taken)
        and (obstacle.packet.oif in taken or obstacle.by.value in taken)
        and (on_host(case, obstacle) or obstacle.by.kind in {"neighbour", "link", "sysctl", "route"})
    )


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per link."""
    for item in ctx.case.once(_taken):
        severity: Severity = "error" if item.used else "warning"
        blocked = ctx.blocked_by(ID) if item.used else []
        name = item.link.name
        what = "the host's default route leads into it" if item.used else "it was given an address or a route"
        yield Finding(
            check=ID,
            severity=severity,
            subject=Subject(kind="link", name=name),
            summary=f"A DHCP client or network manager has taken over {name}, which belongs to containers: {what}",
            symptoms=symptoms(blocked, ("egress",)) if item.used else (),
            evidence=(
                *(
                    Evidence(source="ip address", what=name, value=one.cidr, expected="no address")
                    for one in item.addresses
                ),
                *(
                    Evidence(
                        source="ip route", what=f"default dev {name}", value=_words(*one), expected="no default route"
                    )
                    for one in item.routes
                ),
                *(of_flows(one) for one in blocked[:2]),
            ),
            remedy=_remedy(item),
        )


def _taken(case: HostContext) -> tuple[_Taken, ...]:
    host = case.view.host
    if host is None:
        return ()
    found = []
    links = tuple(_containers_links(case, host))
    ways = ways_out(host, table=MAIN) if links else ()
    for link in links:
        addresses = tuple(
            address
            for address in case.view.addresses_of(LinkRef(namespace=host.id, ifindex=link.ifindex))
            if contains(_LINK_LOCAL, address.address) is True and not _is_meant(case, link, address)
        )
        routes = tuple(
            (route, hop)
            for route in ways
            for hop in route.hops
            if hop.ifindex == link.ifindex
            and (route.protocol in _LEARNT or (addresses and route.family == "ip" and hop.gateway is None))
            and not _routes(case, hop.gateway)
        )
        if addresses or routes:
            used = any(_is_used(host, route) for route, _ in routes)
            found.append(_Taken(link=link, addresses=addresses, routes=routes, used=used))
    return tuple(found)


def _containers_links(case: HostContext, host: Namespace) -> Iterator[Link]:
    """The bridges that have nothing but containers on them, and their ports."""
    seen: set[int] = set()
    for network in case.networks:
        bridge = bridge_of(case, network)
        ports = case.view.ports_of(host.id, bridge.ifindex) if bridge is not None else ()
        if bridge is None or bridge.ifindex in seen or any(port.kind != "veth" or not port.peer for port in ports):
            continue
        seen.add(bridge.ifindex)
        if network.engine != INFERRED:
            yield bridge
        yield from ports


def _is_meant(case: HostContext, link: Link, address: Address) -> bool:
    """Whether a network was given that range on purpose, or the address is the bridge's by its own definition."""
    return any(
        contains(subnet.cidr, address.address) is True
        for network in known_items(case.snapshot.networks)
        for subnet in network.subnets
        if network.bridge == link.name or link.master is not None
    )


def _routes(case: HostContext, gateway: str | None) -> bool:
    """Whether a gateway is a namespace that is seen to forward: then it is a router on purpose."""
    return gateway is not None and any(
        ns.kind != "host"
        and any(address.address == gateway for address in ns.addresses)
        and ns.sysctls.get("net.ipv6.conf.all.forwarding" if ":" in gateway else "net.ipv4.ip_forward") == "1"
        for ns in known_items(case.snapshot.namespaces)
    )


def _is_used(host: Namespace, route: Route) -> bool:
    """Whether no other default route of its family comes before it."""
    others = [
        item.metric
        for item in host.routes
        if item.family == route.family and item.dst == route.dst and item.table == MAIN and item.type == "unicast"
    ]
    return route.metric == min(others)


def _words(route: Route, hop: NextHop) -> str:
    via = f"via {hop.gateway} " if hop.gateway else ""
    return f"default {via}proto {route.protocol or 'boot'} metric {route.metric}"


def _remedy(item: _Taken) -> Remedy:
    steps: list[DeleteRoute | DeleteAddress] = []
    for route, hop in item.routes:
        spec = RouteSpec(
            family=route.family,
            gateway=hop.gateway or "",
            link=item.link.name,
            protocol=route.protocol,
            scope=route.scope if route.scope != "global" else "",
            source=route.source or "",
            metric=route.metric,
            mtu=route.mtu,
            mtu_locked=route.mtu_locked,
            advmss=route.advmss,
            realm=route.realm,
        )
        steps.append(DeleteRoute(route=spec))
    steps += [DeleteAddress(link=item.link.name, cidr=address.cidr, scope=address.scope) for address in item.addresses]
    return Remedy(
        summary=f"Take from {item.link.name} what a client of the host has put on it",
        steps=tuple(steps),
        undo=inverses(steps),
        risk="ask",
        note="It comes back until the client leaves containers' interfaces alone: see explain link-hijack",
    )


CHECK = Check(
    id=ID,
    title="No client of the host manages containers' interfaces",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
