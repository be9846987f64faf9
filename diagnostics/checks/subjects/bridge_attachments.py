"""How containers hang on their bridges: ports, gateways, and what goes into a container's namespace.  Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows
from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext
from dnet_tui.diagnostics.flows.intentions import gateway_mode, has_family
from dnet_tui.diagnostics.operations.netns_scope import NetnsScope
from dnet_tui.diagnostics.operations.route import RouteSpec
from dnet_tui.diagnostics.report.finding import Evidence
from dnet_tui.diagnostics.walk.l3.routing import sysctl_name
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle
from dnet_tui.inspect.model import (
    Address,
    Family,
    Link,
    LinkRef,
    Namespace,
    Network,
    NextHop,
    Route,
    known_items,
    require,
)
from dnet_tui.inspect.model.default_routes import MAIN, default_routes, destination, ways_out

_INHIBIT = "com.docker.network.bridge.inhibit_ipv4"


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A running container on a network's bridge: ``port`` is the host's end of its veth, ``inner`` the container's."""

    network: Network
    bridge: Link
    port: Link
    inner: Link
    member: AttachedContainer

    @property
    def name(self) -> str:
        """The container's name."""
        return self.member.container.name


def bridge_of(case: HostContext, network: Network) -> Link | None:
    """A network's bridge on the host."""
    return case.view.link_named(case.view.host.id, network.bridge) if case.view.host is not None else None


def attachments(case: HostContext, network: Network) -> tuple[Attachment, ...]:
    """The containers of a network with both ends of their veths."""
    bridge = bridge_of(case, network)

    def of(member: AttachedContainer) -> Iterator[Attachment]:
        inner = case.view.links.get(member.link)
        port = case.view.links.get(inner.peer) if inner is not None and inner.peer is not None else None
        if bridge is not None and inner is not None and port is not None and port.master == bridge.ifindex:
            yield Attachment(network=network, bridge=bridge, port=port, inner=inner, member=member)

    return tuple(case.severally(case.everyone(network), of))


def all_attachments(case: HostContext) -> tuple[Attachment, ...]:
    """The attachments of every network."""
    return case.once(_all)


def _all(case: HostContext) -> tuple[Attachment, ...]:
    return tuple(case.severally(case.networks, lambda network: attachments(case, network)))


def on_host(case: HostContext, obstacle: Obstacle) -> bool:
    """Whether an obstacle stands in the host's own namespace."""
    return case.view.host is not None and obstacle.by.namespace == case.view.host.id


def named(by: Decider, *links: str) -> bool:
    """Whether a link decider speaks of one of these links."""
    return by.kind == "link" and bool(set(links) & set(by.text.replace(":", " ").replace(",", " ").split()))


