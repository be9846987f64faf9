"""A rule exempts containers' packets from connection tracking, so that they aren't translated.

What it finds
    A rule of the raw table (``-j CT --notrack``, ``-j NOTRACK``, nftables'
    ``notrack``) that hits what containers send or get, on a network that
    masquerades or publishes ports.

Why it matters
    Without tracking there is no NAT: packets leave with the container's own
    address, published ports lead nowhere, and answers aren't translated back.
    It looks as if the MASQUERADE rule were missing, though it is there.

How we know
    The packet walk: the packet is untracked where it should be translated, and
    the rule that made it so is the first of its hook that certainly hits it.

Remedy
    Whose rule it is decides.  Rules that spare busy services from tracking
    should name them, not a whole bridge or uplink.

When it is harmless
    Where the network masquerades nothing and publishes nothing; it is not
    reported there.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.decisions.untracked import exempting_rule, is_untracked
from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.flows.flow import Flow
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule_edit import removal
from dnet_tui.diagnostics.report.decisions import overriding, owner_of
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, RuleRef

ID = "notrack"


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per rule."""
    found: dict[RuleRef, list[Flow]] = {}
    for flow in ctx.flows:
        if is_untracked(flow) and (rule := exempting_rule(ctx.case, flow)) is not None:
            found.setdefault(rule, []).append(flow)
    for rule, flows in found.items():
        yield _finding(rule, flows)


def _finding(rule: RuleRef, flows: list[Flow]) -> Finding:
    by = Decider(kind="rule", text=rule.text, namespace=rule.namespace, rule=rule)
    blocked = BlockedFlows(Obstacle(end="dropped", stage="prerouting", by=by, packet=flows[0].forward.last))
    blocked.there = flows
    names = ", ".join(dict.fromkeys(flow.network.name for flow in flows[:4]))
    left = flows[0].forward.last.tuple_text()
    remedy = removal(rule, f"Remove rule {rule.number} of {rule.chain}, if it isn't meant for containers", "")
    return Finding(
        check=ID,
        severity="warning",
        subject=Subject(kind="rule", name=f"{rule.table} {rule.chain} {rule.number}"),
        summary=f"Rule {rule.number} of {rule.chain} exempts traffic of {names} from tracking, so it isn't translated",
        symptoms=blocked.symptoms,
        evidence=(
            of_rule(rule, "does not hit this traffic"),
            of_flows(blocked),
            Evidence(source="packet walk", what="ends untracked, as", value=left, expected="translated"),
        ),
        remedy=overriding(remedy, owner_of(rule))
        or Remedy(summary="Yours to decide: let the rule name the services that it is meant for", risk="manual"),
        owner=owner_of(rule),
    )


CHECK = Check(
    id=ID,
    title="Containers' packets that need translation are tracked",
    severity="warning",
    doc=__doc__,
    find=find,
    explains=("masq-missing", "flow-blocked"),
    hidden_by=("firewall",),
)
