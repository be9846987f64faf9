"""Packets leave the host with a container's private address.

What it finds
    A network of mode nat, with masquerading not switched off by its options,
    whose containers' packets go out by an uplink without source NAT.

Why it matters
    The packets do leave.  Nobody outside has a route back to a private
    subnet, so no answer ever arrives: connections time out.

How we know
    The packet walk follows a container's packet through every nat chain of
    POSTROUTING, as the kernel would: a MASQUERADE or SNAT rule that exists but
    is shadowed by an earlier verdict does not count.

Remedy
    Put the rule back: ``-s SUBNET ! -o BRIDGE -j MASQUERADE`` in nat
    POSTROUTING, of ip6tables where IPv6 is concerned.  Find what removed it
    (a firewall script that flushes the nat table, a reload of firewalld):
    restarting the engine restores all its rules.

When it is harmless
    Where ``enable_ip_masquerade`` is false or the gateway mode is routed: then
    it is a choice, and not reported; nor is IPv6 where the engine writes no
    IPv6 rules (Docker with ip6tables off, the default before 27).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from dnet_tui.diagnostics.checks.decisions.untracked import is_untracked
from dnet_tui.diagnostics.checks.framework.check import Check, Undecided
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.checks.framework.evidence import of_rule
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.flows.expected_flows import Flow
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, TableRef
from dnet_tui.diagnostics.report.decisions import overriding, owner_of
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import RuleRef
from dnet_tui.inspect.model import Family

ID = "masq-missing"


def find(ctx: CheckContext) -> Iterator[Finding | Undecided]:
    """One finding per network; one of all that a rule keeps from being masqueraded, or of all that an engine has.

    Where no network of an engine's is masqueraded any more, the chain was emptied, and that is one thing.
    """
    bare: list[Flow] = []
    served: set[tuple[str, Family]] = set()
    for flow in ctx.flows:
        if flow.kind != "egress" or flow.masquerade is not True or not flow.forward.exits:
            continue
        if is_untracked(flow):
            continue  # nothing could translate it: that is notrack's
        strange = _strange_source(ctx.case, flow)
        if strange:
            yield Undecided(reason=strange)
            continue
        if flow.forward.last.src != flow.forward.start.src:
            served.add((flow.network.engine, flow.family))
            continue
        unsure = [item for item in flow.forward.obstacles if item.stage == "postrouting" and item.end == "unknown"]
        if unsure:
            yield Undecided(reason=f"{flow.label}: {unsure[0].by.text}")
        else:
            bare.append(flow)
    causes: defaultdict[object, list[Flow]] = defaultdict(list)
    for flow in bare:
        whole = (flow.network.engine, flow.family) not in served
        causes[_shadow(flow) or (flow.network.engine if whole else flow.network.id, flow.family)].append(flow)
    for flows in causes.values():
        yield _finding(ctx, flows)


def _strange_source(case: HostContext, flow: Flow) -> str:
    """Why it isn't seen here whether answers come back: the packet leaves with an address that is another's.

    Somebody outside may route that address to this host, or nobody does.
    """
    address, host = flow.forward.last.src, case.view.host
    held = {item.address for item in host.addresses} | {item.address for item in host.proxied} if host else set()
    subnets = [subnet.cidr for subnet in flow.network.subnets]
    inner = flow.member is not None and address == flow.member.address
    if address in held or inner or any(contains(cidr, address) is True for cidr in subnets):
        return ""
    return f"{flow.label}: leaves with the source {address}, which neither the host nor {flow.network.name} has"


def _finding(ctx: CheckContext, flows: list[Flow]) -> Finding:
    family = flows[0].family
    networks = list({flow.network.id: flow.network for flow in flows}.values())
    subnets = {
        network.id: iptables_layout.subnet(network, family) or _alone(next(f for f in flows if f.network == network))
        for network in networks
    }
    packet = flows[0].forward.last.tuple_text()
    chain = iptables_layout.chain(ctx.case, "nat", "POSTROUTING", family)
    first = subnets[networks[0].id]
    present = f"{len(chain.rules)} rules, none gives {first} a new source" if chain else "the chain is absent"
    place = TableRef(backend=iptables_layout.backend(ctx.case), family=family, table="nat")
    edits = [
        RuleEdit(place, "POSTROUTING", f"-s {subnets[item.id]} ! -o {item.bridge} -j MASQUERADE") for item in networks
    ]
    shadow = _shadow(flows[0])
    names = ", ".join(flow.source for flow in flows[:4]) + ("" if len(flows) <= 4 else f" and {len(flows) - 4} more")
    each = ", ".join(f"{item.name} ({subnets[item.id]})" for item in networks)
    by = f": rule {shadow.number} of {shadow.chain} comes before" if shadow else ""
    all_of = [iptables_layout.named(item.name, family) for item in networks]
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="network", name=", ".join(all_of)),
        summary=f"Packets from network{'s' if networks[1:] else ''} {each} leave without masquerading{by}",
        symptoms=("egress",),
        evidence=(
            Evidence(
                source="packet walk",
                what=f"leaves by {flows[0].forward.exits}",
                value=packet,
                expected="the host's own address as the source",
            ),
            Evidence(
                source=iptables_layout.save_program(family),
                what="nat POSTROUTING",
                value=present,
                expected=edits[0].spec,
            ),
            *((of_rule(shadow, "does not come before the network's MASQUERADE"),) if shadow else ()),
            Evidence(source="packet walk", what="concerns", value=names),
        ),
        remedy=overriding(
            Remedy(
                summary=f"Masquerade {', '.join(subnets.values())} when it leaves by anything but "
                + (networks[0].bridge if len(networks) == 1 else "its own bridge"),
                steps=tuple(edit.insert(1) for edit in edits),
                undo=tuple(edit.delete(1) for edit in reversed(edits)),
                risk="ask",
                note="The engine restores its own rules when it restarts; find what removed this one",
            ),
            owner_of(shadow) if shadow else None,
        ),
    )


def _alone(flow: Flow) -> str:
    """A container's address as a subnet, where the network tells none."""
    return f"{flow.forward.start.src}/{32 if flow.family == 'ip' else 128}"


def _shadow(flow: Flow) -> RuleRef | None:
    """A rule that ended POSTROUTING before any masquerading could."""
    for hop in flow.forward.hops:
        if hop.stage == "postrouting" and hop.rule is not None and hop.rule.table == "nat" and hop.rule.number:
            return hop.rule
    return None


CHECK = Check(
    id=ID,
    title="Networks that masquerade do",
    severity="error",
    doc=__doc__,
    find=find,
)