def symptoms(blocked: list[BlockedFlows], otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """The kinds of flow that are seen to be stopped; ``otherwise`` where no flow shows it."""
    return tuple(dict.fromkeys(kind for item in blocked for kind in item.symptoms)) or otherwise


def concerning(blocked: list[BlockedFlows], *namespaces: str) -> list[BlockedFlows]:
    """Those that stop a flow from or to one of these namespaces."""
    return [
        item
        for item in blocked
        if any(
            (flow.member is not None and flow.member.namespace in namespaces)
            or (flow.container is not None and flow.container.netns in namespaces)
            for flow in item.flows
        )
    ]


def of_link(what: str, value: str, expected: str, *, source: str = "ip -d link") -> Evidence:
    """A link's attribute."""
    return Evidence(source=source, what=what, value=value, expected=expected)


def default_hops(ns: Namespace, family: Family = "ip") -> tuple[tuple[str, int], ...]:
    """The gateways of a namespace's default routes, with the interface each is reached by."""
    return tuple(
        (hop.gateway, hop.ifindex)
        for route in ways_out(ns, family, table=MAIN)
        for hop in route.hops
        if hop.gateway is not None and hop.ifindex is not None
    )


def route_spec(ns: Namespace, route: Route, gateway: str = "") -> RouteSpec | None:
    """A route as ``ip route`` takes it, by another ``gateway`` if given; None where not all of it is known."""
    if route.other or len(route.hops) > 1 or route.nexthop_id is not None:
        return None
    names = {link.ifindex: link.name for link in ns.links}
    hop = route.hops[0] if route.hops else NextHop()
    return RouteSpec(
        family=route.family,
        type=route.type,
        dst=destination(route),
        gateway=(gateway or hop.gateway) if hop.gateway else "",
        link=names.get(hop.ifindex, "") if hop.ifindex is not None else "",
        onlink="onlink" in hop.flags,
        protocol=route.protocol if route.protocol != "boot" else "",
        scope=route.scope if route.scope != "global" else "",
        source=route.source or "",
        metric=route.metric,
        mtu=route.mtu,
        mtu_locked=route.mtu_locked,
        advmss=route.advmss,
        realm=route.realm,
        preference=route.preference,
        table=route.table if route.table != MAIN else 0,
    )


def default_route(ns: Namespace, family: Family = "ip") -> Route | None:
    """The default route of a namespace's main table that is used first."""
    return next(iter(default_routes(ns, family, table=MAIN)), None)


def gateway_of(network: Network, family: Family = "ip") -> str:
    """The gateway that the network's definition names; empty when it names none."""
    fitting = (item for item in network.subnets if (":" in item.cidr) == (family == "ip6"))
    return next((item.gateway for item in fitting if item.gateway), "")


def prefix_length(network: Network, case: HostContext, family: Family = "ip") -> int:
    """The length of the network's subnet, from its definition or else from a container's address."""
    for subnet in network.subnets:
        if (":" in subnet.cidr) == (family == "ip6"):
            return ipaddress.ip_network(subnet.cidr, strict=False).prefixlen
    for member in case.members(network, family):
        for address in case.view.addresses_of(member.link):
            if address.address == member.address:
                return address.prefixlen
    return 0


def missing_gateway(case: HostContext, network: Network, family: Family = "ip") -> str:
    """The gateway address, with its length, that a network's bridge should have and hasn't; empty otherwise.

    The definition says which, or else (where the bridge itself was the only
    place that said it) what all containers agree to use as their gateway.  One
    that is there with a longer prefix than the subnet's, so that there is no
    route to a container, is missing as well.
    """
    bridge = bridge_of(case, network)
    if bridge is None or case.view.host is None or not _routes_for(network, family) or _leads_elsewhere(case, bridge):
        return ""
    owned = {item.address for item in bridge_addresses(case, network, family)}
    gateway = gateway_of(network, family) or ("" if owned else _agreed(case, network, family))
    if gateway and gateway in owned:
        narrow = narrow_gateway(case, network, gateway, family)
        return f"{gateway}/{prefix_length(network, case, family)}" if narrow is not None else ""
    if not gateway or any(gateway == item.address for item in case.view.host.addresses):
        return ""
    if any(gateway == item.address for ns in case.view.namespaces.values() for item in known_items(ns.addresses)):
        return ""
    for port in case.view.ports_of(case.view.host.id, bridge.ifindex):
        if port.peer is not None:
            require(case.view.addresses_of(port.peer))  # somebody there may have it
    return f"{gateway}/{prefix_length(network, case, family)}"


def _routes_for(network: Network, family: Family) -> bool:
    """Whether the host is meant to be this network's router."""
    inhibited = family == "ip" and network.options.get(_INHIBIT, "").lower() == "true"
    unmanaged = network.options.get("mode") == "unmanaged"
    return has_family(network, family) and not (
        inhibited or unmanaged or network.internal or gateway_mode(network, family) == "isolated"
    )


def _leads_elsewhere(case: HostContext, bridge: Link) -> bool:
    """Whether the bridge has a port out of sight: the gateway may be behind it."""
    host = case.view.host
    ports = case.view.ports_of(host.id, bridge.ifindex) if host is not None else ()
    return any(port.kind != "veth" or port.peer is None for port in ports)


def bridge_addresses(case: HostContext, network: Network, family: Family) -> list[Address]:
    """The addresses of a network's bridge on the host."""
    bridge, host = bridge_of(case, network), case.view.host
    if bridge is None or host is None:
        return []
    ref = LinkRef(namespace=host.id, ifindex=bridge.ifindex)
    return [item for item in case.view.addresses_of(ref) if item.family == family]


def narrow_gateway(case: HostContext, network: Network, gateway: str, family: Family = "ip") -> Address | None:
    """The bridge's gateway address where its prefix leaves out containers to whom no route leads; None where none is.

    A route that somebody added by hand over the bridge makes a narrow prefix work.
    """
    bridge, host, length = bridge_of(case, network), case.view.host, prefix_length(network, case, family)
    mine = [item for item in bridge_addresses(case, network, family) if item.address == gateway]
    if bridge is None or host is None or not mine or any(item.prefixlen <= length for item in mine):
        return None
    spans = [
        ipaddress.ip_network(route.dst, strict=False)
        for route in host.routes
        if route.family == family and any(hop.ifindex == bridge.ifindex for hop in route.hops)
    ]
    members = (ipaddress.ip_address(member.address) for member in case.members(network, family))
    return next((mine[0] for address in members if not any(address in span for span in spans)), None)


def _agreed(case: HostContext, network: Network, family: Family) -> str:
    """The one gateway that every container on the network with a default route over it uses."""
    used = set()
    for member in case.members(network, family):
        ns = case.view.namespaces[member.namespace]
        used |= {gateway for gateway, ifindex in default_hops(ns, family) if ifindex == member.link.ifindex}
    return used.pop() if len(used) == 1 else ""


def on_link(case: HostContext, member: AttachedContainer, address: str) -> bool:
    """Whether an address lies in the subnet that a container has on this network."""
    return any(contains(item.cidr, address) is True for item in case.view.addresses_of(member.link))


def scope_of(case: HostContext, namespace: str) -> NetnsScope | None:
    """How a command enters the network namespace of a container, never its file system; None when it can't."""
    ns = case.view.namespaces.get(namespace)
    if ns is None:
        return None
    if ns.names:
        return NetnsScope(id=ns.id, name=ns.names[0])
    pids = [item.pid for item in case.view.containers_in(namespace) if item.pid] + [item.pid for item in ns.processes]
    return NetnsScope(id=ns.id, pid=pids[0]) if pids else None


def ipv6_switched_off(namespace: Namespace) -> str:
    """The sysctl that switches IPv6 off, for all links or for one that isn't the loopback; empty where none does."""
    devices = ("all", *(sysctl_name(link.name) for link in namespace.links if link.name != "lo"))
    keys = (f"net.ipv6.conf.{device}.disable_ipv6" for device in devices)
    return next((key for key in keys if namespace.sysctls.get(key) == "1"), "")
