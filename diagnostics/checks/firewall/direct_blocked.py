"""Somebody tries to reach containers' own addresses from elsewhere, and Docker keeps them out, as it should.

What it finds
    The rules by which Docker 28 and later drops packets that come straight to
    a container's address, from another interface than its bridge, have
    dropped some since an earlier snapshot (``doctor --since``).

Why it matters
    It is protection, not a fault: before 28, any neighbour with a route to the
    containers' subnet got in past the published ports.  Who used to rely on
    such a route finds it closed after the update; this says where.

How we know
    The counters of those rules in raw PREROUTING (in Docker's nftables mode:
    raw-PREROUTING), now and in the earlier snapshot.  A counter alone says
    nothing of when, so that without an earlier snapshot nothing is said.
    ``dnet-tui trace outside CONTAINER:PORT`` names the rule for one packet.

Remedy
    Use a port that is published on the host.  Where direct access is wanted:
    gateway mode ``nat-unprotected`` or ``routed``, or since 28.2 the option
    ``com.docker.network.bridge.trusted_host_interfaces``; each needs the
    network to be made anew.

When it is harmless
    Nearly always: it is never more than information, as any scan from outside
    makes the counters grow.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.docker28_isolation import growing, is_direct
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Finding

ID = "direct-blocked"

_REMEDY = Remedy(
    summary="If they are wanted: use a published port, or make the network anew in mode nat-unprotected or routed",
    risk="manual",
    note="Since Docker 28.2 the network option trusted_host_interfaces lets in what comes by interfaces that it names",
)


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per bridge."""
    yield from growing(ctx, ID, is_direct, "straight to containers on", _REMEDY)


CHECK = Check(
    id=ID,
    title="Nobody was kept from containers' own addresses",
    severity="info",
    doc=__doc__,
    find=find,
    comparing=True,
)
