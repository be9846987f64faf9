"""Which rules concern a container, a network, a published port or an address.  Pure.

A rule concerns a thing when it can meet its traffic *and* names it: an
address, a bridge or bridge port, a published port, a NAT destination.  Also
shown are rules that can stop its traffic without naming anyone else's
network, and the jumps that lead to any of these.  Rules about other
containers on the same bridge are left out, however much they name the bridge.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from dnet_tui.diagnostics.explain.rule_target import IpNetwork, RuleTarget, find_target
from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Unread, known_items
from dnet_tui.inspect.model.firewall import Chain, Firewall, Match, Nat, Opaque, Rule, Table, Verdict
from dnet_tui.inspect.model.view import View

RuleRole = Literal["source", "destination", "published"]
_ROLES: tuple[RuleRole, ...] = ("source", "destination", "published")
_ADDRESS = {"source": "saddr", "destination": "daddr"}
_INTERFACE = {"source": "iif", "destination": "oif"}
_PORT = {"source": "physin", "destination": "physout"}
_STOPS = frozenset({"drop", "reject", "queue"})


class _Others(NamedTuple):
    """Whoever isn't the target: a rule that names these is about them.

    Other networks' bridges (and the loopback) and subnets, and single
    addresses in ``near``, the target's own subnets, that aren't the target's.
    """

    bridges: frozenset[str]
    networks: tuple[IpNetwork, ...]
    near: tuple[IpNetwork, ...]
    own: tuple[IpNetwork, ...]


def rules_for(view: View, name: str) -> tuple[tuple[str, Firewall], ...]:
    """Return, per namespace's id, its firewall with only the rules that concern ``name``.

    Rules keep their numbers; chains that are left without a rule stay out,
    except base chains that drop by policy.  The firewall in a container's own
    namespace concerns it whole.

    Raises:
        UsageError: nothing of that name is in the snapshot.
    """
    target = find_target(view, name)
    if target is None:
        msg = f"there is no container, network or bridge {name!r}, and it is no port or address"
        raise UsageError(msg, "`dnet-tui ls` lists what there is")
    found: list[tuple[str, Firewall]] = []
    if view.host is not None and not isinstance(view.host.firewall, Unread):
        found.append((view.host.id, _only(view.host.firewall, target, _others(view, target))))
    for ident in target.namespaces:
        own = view.namespaces[ident]
        if not isinstance(own.firewall, Unread) and (own.firewall.tables or own.firewall.unread):
            found.append((ident, own.firewall))
    return tuple(found)


def _others(view: View, target: RuleTarget) -> _Others:
    bridges = {link.name for link in view.bridges()} | {item.bridge for item in known_items(view.snapshot.networks)}
    subnets = [
        parsed
        for network in known_items(view.snapshot.networks)
        for subnet in network.subnets
        if (parsed := _parsed(subnet.cidr)) is not None
    ]
    near = tuple(net for net in subnets if any(_overlap(net, own) for own in target.networks))
    far = tuple(net for net in subnets if net not in near)
    return _Others(frozenset((bridges | {"lo"}) - {*target.bridges, ""}), far, near, target.networks)


def _only(firewall: Firewall, target: RuleTarget, others: _Others) -> Firewall:
    tables = []
    for table in firewall.tables:
        chains = _chains(table, target, others)
        if chains:
            tables.append(msgspec.structs.replace(table, chains=chains))
    return Firewall(tables=tuple(tables), unread=firewall.unread)


def _chains(table: Table, target: RuleTarget, others: _Others) -> tuple[Chain, ...]:
    kept: dict[str, dict[int, set[RuleRole]]] = {chain.name: {} for chain in table.chains}
    jumps: list[tuple[str, int, str, set[RuleRole]]] = []
    for chain in table.chains:
        for rule in chain.rules:
            roles = _concerned(rule, target, others)
            if roles:
                kept[chain.name][rule.number] = roles
            possible = {role for role in _ROLES if _possible(rule, target, role)}
            jumps += [
                (chain.name, rule.number, expr.chain, possible)
                for expr in rule.exprs
                if isinstance(expr, Verdict) and expr.chain and possible
            ]
    _follow_back(kept, jumps)
    return tuple(
        msgspec.structs.replace(chain, rules=tuple(rule for rule in chain.rules if rule.number in kept[chain.name]))
        for chain in table.chains
        if kept[chain.name] or (chain.hook is not None and chain.policy == "drop")
    )


def _follow_back(kept: dict[str, dict[int, set[RuleRole]]], jumps: list[tuple[str, int, str, set[RuleRole]]]) -> None:
    """Keep the jumps to what is kept, for the roles in which the target meets both, until nothing is added."""
    grown = True
    while grown:
        grown = False
        for chain, number, leads_to, possible in jumps:
            beyond = {role for roles in kept.get(leads_to, {}).values() for role in roles}
            behind = possible & beyond
            here = kept[chain].setdefault(number, set()) if behind else set()
            if behind - here:
                here |= behind
                grown = True


def _concerned(rule: Rule, target: RuleTarget, others: _Others) -> set[RuleRole]:
    """The roles in which the target is concerned by a rule; none if it isn't."""
    possible = [role for role in _ROLES if _possible(rule, target, role)]
    naming = {role for role in possible if _names(rule, target, role)}
    if naming or not _stops(rule) or _names_others(rule, others):
        return naming
    # Without a name in it, a rule must be one that traffic from or to the target itself can meet.
    return {role for role in possible if role != "published"}


