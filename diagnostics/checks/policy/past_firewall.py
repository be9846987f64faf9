"""Published ports that the host's own firewall was never asked about.

What it finds
    A port that an engine publishes and that the outside reaches, though the
    INPUT rules of the program that keeps the host's firewall (ufw, csf,
    Shorewall, OpenWrt's) would turn the same packet away.

Why it matters
    The engine gives the packet the container's address before it is routed,
    so it is forwarded, and INPUT is never passed.  Whoever reads `ufw status`
    takes the port for closed.

How we know
    The packet from outside is walked and gets to the container; then the same
    packet, untranslated, is sent through the rules of INPUT, and a manager's
    rule or policy stops it there.

Remedy
    None is needed where the port is meant to be open.  To have the firewall
    decide, publish it on one address of the host (``-p 127.0.0.1:8080:80``),
    or filter it in the chain that the engine leaves to the administrator.

When it is harmless
    Mostly: publishing a port says that it is to be reached.  It is not
    reported where the manager's rules also let it in, or where it filters
    forwarded packets in the administrator's chain.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import named, of_rule
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.context.iptables_layout import USER_CHAINS, known_tables
from dnet_tui.diagnostics.flows.flow import Flow
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.decisions import owner_of, where_to_change
from dnet_tui.diagnostics.report.finding import Affected, Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.l3.namespace_context import match_context
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.netfilter.budget import Budget
from dnet_tui.diagnostics.walk.netfilter.conditions import Ruleset
from dnet_tui.diagnostics.walk.netfilter.hooks import run_hook
from dnet_tui.diagnostics.walk.packet import RuleRef
from dnet_tui.inspect.model.rule_writers.owner import DecisionOwner
from dnet_tui.inspect.model.rule_writers.registry import manager_of

ID = "past-firewall"
_SHOWN = 6


def find(ctx: CheckContext) -> Iterator[Finding]:
    """One finding per manager."""
    found: dict[DecisionOwner, list[tuple[Flow, RuleRef]]] = {}
    for flow in ctx.flows:
        gone = flow.forward
        translated = flow.kind == "published" and flow.arrives is True and gone.start.dst != gone.last.dst
        rule = _would_stop(ctx.case, flow) if translated else None
        owner = owner_of(rule)
        if rule is not None and owner is not None and not _filters_forwarded(ctx.case, rule.owner):
            found.setdefault(owner, []).append((flow, rule))
    for owner, those in found.items():
        yield _finding(owner, those)


def _would_stop(case: HostContext, flow: Flow) -> RuleRef | None:
    """The rule or policy of a firewall's keeper that INPUT would stop the packet by, if it were not translated."""
    host, first = case.view.host, flow.forward.hops[0] if flow.forward.hops else None
    if host is None or first is None:
        return None
    rules = Ruleset(index_of(case.view, host).rules, match_context(case.view, host), Budget(), set())
    asked = msgspec.structs.replace(flow.forward.start, iif=first.packet.iif)
    by = run_hook(rules, "input", asked).by
    rule = by.rule if by is not None else None
    manager = manager_of(rule.owner.partition(" ")[0]) if rule is not None else None
    return rule if manager is not None and manager.keeps_policies else None


def _filters_forwarded(case: HostContext, kind: str) -> bool:
    """Whether the manager has rules in the administrator's chain, which forwarded packets pass before the engine's."""
    return any(
        rule.owner == kind
        for table in known_tables(case.view.host)
        for chain in table.chains
        if chain.name in USER_CHAINS
        for rule in chain.rules
    )


def _finding(owner: DecisionOwner, those: list[tuple[Flow, RuleRef]]) -> Finding:
    ports = list(
        dict.fromkeys(f"{flow.port.host_port}/{flow.port.proto}" for flow, _ in those if flow.port is not None)
    )
    more = f" and {len(ports) - _SHOWN} more" if len(ports) > _SHOWN else ""
    names = dict.fromkeys(flow.container.name for flow, _ in those if flow.container is not None)
    rule = those[0][1]
    return Finding(
        check=ID,
        severity="info",
        subject=Subject(kind="rule", name=f"{rule.table} {rule.base or rule.chain}"),
        summary=f"Published ports {', '.join(ports[:_SHOWN])}{more} are reached past {owner.name}: "
        "its INPUT rules aren't asked",
        symptoms=("published",),
        evidence=(
            of_rule(rule, "not passed: the packet is forwarded"),
            Evidence(
                source="packet walk",
                what="gets to the container",
                value=", ".join(flow.label for flow, _ in those[:_SHOWN]),
                flows=tuple(named(flow) for flow, _ in those),
            ),
        ),
        remedy=Remedy(
            summary=f"Yours to decide: {owner.whose} isn't asked",
            risk="manual",
            note="To close a port to the outside, publish it on 127.0.0.1, or filter it in DOCKER-USER. "
            + where_to_change(rule),
        ),
        affects=tuple(Affected(kind="container", name=name) for name in names),
        owner=owner,
    )


CHECK = Check(
    id=ID,
    title="The host's firewall is asked about published ports",
    severity="info",
    doc=__doc__,
    find=find,
    hidden_by=("firewall",),
)
