"""A rule above the engine's own drops traffic that those would accept.

What it finds
    A DROP or REJECT in the FORWARD chain (or in a chain reached from it) that
    stands before the engine's rules and hits a flow which a network's options
    ask for.

Why it matters
    FORWARD is read from the top: the engine's accept rules below are never
    reached.  Firewall scripts that end in ``-j REJECT`` and run after the
    engine started, or are re-loaded, do this.

How we know
    The packet walk evaluates the chain and names the rule that decides, with
    its counters; below it stand rules that serve the containers' bridges.

Remedy
    Whose rule it is decides.  It can be moved to the end of FORWARD: there it
    keeps its effect on everything the engine does not accept.  Rules that
    should limit containers belong in DOCKER-USER.

When it is harmless
    Where it hits nothing that a network asks for; it is not reported then,
    wherever it stands.  A rule that names one container is meant: that is
    policy-drop's, and only information.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, by_rules, undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.context.iptables_layout import (
    base_chain,
    forward_rule,
    in_engine_chain,
    in_user_chain,
    serves_containers,
)
from dnet_tui.diagnostics.flows.expected_flows import derive
from dnet_tui.diagnostics.operations.remedy import AnyOperation, Remedy
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, table_of
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.report.decisions import overriding, owner_of
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model.firewall import Rule

ID = "drop-before-docker"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A rule that is nobody's but the host's, above rules that serve containers."""
    rule = forward_rule(obstacle)
    if rule is None or in_user_chain(rule) or in_engine_chain(rule):
        return False
    chain = base_chain(case, rule)
    below = chain.rules[rule.base_number :] if chain is not None else ()
    bridges = {network.bridge for network in case.networks}
    return any(serves_containers(item, bridges) for item in below)


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per rule."""
    yield from undecided(ctx, ID)
    for blocked, rule in by_rules(ctx, ID):
        chain = base_chain(ctx.case, rule)
        top = chain.rules[rule.base_number - 1] if chain is not None and rule.base_number else None
        remedy = _remedy(ctx.case, rule, top, len(chain.rules)) if chain is not None and top is not None else None
        verb = "rejects" if blocked.obstacle.end == "rejected" else "drops"
        yield Finding(
            check=ID,
            severity="warning",
            subject=Subject(kind="rule", name=f"{rule.table} {rule.chain} {rule.number}"),
            summary=f"Rule {rule.number} of {rule.chain} {verb} container traffic before the engine's rules",
            symptoms=blocked.symptoms,
            evidence=(of_rule(rule, "stands below the engine's rules"), of_flows(blocked)),
            remedy=overriding(remedy, owner_of(rule)),
        )


def _remedy(case: HostContext, rule: RuleRef, top: Rule, last: int) -> Remedy | None:
    """Move the rule of FORWARD that decides (or leads to the chain that does) to FORWARD's end, where that helps."""
    place = table_of(rule)
    if place is None:
        return None
    change = RuleEdit(place=place, chain=rule.base, spec=top.text, packets=top.packets or 0, bytes=top.bytes or 0)
    moved = f"rule {top.number} of {rule.base}"
    if rule.chain != rule.base:
        moved += f", which leads to {rule.chain},"
    steps = (change.delete(top.number), change.insert(None))
    if _stops_still(case, steps, rule):
        return Remedy(
            summary=f"Delete {moved}: it would stop containers' traffic below the engine's rules too",
            steps=(change.delete(top.number),),
            undo=(change.insert(top.number),),
            risk="ask",
            note="The engine lets new connections to published ports pass by FORWARD's policy; see that this stays so",
        )
    return Remedy(
        summary=f"Move {moved} below the engine's rules",
        steps=steps,
        undo=(change.delete(last), change.insert(top.number)),
        risk="ask",
        note="Change the order in the script that loads it too, or let the engine start after it",
    )


def _stops_still(case: HostContext, steps: tuple[AnyOperation, ...], rule: RuleRef) -> bool:
    """Whether the rule, once moved, still is what stops a flow that should pass."""
    try:
        flows = derive(HostContext(after(case.snapshot, steps)))
    except DnetError:
        return False
    stops = (flow.obstacles[0][1].by.rule for flow in flows if flow.expected and flow.obstacles)
    return any(stop is not None and (stop.chain, stop.text) == (rule.chain, rule.text) for stop in stops)


CHECK = Check(
    id=ID,
    title="Nothing drops container traffic before the engine's rules",
    severity="warning",
    doc=__doc__,
    find=find,
    owns=owns,
)
