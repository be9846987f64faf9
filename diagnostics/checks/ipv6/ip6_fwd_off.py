"""The host does not forward IPv6, though a network has it.

What it finds
    ``net.ipv6.conf.all.forwarding`` is 0 while running containers have a
    global IPv6 address on a network that leads out.

Why it matters
    Their IPv6 packets end at the host.  Programs try IPv6 first, wait, and
    fall back to IPv4: everything is slow, or fails where there is only IPv6.

How we know
    The kernel asks the namespace's own switch, ``conf.all``, for every IPv6
    packet; that of a single interface does not make it forward.

Remedy
    Set it to 1.  A host that has its own default route from router
    advertisements loses it then, unless ``accept_ra`` is 2 on its uplink:
    that is set first.

When it is harmless
    Where IPv6 is only meant to work within the network.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_sysctl
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import attachments, on_host, symptoms
from dnet_tui.diagnostics.checks.subjects.forwarding import FORWARDING6, default_links6, kept_by_ra
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Severity, Subject
from dnet_tui.diagnostics.walk.l3.routing import sysctl_name
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Network

ID = "ip6-fwd-off"
_FORCED = ".force_forwarding"
"""Since Linux 6.17 a single interface can be made to forward."""


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """The host's refusal to forward IPv6."""
    return on_host(case, obstacle) and obstacle.by.kind == "sysctl" and obstacle.by.text == FORWARDING6


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding for the host."""
    case = ctx.case
    blocked = ctx.blocked_by(ID)
    if case.sysctl(FORWARDING6) != "0":
        return
    hit = [
        (network, names)
        for network in case.networks
        if network.ipv6
        and not network.internal
        and network.gateway_mode6 != "isolated"
        and case.sysctl(f"net.ipv6.conf.{sysctl_name(network.bridge)}{_FORCED}") != "1"
        and (names := _with_address(case, network))
    ]
    if not hit and not blocked:
        return
    uplinks = default_links6(case)
    severity: Severity = "error" if uplinks else "warning"
    ra = kept_by_ra(case)
    yield Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="sysctl", name=FORWARDING6),
        summary=f"The host does not forward IPv6 packets ({FORWARDING6} is 0)",
        symptoms=symptoms(blocked, ("ipv6",)),
        evidence=(
            of_sysctl(FORWARDING6, "0", "1"),
            *(Evidence(source=net.engine, what=f"IPv6 on network {net.name}", value=", ".join(n)) for net, n in hit),
            *((Evidence(source="ip -6 route", what="default", value=", ".join(uplinks)),) if uplinks else ()),
            *(of_flows(item) for item in blocked[:2]),
        ),
        remedy=Remedy(
            summary="Turn IPv6 forwarding on",
            steps=(*(SetSysctl(key=key, value="2") for key in ra), SetSysctl(key=FORWARDING6, value="1")),
            undo=(SetSysctl(key=FORWARDING6, value="0"), *(SetSysctl(key=key, value="1") for key in ra)),
            risk="ask",
            note=f"To keep it over a reboot, write '{FORWARDING6} = 1' to /etc/sysctl.d/99-containers.conf",
        ),
    )


def _with_address(case: HostContext, network: Network) -> list[str]:
    """The containers with a global IPv6 address there."""
    return [
        item.name
        for item in attachments(case, network)
        if any(a.family == "ip6" and a.scope == "global" for a in case.view.addresses_of(item.member.link))
    ][:6]


CHECK = Check(
    id=ID,
    title="IPv6 forwarding is on where networks need it",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
