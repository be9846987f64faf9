"""iptables' FORWARD drops what Docker's nftables rules accept.

What it finds
    Docker's rules stand in its nftables tables ``docker-bridges`` and none in
    iptables, and the policy of iptables' FORWARD, or a rule there that drops
    all that comes to it, stops a flow that a network of Docker's asks for.

Why it matters
    An accept in one table is not final: every base chain of the hook is
    passed.  After a change of backend Docker takes its accepts out of
    iptables, and leaves the policy DROP there that it once set itself.

How we know
    The packet walk passes the chains of both, and names iptables' policy or
    rule; the bridge has chains of its own in Docker's table.  Docker only
    writes a warning to its log ("may be dropped, iptables chain FORWARD has
    policy DROP", ``NewCleaner`` in its bridge driver).

Remedy
    Let iptables accept what comes from and goes to Docker's bridges, after
    all rules of its own: Docker's tables still decide what may pass.  Or set
    the policy to ACCEPT, where nothing else on the host needs DROP.

When it is harmless
    Where FORWARD drops nothing that a network asks for.  A rule that drops
    certain packets only is somebody's wish, and reported as such.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, by_rules, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.checks.subjects import docker_nftables
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext, family_of
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, table_of
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef
from dnet_tui.inspect.model.firewall import Verdict

ID = "nftmode-iptables-drop"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """The policy of iptables' FORWARD, or a rule that ends it, where nftables has Docker's rules for the bridge."""
    rule = obstacle.by.rule
    if rule is None or obstacle.stage != "forward" or not on_host(case, obstacle) or table_of(rule) is None:
        return False
    if (rule.table, rule.base, rule.chain) != ("filter", "FORWARD", "FORWARD") or not _ends(case, rule):
        return False
    return bool({obstacle.packet.iif, obstacle.packet.oif} & docker_nftables.bridges(case, family_of(obstacle.packet)))


def _ends(case: HostContext, rule: RuleRef) -> bool:
    """Whether it takes all that comes to it."""
    if rule.number == 0:
        return True
    chain = iptables_layout.base_chain(case, rule)
    found = [item for item in (chain.rules if chain is not None else ()) if item.number == rule.number]
    return len(found) == 1 and all(isinstance(expr, Verdict) for expr in found[0].exprs)


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per policy or rule."""
    yield from undecided(ctx, ID)
    for blocked, rule in by_rules(ctx, ID):
        yield _finding(ctx.case, blocked, rule)


def _finding(case: HostContext, blocked: BlockedFlows, rule: RuleRef) -> Finding:
    what = "policy" if rule.number == 0 else f"rule {rule.number}"
    family = family_of(blocked.obstacle.packet)
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="rule", name=iptables_layout.named(f"{rule.backend} filter FORWARD {what}", family)),
        summary=f"iptables' FORWARD ({what}) stops what Docker's nftables rules accept",
        symptoms=blocked.symptoms,
        evidence=(
            of_rule(rule, "lets it pass"),
            Evidence(source="nft list ruleset", what="Docker's rules", value=f"table {family} {docker_nftables.TABLE}"),
            of_flows(blocked),
        ),
        remedy=_accept(case, blocked, rule),
    )


def _accept(case: HostContext, blocked: BlockedFlows, rule: RuleRef) -> Remedy | None:
    """Accept before what drops everything and after all else, so that other rules of FORWARD are still passed."""
    place, chain = table_of(rule), iptables_layout.base_chain(case, rule)
    if place is None or chain is None:
        return None
    first = rule.number or len(chain.rules) + 1
    served = docker_nftables.bridges(case, place.family)
    bridges = sorted({flow.network.bridge for flow in blocked.flows} & served)
    changes = [
        (RuleEdit(place=place, chain=rule.base, spec=f"{direction} {bridge} -j ACCEPT"), first + number)
        for number, (bridge, direction) in enumerate((bridge, way) for bridge in bridges for way in ("-i", "-o"))
    ]
    return Remedy(
        summary=f"Let iptables accept what comes from and goes to {', '.join(bridges)}",
        steps=tuple(change.insert(at) for change, at in changes),
        undo=tuple(change.delete(at) for change, at in reversed(changes)),
        risk="ask",
        note="Docker's own tables still decide.  Nothing restores these rules after a reboot: keep them where "
        "your iptables rules are loaded from, or set FORWARD's policy to ACCEPT there",
    )


CHECK = Check(
    id=ID,
    title="iptables lets pass what Docker's nftables rules accept",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
