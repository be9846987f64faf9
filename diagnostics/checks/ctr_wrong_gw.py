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

from dnet_tui.diagnostics.attachments import bridge_of, default_hops, default_route, gateway_of, inside, route_words
from dnet_tui.diagnostics.case import Case, Member
from dnet_tui.diagnostics.checks.base import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.evidence import of_flows
from dnet_tui.diagnostics.examination import Blocked, Examination
from dnet_tui.diagnostics.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.remedy import Remedy
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Network

ID = "ctr-wrong-gw"


def owns(case: Case, obstacle: Obstacle) -> bool:
    """The gateway that isn't there, or the container that is taken for one and does not forward."""
    host = case.view.host
    if host is None:
        return False
    if obstacle.by.kind == "neighbour":
        return any(gateway == obstacle.by.value for _, _, gateway, _ in case.once(_astray))
    if obstacle.stage == "forwarding" and obstacle.by.namespace != host.id:
        return any(
            _owner(case, network, gateway) == obstacle.by.namespace for network, _, gateway, _ in case.once(_astray)
        )
    return False


def find(exam: Examination) -> Iterator[Finding | Undecided]:
    """One finding per container whose packets are stopped there."""
    yield from undecided(exam, ID)
    stopped = definite(exam, ID)
    for network, member, gateway, right in exam.case.once(_astray):
        hit = [
            item
            for item in stopped
            if (item.obstacle.by.value == gateway or item.obstacle.by.namespace == _owner(exam.case, network, gateway))
            and any(_is_of(flow.member, flow.container, member) for flow in item.flows)
        ]
        if hit:
            yield _finding(exam.case, network, member, gateway, right, hit)


def _is_of(source: Member | None, container: object, member: Member) -> bool:
    return (source is not None and source.namespace == member.namespace) or container == member.container


def _finding(case: Case, network: Network, member: Member, gateway: str, right: str, stopped: list[Blocked]) -> Finding:
    name = member.container.name
    ns = case.view.namespaces[member.namespace]
    route = default_route(ns)
    forms = [route_words(ns, route, via) if route is not None else () for via in (right, gateway)]
    steps, undo = (inside(case, ns.id, "route", "replace", *words) if words else None for words in forms)
    owner = _owner(case, network, gateway)
    has = f"{case.view.label(owner)} has it, and does not forward" if owner else "nobody has it"
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="container", name=name),
        summary=f"{name} uses the gateway {gateway}, but network {network.name} has {right}",
        symptoms=tuple(dict.fromkeys(kind for item in stopped for kind in item.symptoms)),
        evidence=(
            Evidence(source="ip route", what=f"in {name}", value=f"default via {gateway}", expected=f"via {right}"),
            Evidence(source="packet walk", what=f"{gateway} on {network.bridge}", value=has),
            *(of_flows(item) for item in stopped[:2]),
        ),
        remedy=Remedy(
            summary=f"Set the default route of {name} to {right}",
            steps=(steps,),
            undo=(undo,),
            risk="ask",
            note="Restarting the container makes its network anew",
        )
        if steps is not None and undo is not None
        else None,
    )


def _astray(case: Case) -> tuple[tuple[Network, Member, str, str], ...]:
    """Containers whose gateway on a network is another than the one that the network's bridge has: both, in order."""
    found = []
    for network in case.networks:
        bridge = bridge_of(case, network)
        right = gateway_of(network)
        if bridge is None or not right or right != case.bridge_address(network):
            continue
        for member in case.members(network):
            for gateway, ifindex in default_hops(case.view.namespaces[member.namespace])[:1]:
                if ifindex == member.link.ifindex and gateway != right:
                    found.append((network, member, gateway, right))
    return tuple(found)


def _owner(case: Case, network: Network, address: str) -> str:
    """The namespace of the container that has an address on a network; empty when none has."""
    return next((member.namespace for member in case.members(network) if member.address == address), "")


CHECK = Check(
    id=ID,
    title="Containers use their network's gateway",
    severity="error",
    doc=__doc__,
    needs=("links",),
    find=find,
    owns=owns,
)
