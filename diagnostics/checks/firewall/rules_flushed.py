"""The engine's firewall rules are gone, in every backend.

What it finds
    Containers run on an engine's bridge networks, the engine manages the
    firewall, and none of its chains or tables is left: not in iptables-nft,
    not in iptables-legacy, not in native nftables.  For plain-Linux networks:
    no rule speaks of any of their bridges or subnets, and traffic shows it.

Why it matters
    Without them nothing is masqueraded, no port is published, networks are
    not kept apart, and where FORWARD drops by default nothing passes at all.

How we know
    All tables of all backends were read, and no chain begins with the
    engine's names; a table that could not be read makes this undecided.

Remedy
    Let the engine put its rules back: restart Docker (containers stop unless
    live-restore is on), or ``podman network reload --all``.  Then find what
    flushed them: ``nft flush ruleset`` in a script, csf, a restart of the
    iptables or nftables service.  Plain-Linux networks have no engine: load
    the rules from where you keep them, or make them anew as shown; published
    ports are not among those.

When it is harmless
    With ``"iptables": false`` in daemon.json the engine writes no rules by
    choice; rootless engines have theirs in another namespace.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects import flushed_rules
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.walk.packet import Obstacle

ID = "rules-flushed"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """FORWARD's policy, where no rule of the engine is left to come before it."""
    return bool(flushed_rules.lacking(case, obstacle))


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per engine; what firewalld may have done is told by another check."""
    for item in flushed_rules.gone(ctx, ID):
        if not (isinstance(item, Finding) and flushed_rules.is_reload(ctx.case, item)):
            yield item


CHECK = Check(
    id=ID,
    title="The engine's firewall rules are there",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    explains=flushed_rules.EXPLAINS,
)
