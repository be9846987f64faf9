"""A network's subnet overlaps another network that the host is connected to.

What it finds
    The host has an address or a route, by another device than the network's
    bridge, whose range overlaps the network's subnet: the office LAN, a VPN,
    another bridge.

Why it matters
    One address can only lie in one direction.  Either containers are cut off
    (then it is an error), or hosts of the other network can't be reached from
    this host and its containers, which is noticed much later.

How we know
    The subnets of the networks' definitions against the host's addresses and
    routes; and the routing decision for the containers' own addresses.
    Default routes, also those cut in halves as VPNs do, overlap everything
    and mean nothing.

Remedy
    Give the network another subnet, and Docker another range to take subnets
    from (``default-address-pools`` in daemon.json).

When it is harmless
    Where nobody on this host needs the addresses that are hidden; a wider
    route that merely contains the subnet is only information.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import bridge_of, symptoms
from dnet_tui.diagnostics.checks.subjects.misrouted_containers import cause_of, strays
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.diagnostics.walk.l3.routing import route_text
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex, index_of
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Link, Namespace, Network, require
from dnet_tui.inspect.model.coverage.sections import lacks_of
from dnet_tui.inspect.model.default_routes import MAIN

ID = "subnet-overlap"
_WIDEST = 4
"""Wider routes than /4 are ways to everywhere, not somebody's network."""


class _Overlap(msgspec.Struct, frozen=True, kw_only=True):
    device: str
    span: ipaddress.IPv4Network
    source: str
    text: str
    own: bool
    """Whether it is the host's own: an address of its, or a directly connected network."""


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """What stops a container's packet that went to the other network."""
    return cause_of(case, obstacle) == ID


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per network and device."""
    host = ctx.case.view.host
    if host is None:
        return
    broken = {item.network.id: item for item in strays(ctx.case) if item.cause == ID}
    others = list(_others(index_of(ctx.case.view, host)))
    for network in ctx.case.networks:
        bridge = bridge_of(ctx.case, network)
        if bridge is None or _has_wire(ctx.case, host, bridge):
            continue
        by_device: dict[str, list[_Overlap]] = {}
        held = {member.address for member in ctx.case.everyone(network)}
        for other in _overlapping(network, bridge, others, held):
            by_device.setdefault(other.device, []).append(other)
        stray = broken.get(network.id)
        containers = ctx.case.snapshot.containers
        if stray is None and any(not lack.scope for lack in lacks_of(containers)):
            require(containers)  # one of which nobody told may be cut off by it
        for device, overlaps in by_device.items():
            hit = stray is not None and any(item.text == stray.text or device in stray.text for item in overlaps)
            yield _finding(ctx, network, device, overlaps, broken=hit)


def _finding(ctx: CheckContext, network: Network, device: str, overlaps: list[_Overlap], *, broken: bool) -> Finding:
    subnet = _span(network)
    serious = any(item.own or (subnet is not None and item.span.subnet_of(subnet)) for item in overlaps)
    severity: Severity = "error" if broken else "warning" if serious else "info"
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="network", name=f"{network.name} {device}"),
        summary=f"Network {network.name} ({subnet}) overlaps {overlaps[0].span} on {device}",
        symptoms=symptoms(ctx.blocked_by(ID), ("egress", "published", "host-to-container")) if broken else ("egress",),
        evidence=(
            *(
                Evidence(source=item.source, what=device, value=item.text, expected="another range")
                for item in overlaps
            ),
            Evidence(source=network.engine, what=f"subnet of {network.name}", value=str(subnet)),
        ),
        remedy=Remedy(
            summary=f"Give network {network.name} another subnet",
            risk="manual",
            note="With Docker, keep new networks out of that range with default-address-pools in daemon.json",
        ),
    )


def _has_wire(case: HostContext, host: Namespace, bridge: Link) -> bool:
    """Whether the bridge leads into the LAN itself: then its subnet is the LAN's."""
    return any(port.kind != "veth" for port in case.view.ports_of(host.id, bridge.ifindex))


def _span(network: Network) -> ipaddress.IPv4Network | None:
    cidr = next((sub.cidr for sub in network.subnets if ":" not in sub.cidr), "")
    return ipaddress.IPv4Network(cidr, strict=False) if cidr else None


def _others(index: NamespaceIndex) -> Iterator[_Overlap]:
    """What the host is connected to, by address and by route."""
    host = index.ns
    names = {link.ifindex: link.name for link in host.links}
    loopback = {link.ifindex for link in host.links if link.kind == "loopback"}
    for address in host.addresses:
        if address.family == "ip" and address.ifindex not in loopback and address.ifindex in names:
            span = ipaddress.IPv4Network(address.cidr, strict=False)
            yield _Overlap(device=names[address.ifindex], span=span, source="ip address", text=address.cidr, own=True)
    for route in host.routes:
        if route.family != "ip" or route.table != MAIN or route.type != "unicast":
            continue
        span = ipaddress.IPv4Network(route.dst, strict=False)
        if span.prefixlen < _WIDEST:
            continue
        for hop in route.hops:
            if hop.ifindex in names and hop.ifindex not in loopback:
                yield _Overlap(
                    device=names[hop.ifindex],
                    span=span,
                    source="ip route",
                    text=route_text(index, route),
                    own=route.protocol == "kernel",
                )


def _overlapping(network: Network, bridge: Link, others: list[_Overlap], held: set[str]) -> list[_Overlap]:
    subnet = _span(network)
    if subnet is None:
        return []
    return [
        item
        for item in others
        if item.device != bridge.name and item.span.overlaps(subnet) and not _single_host(item, subnet, held)
    ]


def _single_host(item: _Overlap, subnet: ipaddress.IPv4Network, held: set[str]) -> bool:
    """A route to one address inside, or such an address: somebody's purpose, and matters only if a container has it.

    flannel gives its VXLAN device the first address of the node's own subnet, as a /32.
    """
    single = item.span.prefixlen == subnet.max_prefixlen
    return single and (not item.own or str(item.span.network_address) not in held)


CHECK = Check(
    id=ID,
    title="Networks' subnets overlap nothing else",
    severity="warning",
    doc=__doc__,
    find=find,
    owns=owns,
)
