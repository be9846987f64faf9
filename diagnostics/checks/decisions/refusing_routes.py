"""Routes and policy rules that refuse what containers send to the outside, each proved by a packet.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from dnet_tui.diagnostics.context.host_context import AttachedContainer, HostContext
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import Family, PolicyRule, Route, known_items, require
from dnet_tui.inspect.model.rule_writers.owner import ADMINISTRATOR, DecisionOwner
from dnet_tui.inspect.text.networks import read_network

_TYPES = frozenset({"blackhole", "prohibit", "unreachable"})
_BY_HAND = frozenset({"", "boot", "static", "unspec"})
_FAMILIES: tuple[Family, ...] = ("ip", "ip6")
_MOST = 16
"""Walks that asking may cost; a host that bans by routes may have thousands."""


class Refusal(NamedTuple):
    """One route or rule in words, who made it, and a packet that it was proved to refuse."""

    text: str
    owner: DecisionOwner
    sender: str
    packet: str


def refusals(case: HostContext) -> tuple[Refusal, ...]:
    """Those that a container's packet meets, each once."""
    found: dict[str, Refusal] = {}
    networks = (*case.networks, *known_items(case.snapshot.networks))  # those that nobody declared, and macvlans
    subnets = [sub.cidr for network in networks for sub in network.subnets]
    for family in _FAMILIES:
        members = [member for network in case.networks for member in case.members(network, family)]
        if not members:
            continue
        for target, source, owner in list(_asked(case, family))[:_MOST]:
            sender = next((item for item in members if not source or contains(source, item.address) is True), None)
            refusal = _refused(case, sender, family, target, owner) if sender is not None else None
            if refusal is not None:
                found.setdefault(refusal.text, refusal)
        own = ((member, target) for member in members for target in _asked_of(case, member, family, subnets))
        for member, target in islice(own, _MOST):
            refusal = _refused(case, member, family, target, ADMINISTRATOR)
            if refusal is not None:
                text = f"{refusal.text} in {member.container.name}"
                found.setdefault(text, refusal._replace(text=text))
    return tuple(found.values())


def _refused(
    case: HostContext, sender: AttachedContainer, family: Family, target: str, owner: DecisionOwner
) -> Refusal | None:
    packet = Packet(
        family=family, src=sender.address, dst=target, proto="tcp", sport=40000, dport=443, tcp_flags=("SYN",)
    )
    gone = walk(case.view, packet, origin=sender.namespace, outside=True, fresh=True)
    by = gone.decided_by
    if by is None:
        return None
    if gone.end == "unreachable" and by.kind == "neighbour":
        on_link = by.value in {target, ""}
        text = f"the subnet of {target} on its own link" if on_link else f"the route to {target} by {by.value}"
        return Refusal(text=text, owner=owner, sender=sender.container.name, packet=packet.tuple_text())
    stopped = gone.end in {"dropped", "no-route"} and by.kind == "route"
    if not stopped or by.text.rpartition(": ")[2].partition(" ")[0] not in _TYPES:
        return None
    return Refusal(text=by.text, owner=owner, sender=sender.container.name, packet=packet.tuple_text())


def _asked(case: HostContext, family: Family) -> Iterator[tuple[str, str, DecisionOwner]]:
    """A destination to try, from which sources, and whose decision it would show."""
    host = case.view.host
    if host is None:
        return
    subnets = [sub.cidr for network in case.networks for sub in network.subnets]
    bridges = {link.ifindex for link in host.links if link.name in {network.bridge for network in case.networks}}
    for route in require(host.routes):
        if (_refuses(route, family) or _leads_into(route, family, bridges)) and not _holds(route.dst, subnets):
            yield _one_of(route.dst), "", _maker(route)
    for rule in require(host.policy_rules):
        if rule.family == family and rule.action in _TYPES:
            yield (_one_of(rule.dst) if rule.dst else case.outside(family)), _source(rule), ADMINISTRATOR


def _asked_of(case: HostContext, member: AttachedContainer, family: Family, subnets: list[str]) -> Iterator[str]:
    """Destinations to try of a container's own routes and rules, and of subnets on its link that are no network's."""
    ns = case.view.namespaces[member.namespace]
    for route in require(ns.routes):
        leads = _is_on_its_link(route, family) or _is_by_router(route, family)
        if (leads or _refuses(route, family)) and not _holds(route.dst, subnets):
            yield _one_of(route.dst)
    for rule in require(ns.policy_rules):
        if rule.family == family and rule.action in _TYPES and rule.dst:
            yield _one_of(rule.dst)


def _is_on_its_link(route: Route, family: Family) -> bool:
    """Whether a route leads to a subnet that is said to be on the link."""
    if route.family != family or route.type != "unicast" or route.scope != "link":
        return False
    net = read_network(route.dst)
    return not (net.is_link_local or net.is_multicast) and net.num_addresses > 1


def _leads_into(route: Route, family: Family, bridges: set[int]) -> bool:
    """Whether a route that somebody made leads to somewhere in particular by a network's bridge."""
    named = route.family == family and not route.dst.endswith("/0")
    made = named and route.type == "unicast" and route.protocol != "kernel"
    return made and any(hop.ifindex in bridges for hop in route.hops)


def _is_by_router(route: Route, family: Family) -> bool:
    """Whether a route to somewhere in particular leads by a router on the link."""
    named = route.family == family and not route.dst.endswith("/0")
    return named and route.type == "unicast" and any(hop.gateway for hop in route.hops)


def _source(rule: PolicyRule) -> str:
    return rule.src or ""


def _refuses(route: Route, family: Family) -> bool:
    named = route.family == family and not route.dst.endswith("/0")
    return named and route.type in _TYPES and route.protocol != "kernel"


def _maker(route: Route) -> DecisionOwner:
    if route.protocol in _BY_HAND:
        return ADMINISTRATOR
    return DecisionOwner(kind="manager", name=f"routing daemon {route.protocol}")


def _holds(prefix: str, subnets: list[str]) -> bool:
    """Whether a prefix overlaps a network's own: then it only keeps the rest of a range together."""
    one = read_network(prefix)
    others = (read_network(cidr) for cidr in subnets)
    return any(one.version == other.version and one.overlaps(other) for other in others)


def _one_of(prefix: str) -> str:
    net = read_network(prefix)
    return str(net[net.num_addresses // 2])
