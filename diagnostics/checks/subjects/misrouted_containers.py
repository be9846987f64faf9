"""Container addresses that the host routes elsewhere than over their bridge, and why.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

import msgspec

from dnet_tui.diagnostics.checks.subjects.bridge_attachments import bridge_of, missing_gateway, on_host
from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext, family_of
from dnet_tui.diagnostics.flows.intentions import has_family
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex, index_of
from dnet_tui.diagnostics.walk.packet import Obstacle, Packet
from dnet_tui.inspect.model import Family, Link, Namespace, Network, NextHop, Route
from dnet_tui.inspect.model.default_routes import DEFAULT, LOCAL, MAIN
from dnet_tui.inspect.text.networks import read_network

Cause = Literal[
    "bridge-down", "bridge-no-ip", "policy-route", "more-specific-route", "subnet-overlap", "net-route-gone", ""
]

_Span = IPv4Network | IPv6Network
_Spans = list[tuple[Route, _Span]]

_ORDINARY = {MAIN, DEFAULT, LOCAL}
_ANY: dict[Family, str] = {
    "ip": "0.0.0.0",  # noqa: S104 - a socket without a source address, not one that is bound
    "ip6": "::",
}
"""The source of a packet that the host is about to make."""

_FAMILIES: tuple[Family, ...] = ("ip", "ip6")


class Stray(msgspec.Struct, frozen=True, kw_only=True):
    """A container whose packets the host sends elsewhere.

    ``route`` is the one the host uses (None when a policy rule alone decides,
    or there is none), ``text`` the decision in words, ``iif`` the interface
    the packet came by (empty: made on the host).
    """

    network: Network
    member: AttachedContainer
    cause: Cause
    text: str
    route: Route | None
    iif: str
    source: str = ""

    @property
    def family(self) -> Family:
        """``ip`` or ``ip6``."""
        return _family_of(self.member.address)


def _family_of(address: str) -> Family:
    return "ip6" if ":" in address else "ip"


def strays(case: HostContext) -> Iterator[Stray]:
    """The containers whose own address the host routes elsewhere, each once."""
    host = case.view.host
    if host is None:
        return
    for family in _FAMILIES:
        foreign = _spans(host, family)
        for network in case.networks:
            bridge = bridge_of(case, network)
            if bridge is None or not has_family(network, family):
                continue
            for member in _suspects(case, network, foreign, family):
                ways = [
                    *((iif, "") for iif in ("", *case.ways_out(family))),
                    *(("", own) for own in _own(case, family)),
                ]
                found = (_stray(case, network, member, bridge, iif, source) for iif, source in ways)
                first = next((item for item in found if item is not None), None)
                if first is not None:
                    yield first


def _own(case: HostContext, family: Family) -> list[str]:
    """The host's addresses on its uplinks: it answers with them, and by them policy routing chooses."""
    return [address for name in case.ways_out(family) if (address := case.uplink_address(name, family))]


def cause_of(case: HostContext, obstacle: Obstacle) -> Cause:
    """Why a packet for a container was on another way than over its bridge when it was stopped; empty when it wasn't.

    Only what decides over the way, or stands in the way because it is the
    wrong one, counts: a switch such as ``ip_forward`` stops right ones too.
    """
    host, packet = case.view.host, obstacle.packet
    network, member = case.once(_homes).get(packet.dst, (None, None))
    bridge = bridge_of(case, network) if network is not None else None
    if host is None or network is None or member is None or bridge is None or obstacle.by.kind == "gap":
        return ""
    if obstacle.by.namespace == member.namespace:
        return ""
    if not on_host(case, obstacle):  # it has left by an uplink, to where nobody knows the container
        ways: tuple[str, ...] = ("", *case.ways_out(family_of(packet)))
    elif obstacle.by.kind == "sysctl" or packet.oif == bridge.name:
        return ""
    else:
        ways = (packet.iif if packet.iif in case.ways_out(family_of(packet)) else "",)
    source = packet.src if packet.src in _own(case, family_of(packet)) else ""
    found = (_stray(case, network, member, bridge, iif, "" if iif else source) for iif in ways)
    return next((stray.cause for stray in found if stray is not None), "")


