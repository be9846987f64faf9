"""Neighbours on one bridge can't talk: their frames pass iptables, and FORWARD drops them.

What it finds
    A packet between two containers of one network, which lets them talk (icc
    is on), is dropped in FORWARD.  It gets there only because
    ``bridge-nf-call-iptables`` is 1.

Why it matters
    Frames within a bridge need no routing, and nobody expects a firewall for
    routed packets to decide over them.

How we know
    The packet walk goes through FORWARD with the bridge as both interfaces,
    as br_netfilter does, and names the rule or the policy that drops.

Remedy
    Accept packets that stay within the bridge, as engines do with a rule of
    their own.  Where nothing on the host needs it, turn the switch off.

When it is harmless
    On networks with icc=false, where the drop is what was asked for; it is
    not reported there.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule, of_sysctl
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, table_of
from dnet_tui.diagnostics.report.finding import Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle, RuleRef
from dnet_tui.inspect.model import Family
from dnet_tui.inspect.model.firewall import Chain

ID = "nfcall-drop"
_KEYS: dict[Family, str] = {"ip": "net.bridge.bridge-nf-call-iptables", "ip6": "net.bridge.bridge-nf-call-ip6tables"}


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """A drop of what stays within one bridge, by iptables' policy or a rule below the engine's."""
    rule = obstacle.by.rule
    if rule is None or not iptables_layout.between_ports(obstacle) or not on_host(case, obstacle):
        return False
    return rule.family in {"ip", "ip6"} and rule.backend == iptables_layout.backend(case)


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per bridge."""
    yield from undecided(ctx, ID)
    bridges: dict[tuple[str, Family], list[BlockedFlows]] = {}
    for blocked in definite(ctx, ID):
        for flow in blocked.flows:
            stopped = bridges.setdefault((flow.network.bridge, flow.family), [])
            stopped += [blocked] if blocked not in stopped else []
    for (bridge, family), stopped in bridges.items():
        rule = stopped[0].obstacle.by.rule
        if rule is not None:
            yield _finding(ctx.case, bridge, family, rule, stopped)


def _finding(case: HostContext, bridge: str, family: Family, rule: RuleRef, stopped: list[BlockedFlows]) -> Finding:
    key = _KEYS[family]
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="bridge", name=iptables_layout.named(bridge, family)),
        summary=f"FORWARD drops what containers on {bridge} send each other",
        symptoms=tuple(dict.fromkeys(kind for item in stopped for kind in item.symptoms)),
        evidence=(
            of_rule(rule, "lets it pass"),
            of_sysctl(key, case.sysctl(key) or "unknown", "0, or a rule that accepts"),
            *(of_flows(item) for item in stopped[:2]),
        ),
        remedy=_remedy(case, bridge, family, rule),
    )


def _remedy(case: HostContext, bridge: str, family: Family, rule: RuleRef) -> Remedy | None:
    """The rule that Docker writes for icc; before the one that drops, or last where the policy does."""
    chain = iptables_layout.chain(case, rule.table, rule.base, family)
    if chain is None or rule.table != "filter":
        return None
    place = table_of(rule)
    if place is None:
        return None
    change = RuleEdit(place, rule.base, f"-i {bridge} -o {bridge} -j ACCEPT")
    position = _position(chain, rule)
    return Remedy(
        summary=f"Accept what stays within {bridge}",
        steps=(change.insert(position),),
        undo=(change.delete(position if position is not None else len(chain.rules) + 1),),
        risk="ask",
        note=f"Or, where nothing on this host filters bridged packets, set {_KEYS[family]} to 0",
    )


def _position(chain: Chain, rule: RuleRef) -> int | None:
    return rule.base_number if rule.base_number and chain.rules else None


CHECK = Check(
    id=ID,
    title="Neighbours on one bridge pass FORWARD",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
