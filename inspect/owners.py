"""Whose rule is it: an engine's, a network's, a published port's, another program's.  Pure.

A rule gets an owner only where its place and its shape say so.  That a rule
names a container's bridge isn't enough: people write such rules too.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from dnet_tui.inspect.firewall import Chain, Firewall, Match, Nat, Rule, Table, Verdict
from dnet_tui.inspect.model import Container, Namespace, Network, PublishedPort, Snapshot
from dnet_tui.inspect.owner_names import USERS_CHAINS, chain_owners, commented_owner

_ENGINES: dict[str, frozenset[str]] = {"docker": frozenset({"docker"}), "podman": frozenset({"podman"})}
"""The engines whose networks a program's rules are about; a program that isn't here is about its namesake's."""
_OURS = "linux"
_NETAVARK_CHAIN = re.compile(r"nv_[0-9a-f]{8}_(\d+)_(\d+)_(\d+)_(\d+)_nm(\d+)(?:_dnat)?", re.ASCII)


def with_owners(snapshot: Snapshot) -> Snapshot:
    """The snapshot with :attr:`Rule.owner` filled in, wherever it can be derived."""
    things = _Things(snapshot)
    nothing = _Things(Snapshot())
    return msgspec.structs.replace(
        snapshot,
        namespaces=tuple(
            _owned(space, things if space.kind == "host" else nothing) for space in snapshot.namespaces
        ),
    )


def _owned(space: Namespace, things: _Things) -> Namespace:
    if space.firewall is None or not space.firewall.tables:
        return space
    tables = tuple(_table(table, things) for table in space.firewall.tables)
    firewall: Firewall = msgspec.structs.replace(space.firewall, tables=tables)
    return msgspec.structs.replace(space, firewall=firewall)


def _table(table: Table, things: _Things) -> Table:
    owners = chain_owners(table)
    return msgspec.structs.replace(
        table,
        chains=tuple(
            msgspec.structs.replace(chain, rules=tuple(_rule(rule, table, chain, owners, things) for rule in chain.rules))
            for chain in table.chains
        ),
    )


def _rule(rule: Rule, table: Table, chain: Chain, owners: dict[str, str], things: _Things) -> Rule:
    owner = _owner(_Seen.of(rule), table, chain, owners, things)
    return rule if owner == rule.owner else msgspec.structs.replace(rule, owner=owner)


def _owner(seen: _Seen, table: Table, chain: Chain, owners: dict[str, str], things: _Things) -> str:
    if chain.name in USERS_CHAINS:
        is_closing = seen.rule.number == len(chain.rules) and seen.rule.exprs == (Verdict(kind="return"),)
        return owners.get(chain.name, "") if is_closing else ""
    by_comment = commented_owner(seen.rule.comment)
    program = owners.get(chain.name) or next((owners[name] for name in seen.leads_to if name in owners), "")
    if not program:
        return by_comment or _inline(seen, table, chain, things)
    return by_comment or things.named(seen, program) or things.of_chain(chain.name, program) or program


class _Seen(NamedTuple):
    """What of a rule tells its owner: interfaces, addresses and ports that it is about, and where it leads."""

    rule: Rule
    matches: tuple[Match, ...]
    nat: Nat | None
    leads_to: tuple[str, ...]
    ends: str

    @classmethod
    def of(cls, rule: Rule) -> _Seen:
        """Look at a rule."""
        verdicts = [expr for expr in rule.exprs if isinstance(expr, Verdict)]
        return cls(
            rule,
            tuple(expr for expr in rule.exprs if isinstance(expr, Match)),
            next((expr for expr in rule.exprs if isinstance(expr, Nat)), None),
            tuple(verdict.chain for verdict in verdicts if verdict.chain),
            verdicts[-1].kind if verdicts else "",
        )

    def values(self, *fields: str) -> list[str]:
        """All values of these fields, negated or not, in order."""
        return [value for match in self.matches if match.field in fields for value in match.values]

    def only(self, field: str) -> Match | None:
        """The one match on a field, with one value."""
        found = [match for match in self.matches if match.field == field]
        return found[0] if len(found) == 1 and len(found[0].values) == 1 else None

    def says(self, field: str, value: str, *, negate: bool = False) -> bool:
        """Whether the rule asks for just this value of a field."""
        return self.only(field) == Match(field=field, values=(value,), negate=negate)

    def fields(self) -> frozenset[str]:
        """The fields the rule asks for."""
        return frozenset(match.field for match in self.matches)


class _Things:
    """The networks and containers of the host, by what rules call them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.networks = [network for network in snapshot.networks if network.bridge or network.subnets]
        self.by_bridge = {network.bridge: network for network in self.networks if network.bridge}
        self.by_subnet = {subnet.cidr: network for network in self.networks for subnet in network.subnets}
        self.by_address: dict[str, Container] = {}
        for container in snapshot.containers:
            for endpoint in container.endpoints:
                for address in endpoint.addresses:
                    self.by_address.setdefault(address.partition("/")[0], container)

    def named(self, seen: _Seen, program: str) -> str:
        """The port, container or network of a program's engine that a rule is about; empty if it's about none."""
        engines = _ENGINES.get(program, frozenset({program, "podman"} if program == "cni" else {program}))
        containers = [item for item in self._containers(seen) if item.engine in engines]
        if len(containers) == 1:
            container = containers[0]
            port = _published(container, seen)
            if port is not None:
                return _port_name(container, port)
            if seen.nat is not None or not self._bridges(seen, engines):
                return f"{container.engine} container {container.name}"
        networks = self._bridges(seen, engines) or self._subnets(seen, engines)
        return _network_name(networks[0]) if len(networks) == 1 else ""

    def of_chain(self, name: str, program: str) -> str:
        """The network that a chain of its own belongs to, by the chain's name."""
        bridge = name.rpartition("__")[2] if program == "docker" else name.partition(".")[2]
        network = self.by_bridge.get(bridge) if bridge and bridge != name else None
        found = _NETAVARK_CHAIN.fullmatch(name)
        if network is None and found is not None:
            network = self.by_subnet.get(f"{'.'.join(found.group(1, 2, 3, 4))}/{found[5]}")
        return _network_name(network) if network is not None else ""

    def _containers(self, seen: _Seen) -> list[Container]:
        addresses = [seen.nat.addresses] if seen.nat is not None and seen.nat.kind == "dnat" else []
        addresses += [value.partition("/")[0] for value in seen.values("daddr", "saddr") if _is_host(value)]
        found = {item.id: item for address in addresses if (item := self.by_address.get(address)) is not None}
        return list(found.values())

    def _bridges(self, seen: _Seen, engines: frozenset[str]) -> list[Network]:
        return _distinct(self.by_bridge.get(name) for name in seen.values("iif", "oif"))(engines)

    def _subnets(self, seen: _Seen, engines: frozenset[str]) -> list[Network]:
        targets = [seen.nat.addresses] if seen.nat is not None and seen.nat.kind == "dnat" else []
        around = (self._network_of(address) for address in targets)
        exact = (self.by_subnet.get(value) for value in seen.values("saddr", "daddr"))
        return _distinct([*around, *exact])(engines)

    def _network_of(self, address: str) -> Network | None:
        try:
            wanted = ipaddress.ip_address(address)
        except ValueError:
            return None
        return next((found for cidr, found in self.by_subnet.items() if _contains(cidr, wanted)), None)
