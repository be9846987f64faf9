"""A container's veth is down, at the host's end or in the container.

What it finds
    One end of the veth pair that attaches a running container to its bridge
    is administratively down.

Why it matters
    The container is cut off.  The other end only shows ``NO-CARRIER``, and
    the bridge disables the port.

How we know
    The flag ``UP`` of both ends, each read in its own namespace.

Remedy
    Bring that end up.  When the container's end goes down the kernel removes
    its default route, which then has to be put back too.

When it is harmless
    Never while the container is meant to be reached.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import (
    Attachment,
    all_attachments,
    concerning,
    default_hops,
    gateway_of,
    named,
    of_link,
    on_host,
    scope_of,
    symptoms,
)
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.link import SetLinkUp
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.route import AddRoute, RouteSpec
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Link

ID = "veth-down"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """Either end, and the routes that a container lost with its own."""
    for item in case.once(_down):
        if not item.port.up and on_host(case, obstacle) and named(obstacle.by, item.port.name):
            return True
        if item.inner.up:
            continue
        if on_host(case, obstacle) and named(obstacle.by, item.port.name):
            return True
        if obstacle.by.namespace == item.member.namespace and obstacle.by.kind in {"link", "route"}:
            return True
    return False


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per container and network."""
    for item in ctx.case.once(_down):
        blocked = concerning(ctx.blocked_by(ID), item.member.namespace)
        where = "on the host" if not item.port.up else f"in {item.name}"
        link = item.port if not item.port.up else item.inner
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="container", name=item.name),
            summary=f"{item.name} is cut off from network {item.network.name}: {link.name} {where} is down",
            symptoms=symptoms(blocked, ("egress", "same-network", "published", "host-to-container")),
            evidence=(
                *(of_link(f"{end.name} {place}", "not UP", "UP") for end, place in _ends(item) if not end.up),
                *(of_flows(one) for one in blocked[:2]),
            ),
            remedy=_remedy(ctx.case, item),
        )


def _down(case: HostContext) -> tuple[Attachment, ...]:
    return tuple(item for item in all_attachments(case) if not (item.port.up and item.inner.up))


def _ends(item: Attachment) -> tuple[tuple[Link, str], ...]:
    return ((item.port, "on the host"), (item.inner, f"in {item.name}"))


def _remedy(case: HostContext, item: Attachment) -> Remedy:
    steps: list[SetLinkUp | AddRoute] = []
    undo: list[SetLinkUp] = []
    if not item.port.up:
        steps.append(SetLinkUp(link=item.port.name))
        undo.append(SetLinkUp(link=item.port.name, up=False))
    namespace = item.member.namespace
    scope = scope_of(case, namespace)
    if not item.inner.up and scope is not None:
        steps.append(SetLinkUp(link=item.inner.name, inside=scope))
        undo.append(SetLinkUp(link=item.inner.name, up=False, inside=scope))
        gateway = gateway_of(item.network)
        if gateway and not item.network.internal and not default_hops(case.view.namespaces[namespace]):
            steps.append(AddRoute(route=RouteSpec(gateway=gateway), inside=scope))
    return Remedy(
        summary=f"Bring the veth of {item.name} up",
        steps=tuple(steps),
        undo=tuple(undo),
        risk="safe" if item.inner.up else "ask",
        note="Find what took it down; restarting the container makes a new pair",
    )


CHECK = Check(
    id=ID,
    title="Both ends of containers' veths are up",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
