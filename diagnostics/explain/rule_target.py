"""What a name on the command line stands for: its addresses, bridges and ports.  Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

import msgspec

from dnet_tui.inspect.model import Container, LinkRef, Network, known_items
from dnet_tui.inspect.model.view import View

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_PORT = re.compile(r"(\d{1,5})(?:/(tcp|udp|sctp))?", re.ASCII)
_SHORTEST_ID = 4


class RuleTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A container, network, published port or address, as rules can name it.

    ``networks`` are its addresses (single ones or whole subnets), ``bridges``
    the bridges it is on, ``ports`` its bridge ports on the host (veths),
    ``published`` its ports on the host as (protocol or empty for any, port).
    ``namespaces`` are its own namespaces beside the host's.
    """

    label: str
    networks: tuple[IpNetwork, ...] = ()
    bridges: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    published: tuple[tuple[str, int], ...] = ()
    namespaces: tuple[str, ...] = ()


def find_target(view: View, name: str) -> RuleTarget | None:
    """Look a name up: a container, a network (or its bridge), ``PORT[/PROTO]``, or an address; in this order."""
    if not name:
        return None
    container = _container(view, name)
    if container is not None:
        return _of_container(view, container)
    network = _network(view, name)
    if network is not None:
        return _of_network(view, network)
    port = _PORT.fullmatch(name)
    if port is not None and 0 < int(port[1]) <= 0xFFFF:
        return _of_port(view, name, int(port[1]), port[2] or "")
    networks = _networks([name])
    return RuleTarget(label=name, networks=networks) if networks else None


def _container(view: View, name: str) -> Container | None:
    named = [item for item in known_items(view.snapshot.containers) if name in {item.name, item.id}]
    if not named and len(name) >= _SHORTEST_ID:
        named = [item for item in known_items(view.snapshot.containers) if item.id.startswith(name)]
    running = [item for item in named if item.running]
    return next(iter(running or named), None)


def _network(view: View, name: str) -> Network | None:
    for network in known_items(view.snapshot.networks):
        if name in {network.name, network.id, network.bridge}:
            return network
    return next(
        (
            item
            for item in known_items(view.snapshot.networks)
            if len(name) >= _SHORTEST_ID and item.id.startswith(name)
        ),
        None,
    )


def _networks(texts: Iterable[str]) -> tuple[IpNetwork, ...]:
    found: dict[IpNetwork, None] = {}
    for text in texts:
        try:
            found[ipaddress.ip_network(text, strict=False)] = None
        except ValueError:
            continue
    return tuple(found)


def _of_container(view: View, container: Container) -> RuleTarget:
    addresses = [endpoint.partition("/")[0] for item in container.endpoints for endpoint in item.addresses]
    bridges = [view.networks[item.network].bridge for item in container.endpoints if item.network in view.networks]
    ports: list[str] = []
    own = view.namespaces.get(container.netns or "")
    if own is not None and own.kind != "host":
        addresses += [item.address for item in own.addresses if item.scope == "global"]
        for link in own.links:
            peer = view.links.get(link.peer) if link.peer is not None else None
            if peer is None or link.peer is None:
                continue
            ports.append(peer.name)
            master = view.links.get(LinkRef(namespace=link.peer.namespace, ifindex=peer.master or 0))
            bridges += [master.name] if master is not None else []
    return RuleTarget(
        label=container.name,
        networks=_networks(addresses),
        bridges=tuple(dict.fromkeys(filter(None, bridges))),
        ports=tuple(ports),
        published=tuple(dict.fromkeys((item.proto, item.host_port) for item in container.published)),
        namespaces=(own.id,) if own is not None and own.kind != "host" else (),
    )


def _of_network(view: View, network: Network) -> RuleTarget:
    bridge = view.link_named(view.host.id, network.bridge) if view.host is not None else None
    addresses = [subnet.cidr for subnet in network.subnets]
    ports: tuple[str, ...] = ()
    if bridge is not None and view.host is not None:
        addresses += [item.cidr for item in view.addresses_of(LinkRef(namespace=view.host.id, ifindex=bridge.ifindex))]
        ports = tuple(link.name for link in view.ports_of(view.host.id, bridge.ifindex))
    bridges = (network.bridge,) if network.bridge else ()
    return RuleTarget(label=network.name, networks=_networks(addresses), bridges=bridges, ports=ports)


def _of_port(view: View, name: str, port: int, proto: str) -> RuleTarget:
    behind = [
        _of_container(view, container)
        for container in known_items(view.snapshot.containers)
        if any(item.host_port == port and proto in {"", item.proto} for item in container.published)
    ]
    return RuleTarget(
        label=name,
        networks=tuple(network for item in behind for network in item.networks),
        bridges=tuple(bridge for item in behind for bridge in item.bridges),
        ports=tuple(veth for item in behind for veth in item.ports),
        published=((proto, port),),
    )
