"""A container on several networks has its way out over one that leads nowhere.

What it finds
    A running container on an internal network and on one that leads out,
    whose default route goes over the internal one.

Why it matters
    A container has one default route.  Over an internal network it ends at
    the bridge, though the other network would lead to the internet.

How we know
    The container's own default route and the options of its networks.

Remedy
    Choose the network that gives the gateway: ``gw-priority`` of
    ``docker network connect`` (since 28), or the order in which the networks
    are attached; or set the route.

When it is harmless
    Where the container is meant to stay inside; it is only information.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import default_hops
from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model import Network

ID = "gw-choice"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per container."""
    for places in _by_container(ctx.case).values():
        chosen = next((item for item in places if _is_default(ctx.case, item[1])), None)
        better = next((network for network, _ in places if network.internal is False), None)
        if chosen is None or better is None or not chosen[0].internal:
            continue
        network, member = chosen
        name = member.container.name
        gateway = default_hops(ctx.case.view.namespaces[member.namespace])[0][0]
        yield Finding(
            check=ID,
            severity="info",
            subject=Subject(kind="container", name=name),
            summary=f"{name} has its way out over the internal network {network.name}, not over {better.name}",
            symptoms=("egress",),
            evidence=(
                Evidence(
                    source="ip route",
                    what=f"in {name}",
                    value=f"default via {gateway} ({network.name})",
                    expected=f"a gateway of {better.name}",
                ),
            ),
            remedy=Remedy(
                summary=f"Let {better.name} give {name} its gateway",
                risk="manual",
                note=f"docker network connect --gw-priority 1 {better.name} {name} (Docker 28 and later)",
            ),
        )


def _by_container(case: HostContext) -> dict[str, list[tuple[Network, AttachedContainer]]]:
    """The networks of each container that is on several."""
    found: dict[str, list[tuple[Network, AttachedContainer]]] = {}
    for network in case.networks:
        for member in case.members(network):
            found.setdefault(member.namespace, []).append((network, member))
    return {namespace: places for namespace, places in found.items() if len(places) > 1}


def _is_default(case: HostContext, member: AttachedContainer) -> bool:
    hops = default_hops(case.view.namespaces[member.namespace])
    return bool(hops) and hops[0][1] == member.link.ifindex


CHECK = Check(
    id=ID,
    title="Containers on several networks leave by the right one",
    severity="info",
    doc=__doc__,
    find=find,
)
