"""Whether a rule was made for one container: it, or what leads to it, names the container's own address or link.  Pure.

Such a rule is a decision about that container.  One that names none also hits
those nobody thought of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.walk.packet import Obstacle, Packet, RuleRef
from dnet_tui.inspect.model import known_items
from dnet_tui.inspect.model.firewall import Chain, Lookup, Match, Rule, SetLookup, Table, Verdict

_POD = re.compile(r"POD name: ?(\S+)", re.ASCII)
_ADDRESSES = {"saddr", "daddr"}
_LINKS = {"physin", "physout", "iif", "oif"}


def named_container(case: HostContext, obstacle: Obstacle) -> str:
    """The name of the container that the rule (or the way to it) was made for; empty where it names none."""
    return container_of_rule(case, obstacle.by.rule, obstacle.packet)


def container_of_rule(case: HostContext, rule: RuleRef | None, packet: Packet) -> str:
    """The name of the container of a packet that a rule (or the way to it) was made for; empty where it names none."""
    if rule is None or rule.number == 0:
        return ""
    steps = tuple(_steps(case, rule))
    for step in steps:
        found = _by_conditions(case, step, packet)
        if found:
            return found
    return next((_POD.search(step.comment)[1] for step in steps if _POD.search(step.comment)), "")  # type: ignore[index]


def looks_into_set(case: HostContext, rule: RuleRef) -> bool:
    """Whether addresses that somebody listed decide: a set is made of what was chosen."""
    return any(
        isinstance(expr, SetLookup) or (isinstance(expr, Lookup) and _ADDRESSES & set(expr.fields))
        for step in _steps(case, rule)
        for expr in step.exprs
    )


def _by_conditions(case: HostContext, step: Rule, packet: Packet) -> str:
    containers = {
        address.partition("/")[0]: container.name
        for container in sorted(known_items(case.snapshot.containers), key=lambda item: item.joined is None)
        for endpoint in container.endpoints
        for address in endpoint.addresses
    }
    for network in case.networks:
        containers |= {member.address: member.container.name for member in case.everyone(network)}
    for expr in step.exprs:
        if not isinstance(expr, Match) or expr.negate:
            continue
        if expr.field in _ADDRESSES and len(expr.values) < _MANY:
            mine = (packet.src, packet.dst)
            found = next(
                (containers[item] for item in map(_host, expr.values) if item in containers and item in mine), ""
            )
            if found:
                return found
        if expr.field == "mac" and packet.mac in expr.values and packet.src in containers:
            return containers[packet.src]
        if expr.field in _LINKS and (found := _behind(case, expr.values)):
            return found
    return ""


_MANY = 64


def _host(value: str) -> str:
    address, _, length = value.partition("/")
    return address if length in {"", "32", "128"} else ""


def _behind(case: HostContext, names: tuple[str, ...]) -> str:
    """The container behind a veth of the host."""
    host = case.view.host
    for name in names:
        link = case.view.link_named(host.id, name) if host is not None else None
        if link is not None and link.peer is not None:
            there = case.view.containers_in(link.peer.namespace)
            for container in sorted(there, key=lambda item: item.joined is not None):
                return container.name
    return ""


def _steps(case: HostContext, ref: RuleRef) -> Iterator[Rule]:
    """The rules on the way to a rule, itself first."""
    table = _table(case, ref)
    chains = {chain.name: chain for chain in table.chains} if table is not None else {}
    own = chains.get(ref.chain)
    if own is None:
        return
    yield from (rule for rule in own.rules if rule.number == ref.number)
    for above, below in pairwise(ref.path):
        chain = chains.get(above)
        if chain is not None:
            first = ref.base_number if above == ref.base else 0
            yield from (rule for rule in _leading(chain, below) if not first or rule.number == first)


def _leading(chain: Chain, target: str) -> Iterator[Rule]:
    for rule in chain.rules:
        if any(isinstance(expr, Verdict) and expr.chain == target for expr in rule.exprs):
            yield rule


def _table(case: HostContext, ref: RuleRef) -> Table | None:
    ns = case.view.namespaces.get(ref.namespace)
    if ns is None or ns.firewall is None:
        return None
    wanted = (ref.backend, ref.family, ref.table)
    return next((item for item in ns.firewall.tables if (item.backend, item.family, item.name) == wanted), None)
