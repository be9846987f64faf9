"""A container has no default route, though its network has a way out.

What it finds
    A running container on a network that is not internal, whose own routing
    table has no way to the outside.

Why it matters
    It reaches its neighbours, but neither the internet nor anyone who calls
    one of its published ports: the answer has nowhere to go.

How we know
    The packet walk begins in the container, with its own routes and policy
    rules, and ends there.

Remedy
    Put the default route back, by the gateway of its network.

When it is harmless
    On internal and isolated networks, and where nobody stated what the
    network is for; it is not reported there.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import gateway_of, scope_of
from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext, family_of
from dnet_tui.diagnostics.context.iptables_layout import named
from dnet_tui.diagnostics.flows.intentions import leads_out
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.route import AddRoute, RouteSpec
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Family, Network, require
from dnet_tui.inspect.model.default_routes import MAIN

ID = "ctr-no-gw"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A container's own table without a route to an address beyond its networks."""
    if obstacle.stage != "routing" or obstacle.end != "no-route" or obstacle.by.kind != "route":
        return False
    place = _member(case, obstacle.by.namespace, family_of(obstacle.packet))
    return place is not None and obstacle.by.text.startswith("no route")


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per container."""
    yield from undecided(ctx, ID)
    found: dict[tuple[str, Family], list[BlockedFlows]] = {}
    for blocked in definite(ctx, ID):
        found.setdefault((blocked.obstacle.by.namespace, family_of(blocked.obstacle.packet)), []).append(blocked)
    for (namespace, family), stopped in found.items():
        place = _member(ctx.case, namespace, family)
        with ctx.case.noting():
            if place is not None:
                require(ctx.case.view.namespaces[namespace].links)  # routes go with a link that is down
                yield _finding(ctx.case, *place, family, stopped)


def _finding(
    case: HostContext, network: Network, member: AttachedContainer, family: Family, stopped: list[BlockedFlows]
) -> Finding:
    name = member.container.name
    gateway = gateway_of(network, family) or case.bridge_address(network, family)
    kind = "default route" if family == "ip" else "IPv6 default route"
    ns = case.view.namespaces[member.namespace]
    routes = [route.dst for route in ns.routes if route.family == family and route.table == MAIN]
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="container", name=named(name, family)),
        summary=f"{name} has no {kind}, though network {network.name} leads out",
        symptoms=tuple(dict.fromkeys(kind for item in stopped for kind in item.symptoms)),
        evidence=(
            Evidence(
                source="ip route" if family == "ip" else "ip -6 route",
                what=f"in {name}",
                value=", ".join(routes) or "no route at all",
                expected=f"default via {gateway or 'its gateway'}",
            ),
            *(of_flows(item) for item in stopped[:2]),
        ),
        remedy=_remedy(case, member, family, gateway),
    )


def _remedy(case: HostContext, member: AttachedContainer, family: Family, gateway: str) -> Remedy | None:
    scope = scope_of(case, member.namespace)
    if not gateway or scope is None:
        return None
    step = AddRoute(route=RouteSpec(family=family, gateway=gateway), inside=scope)
    return Remedy(
        summary=f"Give {member.container.name} its default route via {gateway}",
        steps=(step,),
        undo=(step.inverse(),),
        risk="ask",
        note="Restarting the container makes its network anew",
    )


def _member(case: HostContext, namespace: str, family: Family) -> tuple[Network, AttachedContainer] | None:
    """The container's place on a network with a way out."""
    return next(
        (
            (network, member)
            for network in case.networks
            if leads_out(network, family)
            for member in case.members(network, family)
            if member.namespace == namespace
        ),
        None,
    )


CHECK = Check(
    id=ID,
    title="Containers have a default route",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("routes", "policy-rules"),
)