def _homes(case: HostContext) -> dict[str, tuple[Network, AttachedContainer]]:
    """The containers by their addresses; a network whose bridge lost its own may no longer know its subnet."""
    return {
        member.address: (network, member)
        for family in _FAMILIES
        for network in reversed(case.networks)
        if has_family(network, family)
        for member in reversed(case.members(network, family))
    }


def _suspects(case: HostContext, network: Network, foreign: _Spans, family: Family) -> list[AttachedContainer]:
    """One container of the network, and all those for which there is a route of their own by another device."""
    members = case.members(network, family)
    spans = [read_network(sub.cidr) for sub in network.subnets if _family_of(sub.cidr) == family]
    bridge = bridge_of(case, network)
    narrow = [
        route.dst
        for route, dst in foreign
        if any(hop.ifindex != (bridge.ifindex if bridge is not None else None) for hop in route.hops or (NextHop(),))
        and any(_is_within(dst, span) for span in spans)
    ]
    return [
        member
        for number, member in enumerate(members)
        if number == 0 or any(contains(dst, member.address) is True for dst in narrow)
    ]


def _is_within(dst: _Span, span: _Span) -> bool:
    return dst.version == span.version and dst.network_address in span and dst.prefixlen >= span.prefixlen


def _spans(host: Namespace, family: Family) -> _Spans:
    return [
        (route, read_network(route.dst))
        for route in host.routes
        if route.family == family and route.type not in {"broadcast", "multicast", "anycast"}
    ]


def _stray(
    case: HostContext, network: Network, member: AttachedContainer, bridge: Link, iif: str, source: str = ""
) -> Stray | None:
    host = case.view.host
    if host is None:
        return None
    family = _family_of(member.address)
    src = source or (case.outside(family) if iif else _ANY[family])
    packet = Packet(family=family, src=src, dst=member.address, proto="tcp", iif=iif)
    answer = routing.lookup(index_of(case.view, host), packet)
    if answer.type == "unknown" or (answer.type == "unicast" and answer.ifindex == bridge.ifindex):
        return None
    return Stray(
        network=network,
        member=member,
        cause=_cause(case, network, bridge, answer, member.address),
        text=answer.by.text,
        route=_route(index_of(case.view, host), answer.by.text, member.address),
        iif=iif,
        source=source,
    )


def _route(index: NamespaceIndex, text: str, address: str) -> Route | None:
    """The route that an answer's words are of."""
    return next(
        (
            route
            for route in index.ns.routes
            if contains(route.dst, address) is True and routing.route_text(index, route) == text
        ),
        None,
    )


def _cause(case: HostContext, network: Network, bridge: Link, answer: routing.RouteAnswer, address: str) -> Cause:
    host = case.view.host
    if host is None:
        return ""
    if not bridge.up:
        return "bridge-down"
    if missing_gateway(case, network, _family_of(address)):
        return "bridge-no-ip"
    own = [
        route
        for route in host.routes
        if route.table == MAIN
        and contains(route.dst, address) is True
        and any(hop.ifindex == bridge.ifindex for hop in route.hops)
    ]
    if not own:
        lost = _is_on_link(host, bridge, address) and not _is_routed_elsewhere(host, bridge, address)
        return "net-route-gone" if lost else ""
    route = _route(index_of(case.view, host), answer.by.text, address)
    if route is None or route.table not in _ORDINARY:
        return "policy-route"
    return "subnet-overlap" if route.protocol == "kernel" or route.dst == own[0].dst else "more-specific-route"


def _is_on_link(host: Namespace, bridge: Link, address: str) -> bool:
    """Whether an address of the bridge's own is one from which the kernel makes a route to the address."""
    return any(item.ifindex == bridge.ifindex and contains(item.cidr, address) is True for item in host.addresses)


def _is_routed_elsewhere(host: Namespace, bridge: Link, address: str) -> bool:
    """Whether another table than the main one has a route for the address by the bridge."""
    return any(
        route.table not in {MAIN, LOCAL}
        and contains(route.dst, address) is True
        and any(hop.ifindex == bridge.ifindex for hop in route.hops)
        for route in host.routes
    )
