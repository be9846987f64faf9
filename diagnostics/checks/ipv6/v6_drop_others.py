"""The policy DROP of ip6tables' FORWARD, which Docker sets, stops IPv6 of other networks of the host.

What it finds
    IPv6 traffic of a network that isn't Docker's, and that no rule stops, ends
    at the policy of ip6tables' FORWARD.

Why it matters
    With its IPv6 rules on, which is the default since 27, Docker makes
    ip6tables' FORWARD drop by default; up to 27 even where forwarding was on
    before it.  A host that routes IPv6 for Podman's networks or for guests
    stops doing so when Docker is started or updated.

How we know
    The packet walk of what those networks ask for ends at that policy, in the
    table that holds Docker's chains.  Source: ``setupIPv6Forwarding`` of
    Docker's bridge driver.

Remedy
    Accept that traffic in DOCKER-USER of ip6tables, behind the rules that
    stand there already.  Since Docker 28 IPv6 forwarding that was on before
    Docker started, or ``"ip-forward-no-drop": true``, spares the policy.

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

ID = "v6-drop-others"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """The policy of ip6tables' FORWARD in Docker's table, for a packet of nobody's network but others'."""
    return is_others(case, obstacle, "ip6")


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per bridge."""
    yield from undecided(ctx, ID)
    yield from findings(ctx, ID, "ip6")


CHECK = Check(
    id=ID,
    title="Docker's policy DROP stops no other network's IPv6",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    hidden_by=("firewall", "sysctls"),
)
