"""A container's bridge port gets no broadcasts, so its neighbours can't find it.

What it finds
    ``bcast_flood off`` on the port of a container that others on its network
    should reach.

Why it matters
    A neighbour asks for the container's MAC address by an ARP broadcast, which
    the bridge does not pass to this port.  It works as soon as the container
    has spoken to that neighbour itself, which makes the fault come and go.
    The host's own broadcasts still pass.

How we know
    The port's flag (``bridge -d link``).  The kernel drops forwarded
    broadcasts there (``br_flood``), but not those of the bridge itself.

Remedy
    ``bridge link set dev VETH bcast_flood on``.

When it is harmless
    Where something else answers for the container: a bridge whose port
    doesn't learn addresses is managed by a program, and not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import Attachment, attachments, of_link
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.bridge_port import SetPortFlag
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle

ID = "flood-off"


def owns(_: HostContext, obstacle: Obstacle) -> bool:
    """A question for a neighbour that a port doesn't get."""
    return obstacle.by.kind == "link" and obstacle.by.value == "bcast_flood off"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per port."""
    for item in _deaf(ctx.case):
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="container", name=item.name),
            summary=f"The bridge {item.bridge.name} keeps its neighbours' broadcasts from {item.name}",
            symptoms=("same-network",),
            evidence=(
                of_link(
                    f"{item.port.name} ({item.name})", "bcast_flood off", "bcast_flood on", source="bridge -d link"
                ),
            ),
            remedy=Remedy(
                summary=f"Flood broadcasts to {item.port.name}",
                steps=(SetPortFlag(port=item.port.name, flag="bcast_flood", on=True),),
                undo=(SetPortFlag(port=item.port.name, flag="bcast_flood", on=False),),
                risk="safe",
                note="A new container's port floods; find what switched it off on this one",
            ),
        )


def _deaf(case: HostContext) -> Iterator[Attachment]:
    for network in case.networks:
        items = attachments(case, network)
        if network.icc is not True or len(items) < 2:
            continue
        for item in items:
            port = item.port.port
            if port is not None and not port.broadcast_flood and port.learning:
                yield item


CHECK = Check(
    id=ID,
    title="Bridges flood broadcasts to containers",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
