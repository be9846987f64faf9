"""firewalld's StrictForwardPorts keeps everybody from published ports.

What it finds
    A packet for a published port is translated by the engine, and then
    rejected by the rule that firewalld writes when ``StrictForwardPorts`` is
    on: what others translated passes only for ports that firewalld itself
    was told to forward.

Why it matters
    Two settings contradict each other, and nobody is told: the engine says
    that it publishes the port, and every client is refused.  (netavark notices
    it and refuses to start such a container; Docker doesn't.)

How we know
    The packet walk ends at that rule, in the chain ``…FORWARD_dnat``, which
    is there with that setting only.  Source: ``_build_default_rules_dnat`` of
    firewalld's ``core/nftables.py`` and ``core/ipXtables.py``, since 2.3.

Remedy
    Tell firewalld of the port (``--add-forward-port``), or turn the setting
    off in /etc/firewalld/firewalld.conf.  Which of the two is meant is for a
    person to say.

When it is harmless
    Where nobody outside should reach the port.  Publishing it on 127.0.0.1
    says so, and then nothing is reported.  Because the setting is a choice, it
    is a warning and not an error.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.checks.subjects import firewalld_zones
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.firewalld import AddForwardPort
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle, Packet, RuleRef
from dnet_tui.inspect.model import PublishedPort

ID = "strict-fwd-ports"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """The rule that StrictForwardPorts writes, and what comes only after it."""
    return firewalld_zones.is_strict(case, obstacle) or firewalld_zones.follows_strict(case, obstacle)


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding for all ports of a family."""
    yield from undecided(ctx, ID)
    for blocked in definite(ctx, ID):
        if blocked.obstacle.by.rule is not None and firewalld_zones.is_strict(ctx.case, blocked.obstacle):
            yield _finding(ctx, blocked, blocked.obstacle.by.rule)


def _finding(ctx: CheckContext, blocked: BlockedFlows, rule: RuleRef) -> Finding:
    firewalld = ctx.case.snapshot.firewalld
    told = firewalld is not None and firewalld.strict_forward_ports
    zone = firewalld.default_zone if firewalld is not None else ""
    return Finding(
        check=ID,
        severity="warning",
        subject=Subject(kind="rule", name=f"{rule.table} {rule.chain}"),
        summary="firewalld refuses published ports, because they are not declared to it (StrictForwardPorts is on)",
        symptoms=blocked.symptoms,
        evidence=(
            of_rule(rule, "accepts the published ports"),
            *(
                (Evidence(source="/etc/firewalld/firewalld.conf", what="StrictForwardPorts", value="yes"),)
                if told
                else ()
            ),
            of_flows(blocked),
        ),
        remedy=Remedy(
            summary="Let firewalld forward these ports itself, if they are meant to be reached",
            steps=tuple(_forward(port, packet, zone) for port, packet in _ports(blocked, rule)),
            risk="manual",
            note="Add --permanent to keep it; or set StrictForwardPorts=no in /etc/firewalld/firewalld.conf",
        ),
    )


def _ports(blocked: BlockedFlows, rule: RuleRef) -> Iterator[tuple[PublishedPort, Packet]]:
    """The published ports that are refused, each once with a packet for it as the rule met it."""
    known = set()
    for flow in blocked.flows:
        met = next((item.packet for item in flow.forward.obstacles if item.by.rule == rule), None)
        if flow.port is not None and met is not None and (flow.port.host_port, flow.port.proto) not in known:
            known.add((flow.port.host_port, flow.port.proto))
            yield flow.port, met


def _forward(port: PublishedPort, packet: Packet, zone: str) -> AddForwardPort:
    return AddForwardPort(
        port=port.host_port,
        proto=port.proto,
        to_port=packet.dport or port.container_port,
        to_address=packet.dst,
        zone=zone,
    )


CHECK = Check(
    id=ID,
    title="firewalld lets translated packets pass",
    severity="warning",
    doc=__doc__,
    find=find,
    owns=owns,
)
