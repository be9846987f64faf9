"""FORWARD's policy DROP, which Docker sets, stops what other networks of the host are meant to do.

What it finds
    Traffic of a network that isn't Docker's, and that no rule stops, ends at
    the policy of iptables' FORWARD: ports that Podman publishes, or guests
    that libvirt, LXD or Incus let out by nftables tables of their own.

Why it matters
    Docker turns forwarding on when it starts, and where it was off before, it
    also makes FORWARD drop by default, so that the host doesn't become a
    router.  The policy asks nobody whose packet it is: what worked before
    Docker came does no longer.  An accept in another table doesn't help, as
    every base chain of the hook must let a packet pass.

How we know
    The packet walk of what those networks ask for ends at that policy, in the
    table that holds Docker's chains, and Docker may have set it
    (``setupIPv4Forwarding`` of its bridge driver): its settings don't tell it to
    leave forwarding or the rules alone.

Remedy
    Accept that traffic in DOCKER-USER, behind the rules that stand there
    already.  Or turn forwarding on before Docker starts (a file in
    /etc/sysctl.d), or since Docker 28 set ``"ip-forward-no-drop": true``: then
    it leaves the policy alone.

When it is harmless
    Policy DROP is normal beside Docker, and only reported where it hits what
    another manager of networks lets pass.  Where nobody says that it should
    pass, it is information.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.foreign_network_policy import findings, is_others
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.walk.packet import Obstacle

ID = "drop-hits-others"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """FORWARD's policy in Docker's table, for a packet of nobody's network but others'."""
    return is_others(case, obstacle, "ip")


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per bridge."""
    yield from undecided(ctx, ID)
    yield from findings(ctx, ID, "ip")


CHECK = Check(
    id=ID,
    title="Docker's policy DROP stops no other network's traffic",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("firewall", "sysctls"),
)
