"""Strict reverse-path filtering drops the answers of a container on several networks.

What it finds
    ``rp_filter`` is strict (1) on a network's bridge, and a packet that should
    pass comes in by it whose source address the host routes by another device.

Why it matters
    A container on two networks has one default route.  Asked by its address
    on the one, it answers over the other; the bridge it comes in by is not
    the one that its address belongs to, and the host drops it silently.

How we know
    The packet walk of the answer ends at the reverse-path check.  The greater
    of ``conf.all`` and the bridge's own value counts.

Remedy
    Set the bridge's ``rp_filter`` to 2 (loose), as Podman does.

When it is harmless
    Strict filtering alone is fine, and not reported: only a packet that it
    stops is.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_sysctl
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.l3.routing import sysctl_name
from dnet_tui.diagnostics.walk.packet import Obstacle

ID = "rpf-multinet"
_ALL = "net.ipv4.conf.all.rp_filter"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """The reverse-path check of a network's bridge, also of a question for a neighbour, which then isn't answered."""
    asked = obstacle.stage == "neighbour" and obstacle.by.text.endswith("rp_filter")
    filters = obstacle.stage == "reverse-path" or asked
    return filters and on_host(case, obstacle) and _bridge(case, obstacle) != ""


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per bridge."""
    yield from undecided(ctx, ID)
    for blocked in definite(ctx, ID):
        bridge = _bridge(ctx.case, blocked.obstacle)
        key = f"net.ipv4.conf.{sysctl_name(bridge)}.rp_filter"
        before = ctx.case.sysctl(key) or "0"
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="bridge", name=bridge),
            summary=f"Strict reverse-path filtering on {bridge} drops answers of containers on several networks",
            symptoms=blocked.symptoms,
            evidence=(
                of_sysctl(key, before, "2"),
                of_sysctl(_ALL, ctx.case.sysctl(_ALL) or "0", "the greater of both counts"),
                of_flows(blocked),
            ),
            remedy=Remedy(
                summary=f"Make reverse-path filtering on {bridge} loose",
                steps=(SetSysctl(key=key, value="2"),),
                undo=(SetSysctl(key=key, value=before),),
                risk="safe",
                note="To keep it, look in /etc/sysctl.d for what sets rp_filter to 1, and set 2 there",
            ),
        )


def _bridge(case: HostContext, obstacle: Obstacle) -> str:
    """The network's bridge by which the packet came in, or was asked for; empty when it is another device."""
    name = obstacle.packet.iif if obstacle.stage == "reverse-path" else obstacle.by.link
    return next((network.bridge for network in case.networks if network.bridge == name), "")


CHECK = Check(
    id=ID,
    title="Reverse-path filtering lets containers' answers pass",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("routes", "sysctls"),
)
