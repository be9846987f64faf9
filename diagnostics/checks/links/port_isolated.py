"""Containers of one network are isolated from each other at the bridge.

What it finds
    Two or more ports of a network's bridge have ``isolated on``, though the
    network's own options let its containers talk (icc is on).

Why it matters
    The bridge passes no frame between two isolated ports.  Containers reach
    the internet and the host, but not each other, and no firewall rule shows
    it.

How we know
    The port's flag (``bridge -d link``), and the packet walk of a flow between
    two such containers.

Remedy
    ``bridge link set dev VETH isolated off`` on each of them.  No engine sets
    the flag, so whoever did decided: it is made only with ``fix port-isolated
    --override-owner``.

When it is harmless
    Where the network does not ask for containers to reach each other; it is
    not reported there.  A single isolated port does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import (
    Attachment,
    attachments,
    named,
    of_link,
    on_host,
)
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.bridge_port import SetPortFlag
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Network
from dnet_tui.inspect.model.rule_writers.owner import ADMINISTRATOR

ID = "port-isolated"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """Two isolated ports."""
    return (
        on_host(case, obstacle)
        and obstacle.by.value == "isolated on"
        and any(named(obstacle.by, *(item.port.name for item in ports)) for _, ports in case.once(_isolated))
    )


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per network."""
    for network, ports in ctx.case.once(_isolated):
        names = ", ".join(item.name for item in ports[:6])
        steps = tuple(SetPortFlag(port=item.port.name, flag="isolated", on=False) for item in ports)
        yield Finding(
            check=ID,
            severity="warning",
            subject=Subject(kind="network", name=network.name),
            summary=f"The bridge {network.bridge} isolates {len(ports)} of its containers from each other: {names}",
            symptoms=("same-network",),
            evidence=tuple(
                of_link(f"{item.port.name} ({item.name})", "isolated on", "isolated off", source="bridge -d link")
                for item in ports[:6]
            ),
            remedy=Remedy(
                summary=f"Let the ports of {network.bridge} reach each other",
                steps=steps,
                undo=inverses(steps),
                risk="ask",
                note="If containers should be kept apart, say so in the network: icc=false",
                overrides=ADMINISTRATOR,
            ),
            owner=ADMINISTRATOR,
        )


def _isolated(case: HostContext) -> list[tuple[Network, list[Attachment]]]:
    found = []
    for network in case.networks:
        if network.icc is not True:
            continue
        ports = [item for item in attachments(case, network) if item.port.port is not None and item.port.port.isolated]
        if len(ports) > 1:
            found.append((network, ports))
    return found


CHECK = Check(
    id=ID,
    title="Bridge ports are not isolated against the network's options",
    severity="warning",
    doc=__doc__,
    find=find,
    owns=owns,
)
