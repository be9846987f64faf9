"""A container lacks the address, or the whole interface, that its engine gave it.

What it finds
    A running container on a bridge network whose network namespace does not
    hold the address that the engine says it has there.

Why it matters
    Port forwarding, name resolution and the other containers all use the
    engine's address: nobody has it, so nobody answers.

How we know
    The engine's own record of the container, beside the addresses and
    interfaces that the kernel holds in its namespace.

Remedy
    Put the address back.  Where the interface itself is gone, only the engine
    can make a new one: disconnect the container and connect it again.

When it is harmless
    Never while the container is meant to be reached.  An IPv6 address is not
    asked for where IPv6 is turned off in the container.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import (
    concerning,
    default_hops,
    ipv6_switched_off,
    scope_of,
    symptoms,
)
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.address import AddAddress
from dnet_tui.diagnostics.operations.engine import ConnectContainer, DisconnectContainer
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.operations.route import AddRoute, RouteSpec
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Container, Endpoint, Link, LinkRef, Namespace, Network, known_items
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

ID = "ctr-no-ip"


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """A container's place on a network, and the CIDRs that it should have there and hasn't."""

    container: Container
    network: Network
    endpoint: Endpoint
    namespace: Namespace
    link: Link | None
    missing: tuple[str, ...]


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A packet for the missing address, or of the container that lost its routes with it."""
    for place in case.once(_places):
        if obstacle.by.kind == "neighbour" and obstacle.by.value in map(_bare, place.missing):
            return True
        if obstacle.by.kind == "route" and obstacle.by.namespace == place.namespace.id:
            return True
    return False


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per container and network."""
    for gap in ctx.case.snapshot.gaps:
        container = next((item for item in known_items(ctx.case.snapshot.containers) if item.netns == gap.scope), None)
        if gap.section in {"links", "addresses"} and container is not None and container.endpoints:
            yield Undecided(reason=f"the addresses in {container.name} were not seen: {gap.reason}")
    for place in ctx.case.once(_places):
        blocked = concerning(ctx.blocked_by(ID), place.namespace.id)
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="container", name=place.container.name),
            summary=_summary(place),
            symptoms=symptoms(blocked, ("egress", "same-network", "published", "host-to-container")),
            evidence=(*_evidence(ctx.case, place), *(of_flows(item) for item in blocked[:2])),
            remedy=_remedy(ctx.case, place),
        )


def _places(case: HostContext) -> tuple[_Place, ...]:
    known = {network.id: network for network in case.networks}
    unseen = {gap.scope for gap in case.snapshot.gaps if gap.section in {"links", "addresses"}}
    found = []
    for container in known_items(case.snapshot.containers):
        namespace = case.view.namespaces.get(container.netns or "")
        if namespace is None or not container.running or container.mode != "bridge" or namespace.id in unseen:
            continue
        held = {item.address for item in namespace.addresses}
        for endpoint in container.endpoints:
            network = known.get(endpoint.network)
            missing = tuple(cidr for cidr in endpoint.addresses if _bare(cidr) not in held and _asked(namespace, cidr))
            if network is not None and missing:
                found.append(
                    _Place(
                        container=container,
                        network=network,
                        endpoint=endpoint,
                        namespace=namespace,
                        link=_link(case, namespace, network, endpoint),
                        missing=missing,
                    )
                )
    return tuple(found)


def _bare(cidr: str) -> str:
    return str(ipaddress.ip_interface(cidr).ip)


def _asked(namespace: Namespace, cidr: str) -> bool:
    """Whether an address can be expected: an IPv6 one not where a sysctl turns IPv6 off."""
    known = namespace.sysctls.get("net.ipv6.conf.all.disable_ipv6") is not None
    return ":" not in cidr or (known and not ipv6_switched_off(namespace))


def _link(case: HostContext, namespace: Namespace, network: Network, endpoint: Endpoint) -> Link | None:
    """The container's interface on a network: what hangs on its bridge, or else has the MAC address the engine gave."""
    host = case.view.host
    bridge = case.view.link_named(host.id, network.bridge) if host is not None else None
    for link in namespace.links:
        port = case.view.links.get(link.peer) if link.peer is not None else None
        if bridge is not None and port is not None and port.master == bridge.ifindex:
            return link
    return next((link for link in namespace.links if endpoint.mac and link.mac == endpoint.mac), None)


def _summary(place: _Place) -> str:
    name, net = place.container.name, place.network.name
    addresses = " and ".join(map(_bare, place.missing))
    if place.link is None:
        return f"{name} has no interface on network {net}, where {place.container.engine} gave it {addresses}"
    return f"{name} does not have {addresses}, which {place.container.engine} gave it on network {net}"


def _evidence(case: HostContext, place: _Place) -> Iterator[Evidence]:
    expected = ", ".join(place.missing)
    if place.link is None:
        names = ", ".join(link.name for link in place.namespace.links) or "no interface"
        yield Evidence(source="ip link", what=f"in {place.container.name}", value=names, expected="one on the bridge")
        return
    ref = LinkRef(namespace=place.namespace.id, ifindex=place.link.ifindex)
    held = ", ".join(item.cidr for item in case.view.addresses_of(ref) if item.scope != "link")
    what = f"{place.link.name} in {place.container.name}"
    yield Evidence(source="ip address", what=what, value=held or "no address", expected=expected)


def _remedy(case: HostContext, place: _Place) -> Remedy | None:
    name, net = place.container.name, place.network.name
    if place.link is None:
        program = traits_of(place.container.engine).command
        if not program:
            return None
        fixed = tuple(_bare(cidr) for cidr in place.missing)
        return Remedy(
            summary=f"Connect {name} to {net} anew",
            steps=(
                DisconnectContainer(engine=program, network=net, container=name),
                ConnectContainer(engine=program, network=net, container=name, addresses=fixed),
            ),
            risk="manual",
            note="On the engine's default network no address can be asked for: leave out --ip there",
        )
    scope = scope_of(case, place.namespace.id)
    if scope is None:
        return None
    steps: list[AddAddress | AddRoute] = [
        AddAddress(link=place.link.name, cidr=cidr, inside=scope) for cidr in place.missing
    ]
    gateway = place.endpoint.gateway
    if gateway and not place.network.internal and not default_hops(place.namespace):
        # The kernel took the way out away with the address.
        steps.append(AddRoute(route=RouteSpec(gateway=gateway), inside=scope))
    return Remedy(
        summary=f"Give {name} its address back",
        steps=tuple(steps),
        undo=inverses(steps),
        risk="ask",
        note="Restarting the container makes its network anew",
    )


CHECK = Check(
    id=ID,
    title="Containers have the addresses that their engine gave them",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
