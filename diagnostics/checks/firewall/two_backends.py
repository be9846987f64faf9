"""The other iptables backend drops what the engine's backend accepts.

What it finds
    Rules of iptables-legacy and of iptables-nft are loaded at once, and the
    backend that the engine does *not* use drops a flow that should pass.

Why it matters
    Both run, one after the other: an accept in one is not final in the other.
    ``iptables -L`` shows only one of them, so the drop can't be seen there.

How we know
    The packet walk passes every base chain of every backend, and names the
    one that drops.

Remedy
    Set the unused backend's policy to ACCEPT, or delete the rule; better,
    clear that backend altogether and keep to one.

When it is harmless
    Legacy tables that are loaded but empty, with policy ACCEPT, do nothing;
    they are not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, by_rules, undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule import SetChainPolicy
from dnet_tui.diagnostics.operations.rule_edit import removal, table_of
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef

ID = "two-backends"
_NOTE = "Find what loads that backend at boot, and keep to one backend"
_IPTABLES = {"iptables-nft", "iptables-legacy"}


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A rule or policy of the iptables backend that the engine doesn't use."""
    rule = obstacle.by.rule
    return rule is not None and rule.backend in _IPTABLES - {iptables_layout.backend(case)}


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per rule or policy."""
    yield from undecided(ctx, ID)
    for blocked, rule in by_rules(ctx, ID):
        yield Finding(
            check=ID,
            severity="error",
            subject=Subject(kind="rule", name=f"{rule.backend} {rule.table} {rule.chain}"),
            summary=(
                f"{rule.backend} drops container traffic, though the engine uses {iptables_layout.backend(ctx.case)}"
            ),
            symptoms=blocked.symptoms,
            evidence=(
                of_rule(rule, "lets it pass"),
                Evidence(source="iptables", what="the engine's chains are in", value=iptables_layout.backend(ctx.case)),
                of_flows(blocked),
            ),
            remedy=_remedy(rule),
        )


def _remedy(rule: RuleRef) -> Remedy | None:
    place = table_of(rule)
    if place is None:
        return None
    if rule.number == 0:
        accept = SetChainPolicy(
            backend=place.backend, family=place.family, table=rule.table, chain=rule.chain, policy="ACCEPT"
        )
        return Remedy(
            summary=f"Let {rule.chain} of {rule.backend} accept by default",
            steps=(accept,),
            undo=(accept.inverse(),),
            risk="ask",
            note=_NOTE,
        )
    return removal(rule, f"Delete rule {rule.number} of {rule.chain} in {rule.backend}", _NOTE)


CHECK = Check(
    id=ID,
    title="Only one iptables backend decides",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
