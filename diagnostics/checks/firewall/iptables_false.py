"""Docker may write no firewall rules, and nobody else wrote those that its networks need.

What it finds
    ``"iptables": false`` in Docker's settings, and a network of Docker's whose
    packets leave with a private source, end at FORWARD's policy, or whose
    published port leads nowhere.

Why it matters
    With that setting Docker neither masquerades nor publishes ports in the
    kernel nor keeps networks apart.  It is a promise that the administrator
    does all of it; where a rule is missing, nobody will put it there.

How we know
    The setting in daemon.json or on dockerd's command line, and the packet
    walk of what the networks ask for.  Source: dockerd(8).

Remedy
    Remove the setting (or set it to true) and restart Docker.  Where it is
    meant, write the missing rule: the findings that follow from this one show
    it.

When it is harmless
    With rules of your own that do what is needed, nothing is reported.  Where
    routers outside know the containers' subnet, tell the network so with
    ``com.docker.network.bridge.enable_ip_masquerade=false``: then it doesn't
    ask for masquerading.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_rule
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.expected_flows import Flow
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.decisions import owner_of
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Engine, known_items
from dnet_tui.inspect.model.rule_writers.registry import manager_of

ID = "iptables-false"

_CONSEQUENCES = ("masq-missing", "nat-jump-missing", "fwd-jump-missing")
_SHOWN = 4


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """FORWARD's policy, for packets of networks whose engine may write no rules."""
    if not iptables_layout.by_policy(obstacle) or obstacle.packet.family != "ip":
        return False
    devices = {obstacle.packet.iif, obstacle.packet.oif}
    bare = {engine.name for engine in _engines(case)}
    return any(network.bridge in devices and network.engine in bare for network in case.networks)


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per engine."""
    yield from undecided(ctx, ID)
    for engine in _engines(ctx.case):
        suffering = [
            flow
            for flow in ctx.flows
            if (flow.network.engine, flow.family, flow.expected) == (engine.name, "ip", True) and _suffers(ctx, flow)
        ]
        if suffering:
            yield _finding(ctx, engine, suffering)


def _engines(case: HostContext) -> list[Engine]:
    return [engine for engine in known_items(case.snapshot.engines) if engine.iptables is False and not engine.rootless]


def _suffers(ctx: CheckContext, flow: Flow) -> bool:
    """Whether a rule that the engine would have written is what a flow lacks."""
    if any(ctx.owner(item) in {ID, *_CONSEQUENCES} for _, item in flow.obstacles if item.end != "unknown"):
        return True
    private = flow.forward.last.src == flow.forward.start.src
    unsure = any(item.end == "unknown" for item in flow.forward.obstacles)
    return flow.kind == "egress" and flow.masquerade is True and bool(flow.forward.exits) and private and not unsure


def _finding(ctx: CheckContext, engine: Engine, flows: list[Flow]) -> Finding:
    names = ", ".join(flow.label for flow in flows[:_SHOWN])
    more = f" and {len(flows) - _SHOWN} more" if len(flows) > _SHOWN else ""
    policies = [item.obstacle.by.rule for item in ctx.blocked_by(ID) if item.obstacle.by.rule is not None]
    owner = owner_of(policies[0]) if policies else None
    drops = f"; the policy of FORWARD that drops is {owner.name}'s" if owner is not None else ""
    place = manager_of(owner.name) if owner is not None else None
    note = "A restart stops Docker's containers, unless live-restore is on"
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="host", name=engine.name),
        summary=f"{engine.name} is set to write no firewall rules, and those that its networks need are missing{drops}",
        symptoms=tuple(dict.fromkeys(flow.kind for flow in flows)),
        evidence=(
            Evidence(source=f"{engine.name}'s settings", what="iptables", value="false", expected="true (the default)"),
            Evidence(source="packet walk", what="lacks a rule", value=names + more, expected="rules of your own"),
            *(of_rule(rule, "not reached") for rule in policies[:1]),
        ),
        remedy=Remedy(
            summary='Set "iptables": true in /etc/docker/daemon.json and restart Docker, or write the rules yourself',
            risk="manual",
            persists=True,
            note=f"{note}. {place.title} keeps its policies in {', '.join(place.files)}"
            if place is not None and place.files
            else note,
        ),
        owner=owner,
    )


CHECK = Check(
    id=ID,
    title="A Docker that may write no rules has them from somebody else",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
    explains=_CONSEQUENCES,
)
