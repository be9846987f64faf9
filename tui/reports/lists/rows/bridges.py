"""Rows of ``ls bridges`` and ``ls networks``.  Pure."""

from __future__ import annotations

import msgspec

from dnet_tui.inspect.model import Link, LinkRef, Namespace, Network, known_items
from dnet_tui.inspect.model.view import View


class PortRow(msgspec.Struct, frozen=True, kw_only=True):
    """A bridge port.  ``owner`` and ``interface`` are the veth's other end; None when it has none or it wasn't found.

    ``note`` says why a veth's other end isn't known.
    """

    name: str
    ifindex: int
    kind: str
    state: str
    owner: str | None
    interface: str | None
    note: str


class BridgeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A bridge.  ``network`` and ``engine`` are None when nobody explains it."""

    name: str
    ifindex: int
    up: bool
    carrier: bool
    mac: str
    mtu: int
    addresses: tuple[str, ...]
    network: str | None
    engine: str | None
    ports: tuple[PortRow, ...]
    namespace: str | None = None
    """What the namespace is called that it is in; None for the host's own."""


class SubnetRow(msgspec.Struct, frozen=True, kw_only=True):
    """An address range of a network."""

    cidr: str
    gateway: str


class NetworkRow(msgspec.Struct, frozen=True, kw_only=True):
    """A network as its engine defined it.  ``internal``, ``icc``, ``masquerade``, ``isolated``: None = nobody said."""

    id: str
    name: str
    engine: str
    driver: str
    bridge: str
    subnets: tuple[SubnetRow, ...]
    internal: bool | None
    icc: bool | None
    masquerade: bool | None
    isolated: bool | None
    mtu: int | None
    containers: tuple[str, ...]


def bridge_rows(view: View) -> list[BridgeRow]:
    """Every bridge of the host, in the kernel's order, and those inside of overlay networks."""
    host = view.host
    rows = [] if host is None else [_bridge(view, host, link) for link in view.bridges()]
    return rows + [
        _bridge(view, ns, link) for ns in view.insides() for link in known_items(ns.links) if link.kind == "bridge"
    ]


def network_rows(view: View) -> list[NetworkRow]:
    """Every network, with the containers the engine says are in it."""
    return [_network(view, network) for network in known_items(view.snapshot.networks)]


def _bridge(view: View, ns: Namespace, link: Link) -> BridgeRow:
    network = view.network_at(ns.id, link.name)
    addresses = view.addresses_of(LinkRef(namespace=ns.id, ifindex=link.ifindex))
    return BridgeRow(
        name=link.name,
        ifindex=link.ifindex,
        up=link.up,
        carrier=link.carrier,
        mac=link.mac,
        mtu=link.mtu,
        addresses=tuple(address.cidr for address in addresses),
        network=network.name if network is not None else None,
        engine=network.engine if network is not None else None,
        ports=tuple(_port(view, port) for port in view.ports_of(ns.id, link.ifindex)),
        namespace=None if ns.kind == "host" else view.label(ns.id),
    )


def _port(view: View, link: Link) -> PortRow:
    peer = view.links.get(link.peer) if link.peer is not None else None
    return PortRow(
        name=link.name,
        ifindex=link.ifindex,
        kind=link.kind,
        state=link.port.state if link.port is not None else "unknown",
        owner=view.label(link.peer.namespace) if link.peer is not None else None,
        interface=peer.name if peer is not None else None,
        note=link.peer_note,
    )


def _network(view: View, network: Network) -> NetworkRow:
    return NetworkRow(
        id=network.id,
        name=network.name,
        engine=network.engine,
        driver=network.driver,
        bridge=network.bridge,
        subnets=tuple(SubnetRow(cidr=subnet.cidr, gateway=subnet.gateway) for subnet in network.subnets),
        internal=network.internal,
        icc=network.icc,
        masquerade=network.masquerade,
        isolated=network.isolated,
        mtu=network.mtu,
        containers=tuple(
            container.name
            for container in known_items(view.snapshot.containers)
            if any(endpoint.network == network.id for endpoint in container.endpoints)
        ),
    )
