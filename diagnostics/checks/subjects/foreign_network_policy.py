"""Traffic of networks that aren't Docker's, at the end of a FORWARD chain that Docker made drop by default.  Pure.

Docker sets the policy of iptables' FORWARD to DROP when it turns forwarding
on (``setupIPv4Forwarding``, ``setupIPv6Forwarding`` of its bridge driver), and
up to 27 always that of ip6tables.  The policy hits every forwarded packet that no rule accepts:
Podman's published ports, guests of libvirt, LXD and Incus.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check import definite
from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext, element
from dnet_tui.diagnostics.checks.framework.evidence import of_flows, of_rule
from dnet_tui.diagnostics.checks.subjects.bridge_attachments import on_host
from dnet_tui.diagnostics.checks.subjects.promises import host_tables, is_let_out, let_out_by
from dnet_tui.diagnostics.context import iptables_layout
from dnet_tui.diagnostics.context.host_context import INFERRED, HostContext, family_of
from dnet_tui.diagnostics.operations.remedy import Remedy
from dnet_tui.diagnostics.operations.rule_edit import RuleEdit, table_of
from dnet_tui.diagnostics.report.finding import Evidence, Finding, Subject
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Obstacle, Packet, RuleRef
from dnet_tui.inspect.model import Address, Family, Link, LinkRef, known_items
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER, USER_CHAIN
from dnet_tui.inspect.model.engine_kinds.registry import traits_of
from dnet_tui.inspect.model.firewall import Chain
from dnet_tui.inspect.model.rule_writers.owner import DecisionOwner

_ANSWERS = "-m conntrack --ctstate RELATED,ESTABLISHED"
_TRANSLATED = "-m conntrack --ctstate DNAT"


class ForeignBridge(msgspec.Struct, frozen=True, kw_only=True):
    """A bridge of another manager, whose rules let its guests out, and what stops them all the same."""

    manager: str
    bridge: str
    obstacle: Obstacle


def is_others(case: HostContext, obstacle: Obstacle, family: Family) -> bool:
    """Whether FORWARD's policy in Docker's own table stops a packet of networks that aren't Docker's."""
    devices = {obstacle.packet.iif, obstacle.packet.oif} - {""}
    engines = {network.engine for network in case.networks if network.bridge in devices}
    asked = any(traits_of(engine.name).drops_by_default for engine in known_items(case.snapshot.engines))
    return (
        bool(engines)
        and (asked or engines == {INFERRED})
        and not any(traits_of(item).drops_by_default for item in engines)
        and _by_dockers_policy(case, obstacle, family)
    )


def _by_dockers_policy(case: HostContext, obstacle: Obstacle, family: Family) -> bool:
    rule = obstacle.by.rule
    if rule is None or rule.number != 0 or not iptables_layout.by_policy(obstacle) or not on_host(case, obstacle):
        return False
    if {family_of(obstacle.packet), rule.family} != {family} or (rule.table, rule.base) != ("filter", "FORWARD"):
        return False
    return table_of(rule) is not None and _may_be_dockers(case, rule)


def _may_be_dockers(case: HostContext, rule: RuleRef) -> bool:
    """Whether Docker keeps its chains in that table, and wasn't told to leave the rules or forwarding alone.

    Where no Docker is asked, its chains are what it left behind, and so may
    the policy be.  A policy that a manager keeps is that one's.
    """
    docker = [engine for engine in known_items(case.snapshot.engines) if traits_of(engine.name).drops_by_default]
    told = any(engine.iptables is False or engine.ip_forward is False for engine in docker)
    there = any(
        (table.backend, table.family, table.name) == (rule.backend, rule.family, "filter")
        and any(chain.name.startswith(DOCKER.chain_marks) for chain in table.chains)
        for table in iptables_layout.tables(case, rule.family)
    )
    return there and not told and not rule.owner


def findings(ctx: CheckContext, check: str, family: Family) -> Iterator[Finding]:
    """One finding per bridge that Docker's policy hits: of what its containers are meant to do, and of guests."""
    for blocked in definite(ctx, check):
        bridges = {flow.network.bridge: flow.network for flow in blocked.flows}
        for bridge, network in bridges.items():
            own = BlockedFlows(blocked.obstacle)
            own.there = [flow for flow in blocked.there if flow.network.bridge == bridge]
            own.back = [flow for flow in blocked.back if flow.network.bridge == bridge]
            obstacles = [
                item for flow in own.flows for _, item in flow.obstacles if element(item) == element(own.obstacle)
            ]
            meant = network.engine != INFERRED or is_let_out(host_tables(ctx.case), bridge, family)
            whose = "containers" if network.engine == INFERRED else f"{network.engine}'s network {network.name}"
            words = f"{whose} on {bridge}" if network.engine == INFERRED else whose
            yield _finding(ctx.case, check, bridge, words, obstacles, own, meant=meant)
    for item in _guests(ctx.case, family):
        if _by_dockers_policy(ctx.case, item.obstacle, family):
            words = f"{item.manager}'s guests on {item.bridge}"
            yield _finding(ctx.case, check, item.bridge, words, [item.obstacle], None, meant=True)


