"""A container's bridge port does not forward (yet).

What it finds
    The port of a running container is in state listening, learning, blocking
    or disabled, although both ends of its veth and the bridge are up.

Why it matters
    The container is cut off.  With spanning tree (STP) on, a new port waits
    twice the bridge's forward delay, 30 seconds by default and up to a minute,
    while the container starts, asks for names and gives up.

How we know
    The port's state, read by netlink, with the state of the links around it.
    Docker 28 and later wait for it when a container starts, and log "Bridge
    port not forwarding" when it comes too late.

Remedy
    A bridge that has only containers on it needs no spanning tree: turn it
    off, and set the port forwarding (turning STP off alone leaves a port that
    waits in its state until its timer ends; the kernel refuses to set a state
    while STP is on).  A bridge with other ports may have a loop: look first.

When it is harmless
    In the first seconds after a container was started on a bridge that runs
    spanning tree on purpose.
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
    named,
    of_link,
    on_host,
    symptoms,
)
from dnet_tui.diagnostics.checks.subjects.startup_failures import failed_starts, of_failures
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.bridge_port import SetPortState
from dnet_tui.diagnostics.operations.link import SetSpanningTree
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle

ID = "port-not-fwd"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """The state of containers' ports."""
    return on_host(case, obstacle) and any(named(obstacle.by, item.port.name) for item in case.once(_waiting))


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per bridge."""
    bridges: dict[str, list[Attachment]] = {}
    for item in ctx.case.once(_waiting):
        bridges.setdefault(item.bridge.name, []).append(item)
    for bridge, items in bridges.items():
        stp = items[0].bridge.bridge is not None and items[0].bridge.bridge.stp
        blocked = concerning(ctx.blocked_by(ID), *(item.member.namespace for item in items))
        names = ", ".join(item.name for item in items[:6])
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="bridge", name=bridge),
            summary=f"The bridge {bridge} does not forward to and from {names}: {_state(items[0])}",
            symptoms=symptoms(blocked, ("egress", "same-network", "published", "host-to-container")),
            evidence=(
                *(
                    of_link(f"{item.port.name} ({item.name})", _state(item), "forwarding", source="bridge link")
                    for item in items[:6]
                ),
                of_link(f"{bridge} stp_state", "1" if stp else "0", "0"),
                *(of_flows(one) for one in blocked[:2]),
                *of_failures(failed_starts(ctx.case, ID)),
            ),
            remedy=_remedy(ctx.case, items, stp=stp),
        )


def _state(item: Attachment) -> str:
    return item.port.port.state if item.port.port is not None else "unknown"


def _waiting(case: HostContext) -> list[Attachment]:
    return [
        item
        for item in all_attachments(case)
        if item.port.up
        and item.inner.up
        and item.bridge.up
        and item.port.carrier
        and item.port.port is not None
        and item.port.port.state not in {"forwarding", "unknown"}
    ]


def _remedy(case: HostContext, items: list[Attachment], *, stp: bool) -> Remedy:
    host, bridge = case.view.host, items[0].bridge
    ports = case.view.ports_of(host.id, bridge.ifindex) if host is not None else ()
    off = (SetSpanningTree(bridge=bridge.name, on=False),) if stp else ()
    return Remedy(
        summary=f"Let the ports of {bridge.name} forward" + (", without spanning tree" if stp else ""),
        steps=(*off, *(SetPortState(port=item.port.name, state="forwarding") for item in items)),
        undo=inverses(off),
        risk="ask" if all(port.kind == "veth" for port in ports) else "manual",
        note="They may forward by themselves in up to a minute: spanning tree lets a new port wait",
    )


CHECK = Check(
    id=ID,
    title="Containers' bridge ports forward",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
