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
    POSTROUTING.  Find what removed it (a firewall script that flushes the nat
    table, a reload of firewalld): restarting the engine restores all its rules.

When it is harmless
    Where ``enable_ip_masquerade`` is false or the gateway mode is routed: then
    it is a choice, and not reported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from dnet_tui.diagnostics import rulesets
from dnet_tui.diagnostics.checks.base import Check, Undecided
from dnet_tui.diagnostics.evidence import of_rule
from dnet_tui.diagnostics.examination import Examination
from dnet_tui.diagnostics.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.flows import Flow
from dnet_tui.diagnostics.remedy import Remedy
from dnet_tui.diagnostics.rule_change import Change, Place
from dnet_tui.diagnostics.walk.packet import RuleRef
from dnet_tui.inspect.model import Network

ID = "masq-missing"


def find(exam: Examination) -> Iterator[Finding | Undecided]:
    """One finding per network."""
    bare: defaultdict[str, list[Flow]] = defaultdict(list)
    for flow in exam.flows:
        if flow.kind != "egress" or flow.network.masquerade is not True or not flow.forward.exits:
            continue
        if flow.forward.last.src != flow.forward.start.src:
            continue
        unsure = [item for item in flow.forward.obstacles if item.stage == "postrouting" and item.end == "unknown"]
        if unsure:
            yield Undecided(reason=f"{flow.label}: {unsure[0].by.text}")
        else:
            bare[flow.network.id].append(flow)
    for flows in bare.values():
        yield _finding(exam, flows[0].network, flows)


def _finding(exam: Examination, network: Network, flows: list[Flow]) -> Finding:
    source = flows[0].forward.start.src
    subnet = next((subnet.cidr for subnet in network.subnets if ":" not in subnet.cidr), f"{source}/32")
    packet = flows[0].forward.last.tuple_text()
    chain = rulesets.chain(exam.case, "nat", "POSTROUTING")
    present = f"{len(chain.rules)} rules, none gives {subnet} a new source" if chain else "the chain is absent"
    spec = f"-s {subnet} ! -o {network.bridge} -j MASQUERADE"
    place = Place(backend=rulesets.backend(exam.case), family="ip", table="nat")
    change = Change(place=place, chain="POSTROUTING", spec=spec)
    shadow = _shadow(flows[0])
    names = ", ".join(flow.source for flow in flows[:4]) + ("" if len(flows) <= 4 else f" and {len(flows) - 4} more")
    return Finding(
        check=ID,
        severity="error",
        subject=Subject(kind="network", name=network.name),
        summary=f"Packets from network {network.name} ({subnet}) leave without masquerading",
        symptoms=("egress",),
        evidence=(
            Evidence(
                source="packet walk",
                what=f"leaves by {flows[0].forward.exits}",
                value=packet,
                expected="the host's own address as the source",
            ),
            Evidence(source="iptables", what="nat POSTROUTING", value=present, expected=spec),
            *((of_rule(shadow, "does not come before the network's MASQUERADE"),) if shadow else ()),
            Evidence(source="packet walk", what="concerns", value=names),
        ),
        remedy=Remedy(
            summary=f"Masquerade {subnet} when it leaves by anything but {network.bridge}",
            steps=(change.insert(1),),
            undo=(change.delete(1),),
            risk="ask",
            note="The engine restores its own rules when it restarts; find what removed this one",
        ),
    )


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
    needs=("firewall", "routes"),
    find=find,
)
