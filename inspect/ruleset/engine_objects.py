"""The host's networks, containers and published ports, found by what rules call them.  Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from dnet_tui.inspect.model import Container, Network, PublishedPort, Snapshot, known_items
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS, traits_of
from dnet_tui.inspect.ruleset.rule_features import Clues

_NETAVARK_CHAIN = re.compile(r"nv_[0-9a-f]{8}_(\d+)_(\d+)_(\d+)_(\d+)_nm(\d+)(?:_dnat)?", re.ASCII)
_ENGINES_OF = {program: frozenset({program, kind.kind}) for kind in ENGINE_KINDS for program in kind.rule_programs}
"""The engines whose networks a program's rules are about, where it isn't its namesake."""


class EngineObjects:
    """An index of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.by_bridge = {network.bridge: network for network in known_items(snapshot.networks) if network.bridge}
        self.by_subnet = {
            subnet.cidr: network for network in known_items(snapshot.networks) for subnet in network.subnets
        }
        self._ranges = [(found, network) for cidr, network in self.by_subnet.items() if (found := _range(cidr))]
        self._published = [
            (container, port) for container in known_items(snapshot.containers) for port in container.published
        ]
        self._by_address: dict[str, Container] = {}
        for container in known_items(snapshot.containers):
            for endpoint in container.endpoints:
                for address in endpoint.addresses:
                    self._by_address.setdefault(_canonical(address.partition("/")[0]), container)

    def named(self, clues: Clues, program: str) -> str:
        """The port, container or network of a program's engine that a rule is about; empty if it's about none."""
        if not (self._by_address or self.by_bridge or self.by_subnet):
            return ""
        engines = _ENGINES_OF.get(program, frozenset({program}))
        containers = {
            item.id: item
            for address in clues.hosts()
            if (item := self._by_address.get(_canonical(address))) is not None and item.engine in engines
        }
        if len(containers) == 1:
            return port_or_container(next(iter(containers.values())), clues)
        networks = self._networks(clues, engines)
        return network_name(networks[0]) if len(networks) == 1 else ""

    def container_at(self, address: str) -> Container | None:
        """The container that has an address."""
        return self._by_address.get(_canonical(address))

    def published_on(self, host_ip: str) -> list[tuple[Container, PublishedPort]]:
        """The ports that are published on one address of the host."""
        return [item for item in self._published if item[1].host_ip == host_ip]

    def of_chain(self, name: str) -> str:
        """The network that a chain is made for, by the chain's name (Docker's and LXD's bridges, netavark's ranges)."""
        for bridge in (name.rpartition("__")[2], name.partition(".")[2]):
            if bridge != name and bridge in self.by_bridge:
                return network_name(self.by_bridge[bridge])
        found = _NETAVARK_CHAIN.fullmatch(name)
        network = self.by_subnet.get(f"{'.'.join(found.group(1, 2, 3, 4))}/{found[5]}") if found is not None else None
        return network_name(network) if network is not None else ""

    def _networks(self, clues: Clues, engines: frozenset[str]) -> list[Network]:
        """The networks a rule names: by their bridges, else by their ranges, else by an address in them."""
        for found in (
            [self.by_bridge.get(name) for name in clues.values("iif", "oif")],
            [self.by_subnet.get(value) for value in clues.values("saddr", "daddr")],
            [self._around(clues.destination())],
        ):
            networks = _distinct(item for item in found if item is not None and item.engine in engines)
            if networks:
                return networks
        return []

    def _around(self, address: str) -> Network | None:
        if not address or not self._ranges:
            return None
        try:
            wanted = ipaddress.ip_address(address)
        except ValueError:
            return None
        return next((network for found, network in self._ranges if wanted in found), None)


def network_name(network: Network) -> str:
    """How an owner is called that is a network."""
    return f"{traits_of(network.engine).owner or network.engine} network {network.name}"


def port_or_container(container: Container, clues: Clues) -> str:
    """How an owner is called that is a container, or one of the ports published of it."""
    port = _published(container, clues)
    if port is None:
        return f"{container.engine} container {container.name}"
    return port_name(container, port)


def port_name(container: Container, port: PublishedPort) -> str:
    """How an owner is called that is a published port."""
    return f"{container.engine} port {container.name}:{port.container_port}/{port.proto}"


def _published(container: Container, clues: Clues) -> PublishedPort | None:
    """The published port that a rule sends to a container, or lets through to it."""
    for port in container.published:
        if port.proto != clues.protocol():
            continue
        if not clues.destination():
            if clues.has_port(port.container_port):
                return port
        elif clues.has_port(port.host_port) and _target_port(clues, port) == port.container_port:
            return port
    return None


def _target_port(clues: Clues, port: PublishedPort) -> int:
    ports = clues.nat.ports if clues.nat is not None else ""
    return int(ports) if ports.isdecimal() else port.host_port


def _distinct(networks: Iterable[Network]) -> list[Network]:
    return list({network.id: network for network in networks}.values())


def _canonical(address: str) -> str:
    if ":" not in address:
        return address  # IPv4 has one spelling
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _range(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return None
