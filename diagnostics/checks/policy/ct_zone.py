"""A rule puts containers' packets into a connection tracking zone in which their answers aren't looked for.

What it finds
    A rule (``-j CT --zone``, nftables' ``ct zone set``) that hits one
    direction of what a network translates: the connection is kept in that
    zone, and its answer is looked for in another one.

Why it matters
    Translation is undone by the connection's entry.  An answer that finds
    none is delivered as it came: to the host itself, which knows of no such
    connection, or to the client with the container's own address.  Everything
    looks translated, and nothing gets back.

How we know
    The packet walk, there and back: the packet is translated in the one zone,
    the answer is looked for in the other, and the rule is the first of its
    hook that certainly hits it.

Remedy
    Whose rule it is decides.  A zone for one direction alone
    (``--zone-orig``) leaves the answers where they are found.

When it is harmless
    Where both directions are put into the same zone, or the zone is that of
    the first direction alone; it is not reported there.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.decisions.untracked import rule_that_parts, zones_of_answer
from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.flows.flow import Flow
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule_edit import removal
from dnet_tui.diagnostics.report.decisions import overriding, owner_of
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, RuleRef

ID = "ct-zone"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per rule."""
    found: dict[RuleRef, list[Flow]] = {}
    for flow in ctx.flows:
        parted = flow.expected and zones_of_answer(flow) is not None
        if parted and (rule := rule_that_parts(ctx.case, flow)) is not None:
            found.setdefault(rule, []).append(flow)
    for rule, flows in found.items():
        yield _finding(rule, flows)


def _finding(rule: RuleRef, flows: list[Flow]) -> Finding:
    by = Decider(kind="rule", text=rule.text, namespace=rule.namespace, rule=rule)
    blocked = BlockedFlows(Obstacle(end="dropped", stage="prerouting", by=by, packet=flows[0].forward.last))
    blocked.back = flows
    names = ", ".join(dict.fromkeys(flow.network.name for flow in flows[:4]))
    kept, asked = zones_of_answer(flows[0]) or (0, 0)
    remedy = removal(rule, f"Remove rule {rule.number} of {rule.chain}, if it isn't meant for containers", "")
    return Finding(
        check=ID,
        severity="warning",
        subject=Subject(kind="rule", name=f"{rule.table} {rule.chain} {rule.number}"),
        summary=f"Rule {rule.number} of {rule.chain} puts traffic of {names} into a tracking zone "
        "where its answers aren't looked for",
        symptoms=blocked.symptoms,
        evidence=(
            of_rule(rule, "does not hit this traffic"),
            of_flows(blocked),
            Evidence(
                source="packet walk",
                what="zone in which the answer is looked for",
                value=str(asked),
                expected=f"{kept}, where the connection is",
            ),
        ),
        remedy=overriding(remedy, owner_of(rule))
        or Remedy(summary="Yours to decide: let the rule name what the zone is meant for", risk="manual"),
        owner=owner_of(rule),
    )


CHECK = Check(
    id=ID,
    title="Answers are looked for in the tracking zone of their connection",
    severity="warning",
    doc=__doc__,
    find=find,
    explains=("masq-missing", "flow-blocked"),
    hidden_by=("firewall",),
)
