"""The uplink does not forward, so answers from outside die on the host.

What it finds
    ``net.ipv4.conf.UPLINK.forwarding`` is 0 on an interface that carries a
    default route, while ``net.ipv4.ip_forward`` is 1.

Why it matters
    A container's packets leave, but their answers are dropped when they come
    back in by the uplink, and so is everything for published ports.  Traffic
    between containers and with the host itself still works.

How we know
    The walk of the *answer* (or of a packet for a published port) ends at the
    forwarding decision of the uplink.

Remedy
    Set the uplink's switch to 1.  With systemd-networkd also set
    ``IPv4Forwarding=yes`` (older: ``IPForward=yes``) for that interface, or it
    will be turned off again.

When it is harmless
    Where no container network uses that uplink; not reported there.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.forwarding import device_of, findings, is_forwarding
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.walk.packet import Obstacle

ID = "fwd-off-uplink"
_NOTE = "Where systemd-networkd manages the interface, set IPv4Forwarding=yes in its .network file too"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """The refusal of an uplink to forward."""
    return is_forwarding(case, obstacle) and device_of(obstacle) in case.uplinks


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per uplink."""
    yield from findings(ctx, ID, kind="uplink", risk="ask", note=_NOTE)


CHECK = Check(
    id=ID,
    title="The uplinks forward",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("sysctls",),
)