def _possible(rule: Rule, target: RuleTarget, role: RuleRole) -> bool:
    """Whether traffic with the target in this role can meet the rule, as far as its places tell."""
    if role == "published":
        ports = [expr for expr in rule.exprs if isinstance(expr, Match) and expr.field == "dport"]
        # On its way to a published port a packet still has the host's address; only the port tells.
        return not target.published or _nat_to(rule, target) or all(_port_fits(expr, target) for expr in ports)
    for expr in rule.exprs:
        if isinstance(expr, Match):
            if expr.field == _ADDRESS[role] and not _address_fits(expr, target.networks):
                return False
            if expr.field == _INTERFACE[role] and not _name_fits(expr, target.bridges):
                return False
            if expr.field == _PORT[role] and not _name_fits(expr, target.ports):
                return False
    return True


def _names(rule: Rule, target: RuleTarget, role: RuleRole) -> bool:
    if role == "published":
        ports = [expr for expr in rule.exprs if isinstance(expr, Match) and expr.field == "dport"]
        return _nat_to(rule, target) or any(not expr.negate and _port_fits(expr, target) for expr in ports)
    for expr in rule.exprs:
        if not isinstance(expr, Match):
            continue
        if expr.field == _ADDRESS[role] and _addresses_meet(expr.values, target.networks):
            return True
        if expr.field == _INTERFACE[role] and _any_name(expr.values, target.bridges):
            return True
        if expr.field == _PORT[role] and _any_name(expr.values, target.ports):
            return True
    return False


def _names_others(rule: Rule, others: _Others) -> bool:
    for expr in rule.exprs:
        if isinstance(expr, Match) and expr.field in {"iif", "oif"} and _any_name(expr.values, others.bridges):
            return True
        if isinstance(expr, Match) and expr.field in {"saddr", "daddr"} and _addresses_of_others(expr, others):
            return True
    return False


def _addresses_of_others(match: Match, others: _Others) -> bool:
    if _addresses_meet(match.values, others.networks):
        return True
    single = tuple(value for value in match.values if any(part.num_addresses == 1 for part in _parts(value)))
    return _addresses_meet(single, others.near) and not _addresses_meet(single, others.own)


def _stops(rule: Rule) -> bool:
    return any(
        (isinstance(expr, Verdict) and expr.kind in _STOPS) or (isinstance(expr, Opaque) and expr.role == "target")
        for expr in rule.exprs
    )


def _nat_to(rule: Rule, target: RuleTarget) -> bool:
    return any(
        isinstance(expr, Nat)
        and expr.kind in {"dnat", "netmap"}
        and bool(expr.addresses)
        and _addresses_meet((expr.addresses,), target.networks)
        for expr in rule.exprs
    )


def _port_fits(match: Match, target: RuleTarget) -> bool:
    met = any(_in_range(value, port) for value in match.values for _, port in target.published)
    return met != match.negate


def _in_range(value: str, port: int) -> bool:
    low, colon, high = value.partition(":")
    try:
        return int(low or 0) <= port <= int((high or 0xFFFF) if colon else low)
    except ValueError:
        return True


def _name_fits(match: Match, names: Iterable[str]) -> bool:
    """Whether one of the target's interfaces passes the match; a target without any passes."""
    own = tuple(names)
    return not own or any(_any_name(match.values, (name,)) != match.negate for name in own)


def _any_name(patterns: Iterable[str], names: Iterable[str]) -> bool:
    return any(
        name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern
        for pattern in patterns
        for name in names
    )


def _address_fits(match: Match, own: tuple[IpNetwork, ...]) -> bool:
    if not own:
        return True
    if not match.negate:
        return _addresses_meet(match.values, own)
    return any(not any(_covers(value, network) for value in match.values) for network in own)


def _addresses_meet(values: Iterable[str], own: tuple[IpNetwork, ...]) -> bool:
    return any(_overlap(part, network) for value in values for part in _parts(value) for network in own)


def _covers(value: str, network: IpNetwork) -> bool:
    return any(
        part.version == network.version
        and int(part.network_address) <= int(network.network_address)
        and int(network.broadcast_address) <= int(part.broadcast_address)
        for part in _parts(value)
    )


@lru_cache(maxsize=8192)
def _parts(value: str) -> tuple[IpNetwork, ...]:
    """The networks that a CIDR, an address or an ``a-b`` range consists of."""
    low, dash, high = value.partition("-")
    if not dash:
        parsed = _parsed(value)
        return () if parsed is None else (parsed,)
    try:
        return tuple(ipaddress.summarize_address_range(ipaddress.ip_address(low), ipaddress.ip_address(high)))
    except (ValueError, TypeError):
        return ()


def _parsed(text: str) -> IpNetwork | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _overlap(one: IpNetwork, other: IpNetwork) -> bool:
    return one.version == other.version and (
        int(one.network_address) <= int(other.broadcast_address)
        and int(other.network_address) <= int(one.broadcast_address)
    )