def _finding(
    case: HostContext,
    check: str,
    bridge: str,
    words: str,
    obstacles: list[Obstacle],
    blocked: BlockedFlows | None,
    *,
    meant: bool,
) -> Finding:
    rule = obstacles[0].by.rule
    assert rule is not None  # noqa: S101 - only obstacles that have one get here
    six = rule.family == "ip6"
    symptoms = blocked.symptoms if blocked is not None else (("egress", "ipv6") if six else ("egress",))
    program = "ip6tables" if six else "iptables"
    first = obstacles[0].packet.tuple_text()
    stopped = Evidence(source="packet walk", what="stopped here", value=first, expected="passes")
    return Finding(
        check=check,
        severity="error" if meant else "info",
        subject=Subject(kind="bridge", name=bridge),
        summary=f"FORWARD of {program} drops by default, as Docker sets it, and so stops traffic of {words}",
        symptoms=symptoms,
        evidence=(
            of_rule(rule, "not reached by this traffic"),
            of_flows(blocked) if blocked is not None else stopped,
            Evidence(source=program, what=f"rules of Docker's that accept for {bridge}", value="none"),
        ),
        remedy=_accept(case, rule, bridge, obstacles),
        owner=DecisionOwner(kind="engine", name=DOCKER.kind),
    )


def _accept(case: HostContext, rule: RuleRef, bridge: str, obstacles: list[Obstacle]) -> Remedy | None:
    """Accept just what was stopped, where the administrator's own rules have had their say."""
    place = table_of(rule)
    if place is None:
        return None
    chain = _user_chain(case, rule)
    specs = tuple(dict.fromkeys(_spec(item.packet, bridge) for item in obstacles))
    texts = [item.text for item in chain.rules] if chain is not None else []
    last = texts.index("-j RETURN") + 1 if "-j RETURN" in texts else None
    name = chain.name if chain is not None else "FORWARD"
    forward = iptables_layout.base_chain(case, rule)
    end = len(texts) if chain is not None else len(forward.rules) if forward is not None else 0
    changes = [RuleEdit(place=place, chain=name, spec=spec) for spec in specs]
    first = last if last is not None else end + 1
    return Remedy(
        summary=f"Let {name} accept this traffic of {bridge}",
        steps=tuple(change.insert(None if last is None else last + number) for number, change in enumerate(changes)),
        undo=tuple(change.delete(first) for change in changes),
        risk="ask",
        note=f"Docker leaves what is in {name} alone, but it is gone after a reboot: add it to what runs at boot. "
        'Or have forwarding on before Docker starts ("ip-forward-no-drop" since Docker 28)',
    )


def _user_chain(case: HostContext, rule: RuleRef) -> Chain | None:
    """The administrator's chain in Docker's table, where FORWARD still leads to it."""
    forward = iptables_layout.base_chain(case, rule)
    led = forward is not None and any(item.text == f"-j {USER_CHAIN}" for item in forward.rules)
    return next(
        (
            chain
            for table in iptables_layout.tables(case, rule.family)
            if led and (table.backend, table.name) == (rule.backend, "filter")
            for chain in table.chains
            if chain.name == USER_CHAIN
        ),
        None,
    )


def _spec(packet: Packet, bridge: str) -> str:
    """The narrowest rule that lets such packets pass."""
    if packet.iif == packet.oif == bridge:
        return f"-i {bridge} -o {bridge} -j ACCEPT"
    if packet.iif == bridge:
        return f"-i {bridge} -o {packet.oif} -j ACCEPT" if packet.oif else f"-i {bridge} -j ACCEPT"
    if packet.reply or packet.ctstate == "ESTABLISHED":
        return f"-o {bridge} {_ANSWERS} -j ACCEPT"
    if packet.dnatted:
        return f"-o {bridge} {_TRANSLATED} -j ACCEPT"
    return f"-i {packet.iif} -o {bridge} -j ACCEPT" if packet.iif else f"-o {bridge} -j ACCEPT"


def _guests(case: HostContext, family: Family) -> Iterator[ForeignBridge]:
    """Guests of managers whose own nftables rules let them out, one packet of each bridge walked."""
    host = case.view.host
    if host is None or not case.ways_out(family):
        return
    known = {network.bridge for network in case.networks if case.everyone(network)}
    for link in case.view.bridges():
        if link.name in known or not any(item.up for item in case.view.ports_of(host.id, link.ifindex)):
            continue
        source = _guest_address(host.addresses, link, family)
        manager = let_out_by(case, link.name, family)
        if not source or not manager:
            continue
        packet = Packet(
            family=family,
            src=source,
            dst=case.outside(family),
            proto="tcp",
            sport=40000,
            dport=443,
            tcp_flags=("SYN",),
        )
        arriving = LinkRef(namespace=host.id, ifindex=link.ifindex)
        gone = walk(case.view, packet, origin=host.id, arriving=arriving, outside=True)
        for obstacle in gone.obstacles[:1]:
            yield ForeignBridge(manager=manager, bridge=link.name, obstacle=obstacle)


def _guest_address(addresses: Iterable[Address], link: Link, family: Family) -> str:
    """An address that a guest on this bridge may have; empty where the bridge has none of its own."""
    for item in addresses:
        if (item.ifindex, item.family, item.scope) == (link.ifindex, family, "global"):
            network = ipaddress.ip_network(item.cidr, strict=False)
            if network.num_addresses >= _ROOM:
                second = network.network_address + 2
                return str(second if str(second) != item.address else network.network_address + 3)
    return ""


_ROOM = 8
"""Addresses that a subnet for guests has at least."""
