"""A container's gateway isn't its network's gateway, and leads nowhere.

What it finds
    A running container whose default route names a gateway that nobody on the
    bridge has, or another container that does not forward, while the
    network's own gateway is another address.

Why it matters
    Everything beyond its own network is sent to an address that does not
    answer, or to somebody who drops it.  Neighbours still work.

How we know
    The packet walk follows the container's packet to its next hop; the
    network's definition says which gateway it should use.

Remedy
    Set the default route to the network's gateway.

When it is harmless
    Where the other gateway forwards (a router or VPN container): then the
    packet passes, and nothing is reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import (
    bridge_of,
    default_hops,
    default_route,
    gateway_of,
    route_spec,
    scope_of,
)
from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext, family_of
from dnet_tui.diagnostics.context.iptables_layout import named
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.route import ReplaceRoute
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Family, Network

ID = "ctr-wrong-gw"


class _Astray(msgspec.Struct, frozen=True, kw_only=True):
    """A container whose gateway isn't ``right``, the one that its network's bridge has."""

    network: Network
    member: AttachedContainer
    family: Family
    gateway: str
    right: str


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """The gateway that isn't there, or the container that is taken for one and does not forward."""
    host = case.view.host
    if host is None:
        return False
    if obstacle.by.kind == "neighbour":
        return any(item.gateway == obstacle.by.value for item in case.once(_astray))
    if obstacle.stage == "forwarding" and obstacle.by.namespace != host.id:
        return any(_owner(case, item) == obstacle.by.namespace for item in case.once(_astray))
    return False


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per container whose packets are stopped there."""
    yield from undecided(ctx, ID)
    stopped = definite(ctx, ID)
    for astray in ctx.case.once(_astray):
        hit = [
            item
            for item in stopped
            if family_of(item.obstacle.packet) == astray.family
            and (item.obstacle.by.value == astray.gateway or item.obstacle.by.namespace == _owner(ctx.case, astray))
            and any(_is_of(flow.member, flow.container, astray.member) for flow in item.flows)
        ]
        if hit:
            yield _finding(ctx.case, astray, hit)


def _is_of(source: AttachedContainer | None, container: object, member: AttachedContainer) -> bool:
    return (source is not None and source.namespace == member.namespace) or container == member.container


def _finding(case: HostContext, astray: _Astray, stopped: list[BlockedFlows]) -> Finding:
    network, gateway, right, family = astray.network, astray.gateway, astray.right, astray.family
    name = astray.member.container.name
    ns = case.view.namespaces[astray.member.namespace]
    route = default_route(ns, family)
    scope = scope_of(case, ns.id)
    there = route_spec(ns, route, gateway) if route is not None else None
    wanted = route_spec(ns, route, right) if route is not None else None
    owner = _owner(case, astray)
    has = f"{case.view.label(owner)} has it, and does not forward" if owner else "no interface has it"
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="container", name=named(name, family)),
        summary=f"{name} uses the gateway {gateway}, but network {network.name} has {right}",
        symptoms=tuple(dict.fromkeys(kind for item in stopped for kind in item.symptoms)),
        evidence=(
            Evidence(
                source="ip -6 route" if family == "ip6" else "ip route",
                what=f"in {name}",
                value=f"default via {gateway}",
                expected=f"via {right}",
            ),
            Evidence(source="packet walk", what=f"{gateway} on {network.bridge}", value=has),
            *(of_flows(item) for item in stopped[:2]),
        ),
        remedy=Remedy(
            summary=f"Set the default route of {name} to {right}",
            steps=(ReplaceRoute(route=wanted, before=there, inside=scope),),
            undo=(ReplaceRoute(route=there, before=wanted, inside=scope),),
            risk="ask",
            note="Restarting the container makes its network anew",
        )
        if there is not None and wanted is not None and scope is not None
        else None,
    )


def _astray(case: HostContext) -> tuple[_Astray, ...]:
    """Containers whose gateway on a network is another than the one that the network's bridge has."""
    families: tuple[Family, ...] = ("ip", "ip6")
    return tuple(
        _Astray(network=network, member=member, family=family, gateway=gateway, right=right)
        for network, family in product(case.networks, families)
        if (right := _rightful(case, network, family))
        for member in case.members(network, family)
        for gateway, ifindex in default_hops(case.view.namespaces[member.namespace], family)[:1]
        if ifindex == member.link.ifindex and gateway != right and not _is_the_bridge(case, network, gateway)
    )


def _rightful(case: HostContext, network: Network, family: Family) -> str:
    """The gateway that the network names and its bridge has; empty where they don't agree."""
    right = gateway_of(network, family)
    return right if right and right == case.bridge_address(network, family) else ""


def _is_the_bridge(case: HostContext, network: Network, gateway: str) -> bool:
    """Whether the gateway is the bridge under another address, such as its link-local one."""
    bridge, host = bridge_of(case, network), case.view.host
    return (
        bridge is not None
        and host is not None
        and any((item.ifindex, item.address) == (bridge.ifindex, gateway) for item in host.addresses)
    )


def _owner(case: HostContext, astray: _Astray) -> str:
    """The namespace of the container that has the wrong gateway's address; empty when none has."""
    members = case.members(astray.network, astray.family)
    return next((member.namespace for member in members if member.address == astray.gateway), "")


CHECK = Check(
    id=ID,
    title="Containers use their network's gateway",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("routes", "policy-rules", "sysctls"),
)
