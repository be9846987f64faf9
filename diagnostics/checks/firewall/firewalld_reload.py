"""The engine's rules are gone while firewalld's stand, as after a reload that the engine didn't hear of.

What it finds
    None of the engine's chains or tables is left, in no backend, and a
    firewalld runs whose own rules are loaded.

Why it matters
    ``firewall-cmd --reload`` flushes the tables that firewalld takes for its
    own and writes only its own rules again: iptables' with the iptables
    backend, and with the nftables one where direct rules are in use.  Docker
    hears of it by the bus and writes its rules anew, unless it started before
    firewalld or has no bus; Podman has no daemon that could.

How we know
    As ``rules-flushed`` does: all tables of all backends were read and none
    of the engine's is there; firewalld's process and its rules are.  That a
    reload did it, and no script, only the journal can tell:
    ``journalctl -u firewalld``.  Source: ``flush`` and
    ``flush_direct_backends`` of firewalld's ``core/fw.py``.

Remedy
    Let the engine write its rules again: restart Docker (containers stop
    unless live-restore is on), or ``podman network reload --all``; for Podman
    the service ``netavark-firewalld-reload`` does that after every reload.

When it is harmless
    With ``"iptables": false`` the engine has no rules by choice; rootless
    engines have theirs in another namespace.  Neither is reported.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.subjects import firewalld_zones, flushed_rules, linux_network_rules
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.report.finding import Evidence, Finding
from dnet_tui.diagnostics.walk.packet import Obstacle

ID = "firewalld-reload"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """FORWARD's policy, where firewalld's rules stand and no rule of an engine is left to come before it."""
    return firewalld_zones.stands(case) and any(
        engine != linux_network_rules.ENGINE for engine in flushed_rules.lacking(case, obstacle)
    )


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per engine; what could not be read is said by ``rules-flushed``."""
    for item in flushed_rules.gone(ctx, ID):
        if isinstance(item, Finding) and flushed_rules.is_reload(ctx.case, item):
            yield _told(ctx.case, item)


def _told(case: HostContext, flushed: Finding) -> Finding:
    firewalld = case.snapshot.firewalld
    value = "runs, and its rules are loaded"
    if firewalld is not None and firewalld.settled:
        value += f" (FirewallBackend={firewalld.backend})"
    remedy = flushed.remedy
    if remedy is not None:
        note = "See what happened: journalctl -u firewalld"
        remedy = msgspec.structs.replace(remedy, note=f"{remedy.note}. {note}" if remedy.note else note)
    return msgspec.structs.replace(
        flushed,
        summary=f"{flushed.summary} and firewalld's stand, as after a reload",
        evidence=(*flushed.evidence, Evidence(source="processes, rules", what="firewalld", value=value)),
        remedy=remedy,
    )


CHECK = Check(
    id=ID,
    title="A reload of firewalld left the engine's rules in place",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    explains=(*flushed_rules.EXPLAINS, "zone-missing"),
)
