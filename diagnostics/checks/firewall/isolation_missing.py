"""Containers that should be kept apart can reach each other.

What it finds
    A packet from a container of one network reaches a container of another
    although the networks are separate; or, on a network with icc=false,
    reaches its neighbour.

Why it matters
    Separate networks are how people keep a database away from everything but
    its application.  Nothing fails when this protection is gone, so nobody
    notices.

How we know
    The packet walk sends such a packet (for an unpublished port, and for each
    published one) and it arrives: no rule of any table, no route and no
    switch stops it.

Remedy
    Put back what is missing of the engine's isolation rules.  Where they are
    complete but an earlier rule accepts the packet, that rule is named.

When it is harmless
    Where both containers share a network, or the engine does not isolate
    networks (Podman without ``isolate``); it is not reported there.  A rule
    that somebody else made for one container (``ufw route allow … to``) is
    that one's decision, and is only information.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from dnet_tui.diagnostics.checks.decisions.chosen_targets import container_of_rule
from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_rule, of_sysctl
from dnet_tui.diagnostics.checks.subjects.isolation_rules import IsolationRepair, lacks_br_netfilter, missing
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.expected_flows import Flow
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.report.decisions import is_anothers, owner_of
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.packet import RuleRef

ID = "isolation-missing"
_SHOWN = 4


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding for each thing that is missing, with all the flows it lets through."""
    leaks: defaultdict[tuple[IsolationRepair, ...] | str, list[Flow]] = defaultdict(list)
    for flow in ctx.flows:
        if flow.expected or (flow.kind == "same-network" and lacks_br_netfilter(ctx.case, flow.network)):
            continue  # the latter is told by icc-no-brnf
        if flow.forward.arrives is None:
            by = flow.forward.decided_by
            yield Undecided(reason=f"{flow.label}: {by.text if by else 'the walk could not decide'}")
        elif flow.forward.arrives and _is_received(ctx, flow):
            repair = missing(ctx.case, flow)
            leaks[repair or f"{flow.family} {flow.kind} {_accepted_by(flow)}"].append(flow)
    for flows, repairs in _by_chain(leaks):
        yield _finding(ctx, flows, repairs)


def _by_chain(
    leaks: Mapping[tuple[IsolationRepair, ...] | str, list[Flow]],
) -> Iterator[tuple[list[Flow], tuple[IsolationRepair, ...]]]:
    """What is missing, where rules that one chain lacks are one thing: who emptied it took all of them."""
    chains: dict[object, tuple[list[Flow], dict[IsolationRepair, None]]] = {}
    for key, flows in leaks.items():
        repairs = () if isinstance(key, str) else key
        rules = [item.step for item in repairs if not isinstance(item.step, SetSysctl)]
        places = {(step.backend, step.family, step.table, step.chain) for step in rules}
        whole = len(places) == 1 and len(rules) == len(repairs)
        found, those = chains.setdefault((flows[0].kind, *places) if whole else key, ([], {}))
        found += flows
        those |= dict.fromkeys(repairs)
    for found, those in chains.values():
        yield found, tuple(those)


def _is_received(ctx: CheckContext, flow: Flow) -> bool:
    """Whether the container that has the address gets it: what left the host, or was led to another, did not get there.

    Where nobody is seen to have the address it counts, as the walk says that it arrived.
    """
    if flow.forward.end == "left":
        return False
    receiver = ctx.case.view.namespaces.get(flow.forward.last_namespace)
    wanted = flow.forward.start.dst
    owns = receiver is not None and any(item.address == wanted for item in receiver.addresses)
    return owns or not flow.forward.last.dnatted


def _accepting(flow: Flow) -> RuleRef | None:
    hops = [hop for hop in flow.forward.hops if hop.stage == "forward" and hop.rule is not None]
    return hops[-1].rule if hops else None


def _is_chosen(case: HostContext, flow: Flow) -> bool:
    """Whether somebody else's rule lets it through that was made for one of its containers, as `ufw route allow to`."""
    rule = _accepting(flow)
    if rule is None or not is_anothers(owner_of(rule)):
        return False
    return container_of_rule(case, rule, flow.forward.last) != ""


def _accepted_by(flow: Flow) -> str:
    rule = _accepting(flow)
    return f"{rule.chain} {rule.number} {rule.text}" if rule is not None else "nothing stops it"


def _finding(ctx: CheckContext, flows: list[Flow], repairs: tuple[IsolationRepair, ...]) -> Finding:
    return Finding(
        check=ID,
        severity="info" if not repairs and all(_is_chosen(ctx.case, flow) for flow in flows) else "warning",
        subject=Subject(kind="network", name=iptables_layout.named(", ".join(_networks(flows)), flows[0].family)),
        summary=_summary(flows),
        symptoms=("exposure",),
        evidence=tuple(_evidence(ctx, flows, repairs)),
        remedy=_remedy(repairs),
    )


def _networks(flows: list[Flow]) -> list[str]:
    both = ((flow.network, flow.other) for flow in flows)
    return list(dict.fromkeys(net.name for pair in both for net in pair if net is not None))


def _summary(flows: list[Flow]) -> str:
    names = ", ".join(_networks(flows))
    by6 = " by IPv6" if flows[0].family == "ip6" else ""
    if flows[0].kind == "same-network":
        return f"Containers of network {names} reach each other{by6} although icc is off"
    return f"Separate networks can reach each other{by6}: {names}"


def _evidence(ctx: CheckContext, flows: list[Flow], repairs: tuple[IsolationRepair, ...]) -> Iterator[Evidence]:
    names = list(dict.fromkeys(flow.label for flow in flows))
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    yield Evidence(source="packet walk", what="gets through", value=shown, expected="dropped")
    rule = _accepting(flows[0])
    if rule is not None:
        yield of_rule(rule, "comes after the isolation")
    for repair in repairs:
        if isinstance(repair.step, SetSysctl):
            yield of_sysctl(repair.step.key, ctx.case.sysctl(repair.step.key) or "absent", repair.step.value)
        else:
            where = f"{repair.step.table} {repair.step.chain}"
            yield Evidence(
                source=iptables_layout.save_program(repair.step.family),
                what=where,
                value="the rule is absent",
                expected=repair.step.spec,
            )


def _remedy(repairs: tuple[IsolationRepair, ...]) -> Remedy | None:
    if not repairs:
        return None
    return Remedy(
        summary="Put the engine's isolation rules back",
        steps=tuple(repair.step for repair in repairs),
        undo=tuple(repair.undo for repair in reversed(repairs)),
        risk="ask",
        note="The engine restores its own rules when it restarts; find what removed them",
    )


CHECK = Check(
    id=ID,
    title="Separate networks are kept apart",
    severity="warning",
    doc=__doc__,
    find=find,
)
