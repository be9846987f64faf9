"""A network's bridge does not forward, though the host does.

What it finds
    ``net.ipv4.conf.BRIDGE.forwarding`` is 0 on the bridge of a network that
    is not internal, while ``net.ipv4.ip_forward`` is 1.

Why it matters
    Everything that containers on this bridge send beyond it is dropped
    silently; other networks of the host work, which makes it hard to see.

How we know
    The walk of a flow that should pass ends at the forwarding decision of
    that bridge.  The kernel looks at the receiving interface's own switch.

Remedy
    Set the bridge's switch to 1.  Find what set it to 0: a sysctl.d file, or a
    network manager that took over the interface.

When it is harmless
    On internal networks, where Podman sets it on purpose; not reported there.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.forwarding import device_of, findings, is_forwarding
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.walk.packet import Obstacle

ID = "fwd-off-bridge"
_NOTE = (
    "The engine makes the bridge anew at its next start; a sysctl.d file that sets 'default' to 0 would bring it back"
)


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """The refusal of a network's bridge to forward."""
    return is_forwarding(case, obstacle) and device_of(obstacle) in {network.bridge for network in case.networks}


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per bridge."""
    yield from findings(ctx, ID, kind="bridge", risk="safe", note=_NOTE)


CHECK = Check(
    id=ID,
    title="Every routed network's bridge forwards",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("sysctls",),
)
