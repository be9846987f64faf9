"""Packets for published ports no longer reach the engine's DNAT rules.

What it finds
    The nat chain DOCKER holds the DNAT rule of a published port, but
    PREROUTING lacks the jump that leads there, or an earlier rule ends
    PREROUTING before it.

Why it matters
    Nobody outside reaches the port; or, where docker-proxy listens, it takes
    over: slower, and every client appears with the bridge's address.

How we know
    The packet walk of an outside packet for the port passes PREROUTING
    without being rewritten, while the DNAT rule for it exists.

Remedy
    Put back the jump: ``-m addrtype --dst-type LOCAL -j DOCKER`` in nat
    PREROUTING.

When it is harmless
    For ports published on 127.0.0.1 only: those are not reached from outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.expected_flows import Flow
from dnet_tui.diagnostics.flows.port_fate import dnat_rule, taken_by_proxy
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, TableRef
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.inspect.model import Family, PublishedPort
from dnet_tui.inspect.model.engine_kinds.docker import PORTS_CHAIN
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.model.firewall import Rule

ID = "nat-jump-missing"
_JUMP = "-m addrtype --dst-type LOCAL -j "
_ENTRIES = dict(kind.nat_entry for kind in ENGINE_KINDS if kind.nat_entry is not None)
"""The chain that an engine jumps to from nat PREROUTING, and how the names of those with the DNAT rules begin."""


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per engine, for all the ports that are cut off."""
    families: tuple[Family, ...] = ("ip", "ip6")
    for entry, family in product(_ENTRIES, families):
        rules = _rules(ctx.case, entry, family)
        cut = [
            (flow, rule)
            for flow in ctx.flows
            if flow.kind == "published" and flow.family == family
            if dnat_rule(flow) is None and flow.forward.arrives is not None
            for rule in [_rule_for(rules, flow.port)]
            if rule is not None
        ]
        if cut:
            yield _finding(ctx, entry, family, cut)


def _rules(case: HostContext, entry: str, family: Family) -> list[Rule]:
    """The rules of the chains with an engine's DNAT."""
    prefix = _ENTRIES[entry]
    return [
        rule
        for chain in iptables_layout.chains(case, "nat", family)
        if chain.name.startswith(prefix)
        for rule in chain.rules
    ]


def _rule_for(rules: list[Rule], port: PublishedPort | None) -> Rule | None:
    return next(
        (rule for rule in rules if port is not None and iptables_layout.rewrites(rule, port.host_port, port.proto)),
        None,
    )


def _finding(ctx: CheckContext, entry: str, family: Family, cut: list[tuple[Flow, Rule]]) -> Finding:
    # Podman holds the port as well, but nothing there answers.
    proxied = entry == PORTS_CHAIN and all(taken_by_proxy(ctx.case, flow) for flow, _ in cut)
    chain = iptables_layout.chain(ctx.case, "nat", "PREROUTING", family)
    present = chain is not None and any(rule.text == _JUMP + entry for rule in chain.rules)
    change = RuleEdit(TableRef(iptables_layout.backend(ctx.case), family, "nat"), "PREROUTING", _JUMP + entry)
    where = len(chain.rules) + 1 if chain is not None else 1
    ports = ", ".join(f"{flow.port.host_port}/{flow.port.proto}" for flow, _ in cut if flow.port is not None)
    program = iptables_layout.save_program(family)
    outcome = "docker-proxy takes them instead" if proxied else "they end at the host"
    return Finding(
        check=ID,
        severity="warning" if proxied else "error",
        subject=Subject(kind="rule", name=iptables_layout.named("nat PREROUTING", family)),
        summary=f"Packets for published ports don't reach their DNAT rules; {outcome}",
        symptoms=("published",),
        evidence=(
            Evidence(
                source=program,
                what="nat PREROUTING",
                value="an earlier rule ends it" if present else "the rule is absent",
                expected=_JUMP + entry,
            ),
            Evidence(source=program, what="a DNAT rule of nat", value=cut[0][1].text, expected="reached"),
            Evidence(source="packet walk", what="ports concerned", value=ports),
        ),
        remedy=None
        if present
        else Remedy(
            summary=f"Put the jump to {entry} back into nat PREROUTING",
            steps=(change.insert(None),),
            undo=(change.delete(where),),
            risk="ask",
            note="The engine restores its own rules when it restarts; find what removed this one",
        ),
    )


CHECK = Check(
    id=ID,
    title="Published ports reach their DNAT rules",
    severity="error",
    doc=__doc__,
    find=find,
)
