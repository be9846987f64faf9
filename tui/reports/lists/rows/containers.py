"""Rows of ``ls containers`` and ``ls veths``.  Pure.

``ls containers --format json`` is a published contract: a list of
:class:`ContainerRow`, every key always present.
"""

from __future__ import annotations

import msgspec

from dnet_tui.inspect.model import Container, Link, LinkRef, Namespace, PublishedPort, known_items
from dnet_tui.inspect.model.view import View


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """The other end of a veth."""

    name: str
    ifindex: int


class InterfaceRow(msgspec.Struct, frozen=True, kw_only=True):
    """An interface a container sees.  ``network`` and ``bridge`` are names, None when it is on neither.

    ``note`` says why a veth has no ``peer``.
    """

    name: str
    ifindex: int
    mac: str
    addresses: tuple[str, ...]
    network: str | None
    bridge: str | None
    peer: Peer | None
    note: str


class PublishedCell(msgspec.Struct, frozen=True, kw_only=True):
    """A published port."""

    host_ip: str
    host_port: int
    proto: str
    container_port: int


class ContainerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A container.  ``interfaces`` is empty when its namespace wasn't seen; then ``netns`` is None or a gap says why.

    For mode ``host`` the interfaces are the host's own, for ``container`` those it shares.
    """

    id: str
    name: str
    engine: str
    image: str
    pid: int | None
    netns: str | None
    mode: str
    interfaces: tuple[InterfaceRow, ...]
    published: tuple[PublishedCell, ...]
    not_seen: tuple[str, ...]
    """What of it is missing here because it could not be read: ``addresses: permission denied``."""


class VethPeer(msgspec.Struct, frozen=True, kw_only=True):
    """Where a host veth leads.  ``owner`` is the container's name, the namespace's name or its id."""

    owner: str
    namespace: str
    name: str
    ifindex: int


class VethRow(msgspec.Struct, frozen=True, kw_only=True):
    """A veth of the host.  Without ``peer``, ``note`` says why."""

    name: str
    ifindex: int
    mac: str
    up: bool
    bridge: str | None
    network: str | None
    peer: VethPeer | None
    note: str


def container_rows(view: View) -> list[ContainerRow]:
    """Every container, in the order the engines gave."""
    return [_container(view, container) for container in known_items(view.snapshot.containers)]


def veth_rows(view: View) -> list[VethRow]:
    """Every veth in the host's namespace, in the kernel's order."""
    host = view.host
    if host is None:
        return []
    return [_veth(view, host, link) for link in host.links if link.kind == "veth"]


def bridge_of(view: View, ref: LinkRef) -> Link | None:
    """The bridge that a link is a port of, itself or through its veth peer."""
    found = _bridge_ref(view, ref)
    return view.links.get(found) if found is not None else None


def _bridge_ref(view: View, ref: LinkRef) -> LinkRef | None:
    link = view.links.get(ref)
    if link is None:
        return None
    if link.master is not None:
        return LinkRef(namespace=ref.namespace, ifindex=link.master)
    peer = view.links.get(link.peer) if link.peer is not None else None
    if peer is None or link.peer is None or peer.master is None:
        return None
    return LinkRef(namespace=link.peer.namespace, ifindex=peer.master)


def _container(view: View, container: Container) -> ContainerRow:
    ns = view.namespaces.get(container.netns) if container.netns is not None else None
    return ContainerRow(
        id=container.id,
        name=container.name,
        engine=container.engine,
        image=container.image,
        pid=container.pid,
        netns=container.netns,
        mode=container.mode,
        interfaces=tuple(_interface(view, container, ns, link) for link in ns.links) if ns is not None else (),
        published=tuple(_published(port) for port in container.published),
        not_seen=tuple(
            f"{section}: {gap.reason}"
            for section in ("links", "addresses")
            for gap in (view.gaps(section, ns.id) if ns is not None else ())
            if gap.scope
        ),
    )


def _interface(view: View, container: Container, ns: Namespace, link: Link) -> InterfaceRow:
    ref = LinkRef(namespace=ns.id, ifindex=link.ifindex)
    where = _bridge_ref(view, ref)
    bridge = view.links.get(where) if where is not None else None
    known = view.network_at(where.namespace, bridge.name) if where is not None and bridge is not None else None
    addresses = tuple(address.cidr for address in known_items(view.addresses_of(ref)))
    peer = view.links.get(link.peer) if link.peer is not None else None
    return InterfaceRow(
        name=link.name,
        ifindex=link.ifindex,
        mac=link.mac,
        addresses=addresses,
        network=known.name if known is not None else _network_name(view, container, addresses),
        bridge=bridge.name if bridge is not None else None,
        peer=Peer(name=peer.name, ifindex=peer.ifindex) if peer is not None else None,
        note=link.peer_note,
    )


def _network_name(view: View, container: Container, addresses: tuple[str, ...]) -> str | None:
    """The network of an interface that no bridge tells: by the addresses its engine gave it (macvlan)."""
    for endpoint in container.endpoints:
        known = view.networks.get(endpoint.network)
        if known is not None and set(endpoint.addresses) & set(addresses):
            return known.name
    return None


def _published(port: PublishedPort) -> PublishedCell:
    return PublishedCell(
        host_ip=port.host_ip, host_port=port.host_port, proto=port.proto, container_port=port.container_port
    )


def _veth(view: View, host: Namespace, link: Link) -> VethRow:
    bridge = bridge_of(view, LinkRef(namespace=host.id, ifindex=link.ifindex)) if link.master is not None else None
    network = view.network_of_bridge(bridge.name) if bridge is not None else None
    return VethRow(
        name=link.name,
        ifindex=link.ifindex,
        mac=link.mac,
        up=link.up,
        bridge=bridge.name if bridge is not None else None,
        network=network.name if network is not None else None,
        peer=_veth_peer(view, link),
        note=link.peer_note,
    )


def _veth_peer(view: View, link: Link) -> VethPeer | None:
    peer = view.links.get(link.peer) if link.peer is not None else None
    if peer is None or link.peer is None:
        return None
    namespace = link.peer.namespace
    return VethPeer(owner=view.label(namespace), namespace=namespace, name=peer.name, ifindex=peer.ifindex)
