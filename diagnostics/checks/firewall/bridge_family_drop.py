"""A rule for bridged frames drops what containers send.

What it finds
    A table of nftables' family ``bridge`` (or ebtables, which writes there)
    drops a frame of a flow that the networks ask for.

Why it matters
    These rules act on the bridge itself, below iptables.  Nothing in
    ``iptables -L`` or in ``ip`` or ``inet`` tables shows them.

How we know
    The packet walk passes the bridge family's chains where a frame crosses a
    bridge or reaches the host by it, and names the rule or policy.

Remedy
    Let the rule's owner make an exception for the bridge, or delete it.

When it is harmless
    Where it drops nothing that a network asks for; it is not reported then.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, by_rules, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import attachments
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.nft_rule import AcceptInNft
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.decisions import overriding, owner_of
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef

ID = "bridge-family-drop"


def owns(case: HostContext, obstacle: Obstacle) -> bool:  # noqa: ARG001 - every check's ``owns`` has this form
    """A rule or policy of the bridge family."""
    return obstacle.by.rule is not None and obstacle.by.rule.family == "bridge"


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per rule or policy."""
    yield from undecided(ctx, ID)
    for blocked, rule in by_rules(ctx, ID):
        what = f"the policy of {rule.chain}" if rule.number == 0 else f"rule {rule.number} of {rule.chain}"
        yield Finding(
            check=ID,
            severity="warning",
            subject=Subject(kind="rule", name=f"bridge {rule.table} {rule.chain} {rule.number or 'policy'}"),
            summary=f"The table bridge {rule.table} drops container traffic by {what}",
            symptoms=blocked.symptoms,
            evidence=(of_rule(rule, "lets it pass"), of_flows(blocked)),
            remedy=overriding(_remedy(ctx.case, rule, blocked), owner_of(rule)),
        )


def _remedy(case: HostContext, rule: RuleRef, blocked: BlockedFlows) -> Remedy:
    bridges = sorted({flow.network.bridge for flow in blocked.flows})
    ports = sorted(
        {item.port.name for net in case.networks if net.bridge in bridges for item in attachments(case, net)}
    )
    accept = AcceptInNft(
        family="bridge",
        table=rule.table,
        chain=rule.base or rule.chain,
        direction="oifname" if rule.base == "output" else "iifname",
        interfaces=tuple(ports),
    )
    return Remedy(
        summary=f"Accept frames of {', '.join(bridges)} before it",
        steps=(accept,) if ports else (),
        risk="manual",
        note="Put it into the configuration of the program that owns the table; "
        f"`nft -a list table bridge {rule.table}` shows its rules",
    )


CHECK = Check(
    id=ID,
    title="No rule for bridged frames drops container traffic",
    severity="warning",
    doc=__doc__,
    find=find,
    owns=owns,
)
