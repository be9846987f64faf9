"""The first packet of a traced connection: its addresses as the kernel would choose them.  Pure."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import TraceEndpoint
from dnet_tui.diagnostics.trace.outside import arrival, named_arrival
from dnet_tui.diagnostics.walk.l3.routing import lookup
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.diagnostics.walk.stages.mtu import HEADER, LONGEST, SHORTEST
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import LinkRef, Namespace, NotSeen, known_items, require
from dnet_tui.inspect.text.sanitize import clean

TraceProtocol = Literal["tcp", "udp", "icmp"]

EPHEMERAL = 40000
"""The source port of a traced packet that nobody asked for."""

DEFAULT_PORT = 80


def first_packet(
    case: HostContext,
    source: TraceEndpoint,
    target: TraceEndpoint,
    proto: TraceProtocol,
    port: int,
    sport: int,
    arrives_by: str = "",
) -> tuple[Packet, LinkRef | None]:
    """The first packet of a connection, and the link it comes by where it isn't made here.

    ``arrives_by`` names that link; empty: the one by which the host's answers would go.

    Raises:
        UsageError: the two places have no address of the same family, or there is nothing to trace; or a link is
            named by which it can't come.
        CannotInspectError: there is no outside.
    """
    if source.kind == "outside" and target.kind == "outside":
        raise UsageError("nothing to trace from outside to outside", "name a container, the host or an address")
    dst = _destination(case, source, target)
    arriving = None
    if source.kind == "outside" or not source.namespace:
        src = next((item for item in source.addresses if (":" in item) == (":" in dst)), source.addresses[0])
        arriving = named_arrival(case, arrives_by) if arrives_by else arrival(case, src)
    elif arrives_by:
        msg = f"a packet from {clean(source.label)} is made on this host, and arrives by no interface of its"
        raise UsageError(msg, "--in-interface is for FROM outside, or an address that nobody here has")
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
    if target.kind == "outside":
        families = {":" in item for item in source.addresses}
        return next((item for item in target.addresses if (":" in item) in families), target.addresses[0])
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
    """The address that was named, else the one the kernel would choose: the route's, or the outgoing interface's."""
    ns = case.view.namespaces[source.namespace]
    family: Literal["ip", "ip6"] = "ip6" if ":" in dst else "ip"
    if source.kind == "address" and (":" in source.addresses[0]) == (family == "ip6"):
        return source.addresses[0]  # who names an address asks for what is sent from that one
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
        borrowed = _borrowed(ns) if family == "ip" and answer.type == "unicast" else ""
        if borrowed:
            return borrowed
    fitting = [address for address in source.addresses if (":" in address) == (family == "ip6")]
    if not fitting:
        raise UsageError(
            f"{source.label} has no address of the family of {dst}", "choose an address of the other family"
        )
    return fitting[0]


def _borrowed(ns: Namespace) -> str:
    """The IPv4 address by which a namespace sends over a device without one: the first device's (inet_select_addr)."""
    order = {link.ifindex: at for at, link in enumerate(ns.links)}
    every = [
        item
        for item in ns.addresses
        if item.family == "ip" and item.scope not in {"host", "link"} and "secondary" not in item.flags
    ]
    return min(every, key=lambda item: order.get(item.ifindex, len(order))).address if every else ""


def sized(packet: Packet, size: int, *, df: bool | None) -> Packet:
    """The packet with a length in bytes (0: none in particular) and a Don't Fragment bit.

    Raises:
        UsageError: no packet of its kind has that size.
    """
    least = HEADER[packet.family] + SHORTEST.get(packet.proto, 0)
    if size and not least <= size <= LONGEST:
        version = "IPv6" if packet.family == "ip6" else "IPv4"
        raise UsageError(f"no {packet.proto} packet of {version} has {size} bytes", f"it has from {least} to {LONGEST}")
    return msgspec.structs.replace(packet, length=size, df=df) if size else packet
