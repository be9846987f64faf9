"""The host's ways to the outside, as its containers need them.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.l3.routing import RouteAnswer
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import Family, Link, Namespace, Network

REFUSALS = frozenset({"none", "unreachable", "prohibit", "blackhole"})
"""Routing answers by which nothing leaves."""

_INNER = frozenset({"bridge", "loopback", "tun", "tap", "wireguard", "dummy", "ifb", "vxlan"})
"""Kinds of link that lead out only over another one, or nowhere."""


def wanting(case: HostContext) -> list[Network]:
    """The networks that promise their containers a way out, and have any."""
    return [network for network in case.networks if network.internal is False and case.members(network)]


def outside_routes(case: HostContext, networks: list[Network], family: Family = "ip") -> list[RouteAnswer]:
    """The host's routing decision for an address outside, for a packet of each network that has the family."""
    return [way for _, way in routes_of(case, networks, family)]


def routes_of(case: HostContext, networks: list[Network], family: Family) -> list[tuple[Network, RouteAnswer]]:
    """The same, each with its network."""
    host = case.view.host
    if host is None:
        return []
    index = index_of(case.view, host)
    found = []
    for network in networks:
        members = case.members(network, family)
        if members:
            packet = Packet(
                family=family, src=members[0].address, dst=case.outside(family), proto="tcp", iif=network.bridge
            )
            found.append((network, routing.lookup(index, packet)))
    return found


def lost_uplinks(case: HostContext) -> list[Link]:
    """The host's links that could be its way out, have an address, and are down or without carrier."""
    host = case.view.host
    return [link for link in host.links if _is_lost(case, host, link)] if host is not None else []


def _is_lost(case: HostContext, host: Namespace, link: Link) -> bool:
    if (link.up and link.carrier) or link.kind in _INNER or link.master is not None:
        return False
    if link.peer is not None and case.view.containers_in(link.peer.namespace):
        return False
    return any(item.ifindex == link.ifindex and item.scope == "global" for item in host.addresses)
