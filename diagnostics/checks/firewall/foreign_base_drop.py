"""Another program's nftables chain drops container traffic.

What it finds
    A base chain in a native nftables table that is not the engine's drops a
    flow that the networks ask for: by one of its rules, or by its policy.

Why it matters
    In nftables an accept is final only within its own chain.  The engine's
    accept does not help: every base chain of the hook must let the packet
    pass.  firewalld, a hand-written /etc/nftables.conf or another tool's table
    does this.

How we know
    The packet walk passes all base chains of the hook by priority, and names
    the chain, with its priority and the rule that decides.

Remedy
    Let that chain accept what comes from and goes to the bridge.  It belongs
    into that program's own configuration, so this is for a person to do.

When it is harmless
    Where it drops nothing that a network asks for; it is not reported there.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, by_rules, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.checks.subjects.owners_remedy import by_hand_in
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.netns_scope import HOST
from dnet_tui.diagnostics.operations.nft_rule import AcceptInNft, InterfaceDirection
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.decisions import overriding, owner_of
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS

ID = "foreign-base-drop"
_ENGINES = tuple(name for kind in ENGINE_KINDS if kind.command for name in kind.tables)


def owns(case: HostContext, obstacle: Obstacle) -> bool:  # noqa: ARG001 - every check's ``owns`` has this form
    """A rule or policy in a native table of nobody's engine."""
    rule = obstacle.by.rule
    return rule is not None and rule.backend == "nftables" and rule.family != "bridge" and rule.table not in _ENGINES


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per rule or policy."""
    yield from undecided(ctx, ID)
    for blocked, rule in by_rules(ctx, ID):
        what = "its policy" if rule.number == 0 else f"rule {rule.number} of {rule.chain}"
        yield Finding(
            check=ID,
            severity="warning",
            subject=Subject(kind="rule", name=f"{rule.family} {rule.table} {rule.base}"),
            summary=f"The nftables table {rule.family} {rule.table} drops container traffic by {what}",
            symptoms=blocked.symptoms,
            evidence=(of_rule(rule, "lets it pass"), of_flows(blocked)),
            remedy=overriding(_remedy(ctx.case, rule, blocked), owner_of(rule)),
        )


_BELOW = frozenset({"arp", "netdev"})
"""Families whose chains see no bridge as their interface, or no packet of IP's at all."""
_NOTE = "Put it into the configuration of the program that owns the table, or its next reload undoes it"


def _remedy(case: HostContext, rule: RuleRef, blocked: BlockedFlows) -> Remedy:
    if rule.family in _BELOW:
        step = by_hand_in(case, rule, HOST)
        what = (
            f"Let {rule.base} accept by default"
            if rule.number == 0
            else f"Take the rule out of {rule.base}, or narrow it"
        )
        return Remedy(summary=what, steps=(step,) if step is not None else (), risk="manual", note=_NOTE)
    bridges = sorted({flow.network.bridge for flow in blocked.flows})
    directions: tuple[InterfaceDirection, ...] = ("iifname", "oifname")
    steps = [
        AcceptInNft(family=rule.family, table=rule.table, chain=rule.base, direction=direction, interfaces=(bridge,))
        for bridge in bridges
        for direction in directions
    ]
    return Remedy(
        summary=f"Let {rule.base} accept what comes from and goes to {', '.join(bridges)}",
        steps=tuple(steps),
        risk="manual",
        note=_NOTE,
    )


CHECK = Check(
    id=ID,
    title="No other nftables chain drops container traffic",
    severity="warning",
    doc=__doc__,
    find=find,
    owns=owns,
)
