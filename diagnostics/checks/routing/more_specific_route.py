"""A more specific route takes a container's address away from its bridge.

What it finds
    A route in the main table that covers a running container's address, is
    narrower than the network's own route, and leads over another device (or
    nowhere: blackhole, unreachable, prohibit).

Why it matters
    The narrowest route wins.  The host sends everything for that container
    elsewhere: answers from the internet, published ports, its own connections.

How we know
    The packet walk's routing decision for the container's address, against
    the network's own route.

Remedy
    Delete the route.  If a VPN or a routing daemon brings it, the two ranges
    overlap: move the network to another subnet.

When it is harmless
    Where no running container has an address in it; then it is not reported
    here (see ``subnet-overlap``).
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import route_spec, symptoms
from dnet_tui.diagnostics.checks.subjects.misrouted_containers import Stray, cause_of, strays
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.operations.route import DeleteRoute
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Route

ID = "more-specific-route"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """What stops a container's packet on the way that the route sent it."""
    return cause_of(case, obstacle) == ID


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per route."""
    found: dict[str, list[Stray]] = {}
    for stray in strays(ctx.case):
        if stray.cause == ID:
            found.setdefault(stray.text, []).append(stray)
    for text, hit in found.items():
        first = hit[0]
        names = ", ".join(item.member.container.name for item in hit[:6])
        blocked = ctx.blocked_by(ID)
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="host", name=text),
            summary=f"The route {text} takes packets for {names} away from {first.network.bridge}",
            symptoms=symptoms(blocked, ("egress", "published", "host-to-container")),
            evidence=(
                Evidence(
                    source="ip route get",
                    what=first.member.address,
                    value=text,
                    expected=f"dev {first.network.bridge}",
                ),
                *(of_flows(item) for item in blocked[:2]),
            ),
            remedy=_remedy(ctx.case, first.route),
        )


def _remedy(case: HostContext, route: Route | None) -> Remedy | None:
    host = case.view.host
    spec = route_spec(host, route) if host is not None and route is not None else None
    steps = (DeleteRoute(route=spec),) if spec is not None else ()
    return Remedy(
        summary="Delete that route",
        steps=steps,
        undo=inverses(steps),
        risk="ask",
        note="If a VPN or a routing daemon brings it back, give the network another subnet",
    )


CHECK = Check(
    id=ID,
    title="No other route takes containers' addresses",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
