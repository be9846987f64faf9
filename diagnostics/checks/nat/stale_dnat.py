"""An old DNAT rule takes a published port's packets to an address that isn't the container's.

What it finds
    A packet for a published port is rewritten to an address that belongs to
    nobody, or to another container than the one that publishes the port.

Why it matters
    The first DNAT rule that fits wins.  A rule left behind by a container
    that is gone (a crash of the daemon, rules restored from a file) sends
    every connection into the void, while everything looks published.

How we know
    The packet walk rewrites an outside packet by that rule, and the new
    destination is not an address of the port's container.

Remedy
    Delete the orphaned rule.

When it is harmless
    Never for the port concerned.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_rule
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.expected_flows import Flow
from dnet_tui.diagnostics.flows.port_fate import dnat_rule, owned_addresses
from dnet_tui.diagnostics.operations.rule_edit import removal
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef
from dnet_tui.inspect.model import known_items

ID = "stale-dnat"
_NOTE = "If it comes back, a saved ruleset is restored at boot: remove it there"


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per rule."""
    wrong: dict[RuleRef, list[Flow]] = {}
    for flow in ctx.flows:
        rule = dnat_rule(flow) if flow.kind == "published" else None
        if rule is not None and flow.forward.last.dst not in owned_addresses(ctx.case, flow):
            wrong.setdefault(rule, []).append(flow)
    for rule, flows in wrong.items():
        yield _finding(ctx.case, rule, flows)


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A destination that a DNAT rule invented: nobody has it."""
    packet = obstacle.packet
    if not packet.dnatted or obstacle.by.kind != "neighbour":
        return False
    return not any(item.address == packet.dst for ns in known_items(case.snapshot.namespaces) for item in ns.addresses)


def _finding(case: HostContext, rule: RuleRef, flows: list[Flow]) -> Finding:
    flow = flows[0]
    wanted = ", ".join(sorted(owned_addresses(case, flow) - {"127.0.0.1", "::1"}))
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="port", name=flow.target),
        summary=f"Packets for {flow.target} are sent to {flow.forward.last.dst}, which is not the container",
        symptoms=("published",),
        evidence=(
            of_rule(rule, f"rewrites to {wanted}"),
            Evidence(source="packet walk", what="new destination", value=flow.forward.last.dst, expected=wanted),
        ),
        remedy=removal(rule, f"Delete rule {rule.number} of nat {rule.chain}", _NOTE),
    )


CHECK = Check(
    id=ID,
    title="Published ports are forwarded to their own containers",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    explains=("flow-blocked", "app-listen"),
)
