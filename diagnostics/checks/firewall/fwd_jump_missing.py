"""FORWARD no longer jumps to the engine's rules.

What it finds
    The engine's chains are there, but the FORWARD chain lacks the rules that
    lead to them: the jump to DOCKER-FORWARD (Docker 28 and later), or the four
    rules of a bridge that earlier versions, and plain-Linux networks made by
    dnet-tui, keep in FORWARD itself.

Why it matters
    Packets of containers fall through to FORWARD's policy, which Docker sets
    to DROP.

How we know
    The packet walk of a flow that should pass ends at FORWARD's policy, and
    the rules that would have accepted it are compared with what the engine
    writes.

Remedy
    Put the missing rules back.  Then find what removed them: a firewall
    script that rebuilds FORWARD but keeps other chains.

When it is harmless
    Where FORWARD's policy accepts, nothing is blocked and nothing reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.checks.framework.check import Check, Undecided, definite, undecided
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext, element
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext, family_of
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, TableRef
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import Obstacle
from dnet_tui.inspect.model import Family, Network
from dnet_tui.inspect.model.engine_kinds.docker import FORWARD_CHAIN, PORTS_CHAIN, USER_CHAIN
from dnet_tui.inspect.model.engine_kinds.registry import traits_of

ID = "fwd-jump-missing"
_USER = f"-j {USER_CHAIN}"
_JUMP = f"-j {FORWARD_CHAIN}"


def owns(case: HostContext, obstacle: Obstacle) -> bool:
    """FORWARD's policy, where the engine's rules for this packet's bridge are missing above it."""
    return iptables_layout.by_policy(obstacle) and bool(_missing(case, obstacle))


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding for all that is missing of a family."""
    yield from undecided(ctx, ID)
    families: tuple[Family, ...] = ("ip", "ip6")
    for family in families:
        stopped = [item for item in definite(ctx, ID) if family_of(item.obstacle.packet) == family]
        if stopped:
            yield _finding(ctx.case, family, stopped)


def _missing(case: HostContext, obstacle: Obstacle) -> tuple[str, ...]:
    """The rules that FORWARD lacks for the bridges of this packet, as the engine writes them."""
    family = family_of(obstacle.packet)
    forward = iptables_layout.chain(case, "filter", "FORWARD", family)
    if forward is None or obstacle.by.rule is None or obstacle.by.rule.backend != iptables_layout.backend(case):
        return ()
    texts = {rule.text for rule in forward.rules}
    if iptables_layout.chain(case, "filter", FORWARD_CHAIN, family) is not None:
        return () if _JUMP in texts else (_JUMP,)
    if iptables_layout.between_ports(obstacle) or obstacle.packet.iif == obstacle.packet.oif:
        return ()  # bridged from port to port: it isn't these rules that let it pass
    wanted = [
        rule
        for network in case.networks
        if not network.internal and network.bridge in {obstacle.packet.iif, obstacle.packet.oif}
        for rule in _rules_of(case, network, family)
    ]
    return tuple(rule for rule in wanted if rule not in texts)


def _rules_of(case: HostContext, network: Network, family: Family) -> tuple[str, ...]:
    """The rules of FORWARD that let a network's traffic pass, as Docker before 28 and dnet-tui itself write them."""
    traits, bridge = traits_of(network.engine), network.bridge
    ports = iptables_layout.chain(case, "filter", PORTS_CHAIN, family)
    if not traits.in_builtin_chains or (traits.ports_chain and ports is None):
        return ()
    publishes = ports is not None and any(f"-o {bridge} " in rule.text for rule in ports.rules)
    return (
        f"-o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        *((f"-o {bridge} -j {PORTS_CHAIN}",) if traits.ports_chain or publishes else ()),
        f"-i {bridge} ! -o {bridge} -j ACCEPT",
    )


def _finding(case: HostContext, family: Family, stopped: list[BlockedFlows]) -> Finding:
    specs = tuple(dict.fromkeys(spec for blocked in stopped for spec in _all_missing(case, blocked)))
    forward = iptables_layout.chain(case, "filter", "FORWARD", family)
    texts = [rule.text for rule in forward.rules] if forward is not None else []
    place = TableRef(backend=iptables_layout.backend(case), family=family, table="filter")
    first = texts.index(_USER) + 2 if _USER in texts else 1
    if specs == (_JUMP,):
        pairs = [(RuleEdit(place, "FORWARD", _JUMP).insert(first), RuleEdit(place, "FORWARD", _JUMP).delete(first))]
    else:
        last = len(texts)
        changes = [RuleEdit(place, "FORWARD", spec) for spec in specs]
        pairs = [(change.insert(None), change.delete(last + n)) for n, change in enumerate(changes, start=1)]
    policy = stopped[0].obstacle.by.rule
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="rule", name=iptables_layout.named("filter FORWARD", family)),
        summary="FORWARD no longer jumps to the engine's rules",
        symptoms=tuple(dict.fromkeys(kind for blocked in stopped for kind in blocked.symptoms)),
        evidence=(
            *(
                Evidence(
                    source=iptables_layout.save_program(family),
                    what="filter FORWARD",
                    value="the rule is absent",
                    expected=s,
                )
                for s in specs
            ),
            *((of_rule(policy, "not reached"),) if policy is not None else ()),
            *(of_flows(blocked) for blocked in stopped),
        ),
        remedy=Remedy(
            summary="Put the engine's rules back into FORWARD",
            steps=tuple(step for step, _ in pairs),
            undo=tuple(undo for _, undo in reversed(pairs)),
            risk="ask",
            note="The engine restores its own rules when it restarts; find what removed these",
        ),
    )


def _all_missing(case: HostContext, blocked: BlockedFlows) -> Iterator[str]:
    """What is missing for every flow that this policy stops, on its way there or back."""
    for flow in blocked.flows:
        for _, obstacle in flow.obstacles:
            if element(obstacle) == element(blocked.obstacle):
                yield from _missing(case, obstacle)


CHECK = Check(
    id=ID,
    title="FORWARD jumps to the engine's rules",
    severity="error",
    doc=__doc__,
    find=find,
    owns=owns,
)
