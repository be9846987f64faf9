"""The host's OUTPUT rules drop what the host itself sends to its containers.

What it finds
    A rule or policy of the host's OUTPUT drops or rejects what the host, or a
    proxy on it, sends to a container, or the neighbour discovery of IPv6 by
    which containers find the host.

Why it matters
    Containers go on to reach the internet, while nothing of the host's own
    reaches them: no health check, no reverse proxy, no published port that
    docker-proxy takes connections of, no answer of the engine's name server
    that asks in the host's name.

How we know
    The packet walk from the host to each container and to each published
    port, and the rule or policy of OUTPUT that decides.

Remedy
    Accept what goes out by the bridge before the rule that drops, where the
    program or person keeps these rules.

When it is harmless
    Where nothing on the host has to reach a container; therefore it is only
    a warning.  It is information where only answers of the host's own services
    are dropped, and an error where containers don't find the host by IPv6.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext, element
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.checks.subjects.host_input import PROMISED, is_discovery, is_host_output
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy, inverses
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, table_of
from dnet_tui.diagnostics.report.decisions import overriding, owner_of
from dnet_tui.diagnostics.report.finding import Finding, Severity, Subject
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, RuleRef
from dnet_tui.inspect.model.rule_writers.owner import ADMINISTRATOR

ID = "output-drop"
_TO_CONTAINERS = PROMISED | {"host-to-container"}


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A rule of OUTPUT before neighbour discovery; what else it stops nobody promised (``Flow.meant``)."""
    return is_discovery(case, obstacle, "output")


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per rule or policy: what it drops, and neighbour discovery with it."""
    yield from undecided(ctx, ID)
    for flow, obstacle in ctx.meant_unsure:
        if is_host_output(ctx.case, obstacle):
            yield Undecided(reason=f"{flow.label}: {obstacle.by.text}")
    found: dict[Decider | RuleRef, BlockedFlows] = {}
    for blocked in (*definite(ctx, ID), *ctx.meant):
        if is_host_output(ctx.case, blocked.obstacle) or is_discovery(ctx.case, blocked.obstacle, "output"):
            known = found.setdefault(element(blocked.obstacle), BlockedFlows(blocked.obstacle))
            known.there += blocked.there
            known.back += blocked.back
    for blocked in found.values():
        rule = blocked.obstacle.by.rule
        if rule is not None:
            yield _finding(blocked, rule)


def _finding(blocked: BlockedFlows, rule: RuleRef) -> Finding:
    networks = list({flow.network.bridge: flow.network for flow in blocked.flows}.values())
    names = ", ".join(network.name for network in networks[:4]) + (" …" if networks[4:] else "")
    kinds = {flow.kind for flow in blocked.flows}
    discovery = any(item.stage == "neighbour" for flow in blocked.flows for _, item in flow.obstacles)
    severity: Severity = "error" if discovery else "warning" if kinds & _TO_CONTAINERS else "info"
    what = f"the policy of {rule.chain}" if rule.number == 0 else f"rule {rule.number} of {rule.chain}"
    owner = owner_of(rule) or ADMINISTRATOR
    return Finding(
        check=ID,
        severity=severity,
        subject=Subject(kind="rule", name=f"{rule.table} {rule.chain} {rule.number or 'policy'}"),
        summary=f"The host's OUTPUT rules drop what the host sends to containers of {names}: {what}",
        symptoms=blocked.symptoms,
        evidence=(of_rule(rule, "accepts it, if it should pass"), of_flows(blocked)),
        remedy=overriding(_accept(rule, [network.bridge for network in networks]), owner),
        owner=owner,
    )


def _accept(rule: RuleRef, bridges: list[str]) -> Remedy:
    """Accept what goes out by the bridges; of rules that aren't iptables' filter only a person knows where."""
    place = table_of(rule)
    base = rule.base or rule.chain
    note = f"Put it where the program or person keeps these rules: `-o {bridges[0]} -j ACCEPT` in {base} before it"
    summary = f"Accept what the host sends to {', '.join(bridges)}"
    if place is None or place.table != "filter":
        return Remedy(summary=summary, risk="manual", note=note)
    steps = tuple(RuleEdit(place, base, f"-o {bridge} -j ACCEPT").insert(1) for bridge in bridges)
    return Remedy(summary=summary, steps=steps, undo=inverses(steps), risk="ask", note=note)


CHECK = Check(
    id=ID,
    title="The host reaches its containers",
    severity="warning",
    doc=__doc__,
    find=find,
    owns=owns,
    explains=("dns-upstream",),
    hidden_by=("firewall",),
)
