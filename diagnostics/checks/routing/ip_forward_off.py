"""The host does not forward IPv4 at all.

What it finds
    ``net.ipv4.ip_forward`` is 0 while a container network needs routing: to
    the internet, from outside to a published port, or between networks.

Why it matters
    A container's packet reaches the bridge and the host drops it without a
    trace: no rule counts it, no ICMP error is sent.

How we know
    The packet walk of a flow that should pass ends at the forwarding decision
    of the interface it came in by, and the host-wide switch is 0.  The kernel
    decides by ``conf.IFACE.forwarding`` of the receiving interface; writing
    ``ip_forward`` sets all of those at once (``inet_forward_change``).

Remedy
    ``sysctl -w net.ipv4.ip_forward=1``.  It lasts until the next boot or
    ``sysctl --system``; look in /etc/sysctl.d for the file that turned it off
    (hardening guides do), or add one that turns it on.

When it is harmless
    On a host whose only networks are internal ones; it is not reported there.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_sysctl
from dnet_tui.diagnostics.checks.subjects.forwarding import FORWARDING4, is_forwarding, kept_off
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy, Risk
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Unread
from dnet_tui.inspect.model.firewall import Firewall

ID = "ip-forward-off"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """Any interface's refusal to forward, while the host-wide switch is off."""
    return is_forwarding(case, obstacle) and case.sysctl(FORWARDING4) == "0"


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding for the host, however many flows it stops."""
    yield from undecided(ctx, ID)
    stopped = definite(ctx, ID)
    if not stopped:
        return
    host = ctx.case.view.host
    firewall = None if host is None or isinstance(host.firewall, Unread) else host.firewall
    yield Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="sysctl", name=FORWARDING4),
        summary="The host does not forward IPv4 packets (net.ipv4.ip_forward is 0)",
        symptoms=tuple(dict.fromkeys(kind for blocked in stopped for kind in blocked.symptoms)),
        evidence=(
            of_sysctl(FORWARDING4, "0", "1"),
            *(of_sysctl(blocked.obstacle.by.text, "0", "1") for blocked in stopped),
            *(of_flows(blocked) for blocked in stopped),
        ),
        remedy=Remedy(
            summary="Turn IPv4 forwarding on",
            steps=(SetSysctl(key=FORWARDING4, value="1"), *kept_off(ctx.case)),
            undo=(SetSysctl(key=FORWARDING4, value="0"),),
            risk=_risk(firewall),
            note="To keep it over a reboot, write 'net.ipv4.ip_forward = 1' to /etc/sysctl.d/99-containers.conf",
        ),
    )


def _risk(firewall: Firewall | None) -> Risk:
    """Safe when FORWARD drops by default: turning forwarding on then opens nothing that no rule allows."""
    chains = [
        chain
        for table in (firewall.tables if firewall else ())
        if table.family == "ip"
        for chain in table.chains
        if chain.hook == "forward"
    ]
    return "safe" if any(chain.policy == "drop" for chain in chains) else "ask"


CHECK = Check(
    id=ID,
    title="IPv4 forwarding is on",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("sysctls",),
)
