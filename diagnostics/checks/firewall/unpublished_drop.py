"""Somebody tries ports of containers that aren't published, and Docker keeps them out, as it should.

What it finds
    The rule with which Docker 28 and later ends a bridge's rules, and drops
    what is for no published port, has dropped packets since an earlier
    snapshot (``doctor --since``).

Why it matters
    It is protection, not a fault.  Before 28 FORWARD's policy decided, so that
    a host whose policy is ACCEPT let such packets in; after the update it no
    longer does.

How we know
    The counter of ``! -i BRIDGE -o BRIDGE -j DROP`` in the chain DOCKER (in
    Docker's nftables mode: the rule "UNPUBLISHED PORT DROP"), now and in the
    earlier snapshot; without one nothing is said.  ``dnet-tui trace`` names
    the rule for one packet.

Remedy
    Publish the port, or make the network anew in gateway mode
    ``nat-unprotected``.

When it is harmless
    Nearly always: it is never more than information, as any scan makes the
    counter grow.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects.docker28_isolation import growing, is_unpublished
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Finding

ID = "unpublished-drop"

_REMEDY = Remedy(
    summary="If they are wanted: publish the port, or make the network anew in mode nat-unprotected",
    risk="manual",
)


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per bridge."""
    yield from growing(ctx, ID, is_unpublished, "for ports that aren't published on", _REMEDY)


CHECK = Check(
    id=ID,
    title="Nobody was kept from ports that aren't published",
    severity="info",
    doc=__doc__,
    find=find,
    comparing=True,
)
