"""Podman's JSON → engine, networks and containers.  Pure.

The same documents come from the libpod API and from ``podman … --format
json``.  Networks have two forms: since Podman 4 its own; before that, a CNI
configuration list.
Sources: libpod API 3.0 to 5.x (InspectContainerData, ListContainer, Info),
containers/common libnetwork/types/network.go, podman-network-create(1),
netavark's firewall drivers, the CNI bridge, host-local and firewall plugins.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from dnet_tui.inspect.engines import container_json as common
from dnet_tui.inspect.engines.container_json import flag
from dnet_tui.inspect.model import Container, ContainerMode, Endpoint, Engine, Network, PublishedPort, Subnet
from dnet_tui.inspect.model.default_routes import is_anywhere
from dnet_tui.inspect.model.engine_kinds.podman import PODMAN
from dnet_tui.inspect.text.encoding import storable
from dnet_tui.inspect.text.json_access import Json, fields, integer, items, string

_DRIVER_MODES: dict[str, ContainerMode] = {"bridge": "bridge", "macvlan": "macvlan", "ipvlan": "ipvlan"}
_USER_SPACE: dict[str, ContainerMode] = {"slirp4netns": "slirp4netns", "pasta": "pasta"}
_ALIVE = frozenset({"running", "paused", "stopping"})
"""The states in which a container has processes, and so a namespace."""

_MOST_PORTS = 65536


def parse_engine(info: Json, socket: str) -> Engine:
    """The engine itself, from ``podman info``."""
    host = fields(fields(info).get("host"))
    return Engine(
        name=PODMAN.kind,
        version=string(fields(fields(info).get("version")).get("Version")),
        socket=socket,
        rootless=fields(host.get("security")).get("rootless") is True,
        network_backend=string(host.get("networkBackend")),
    )


def parse_networks(answer: Json) -> tuple[Network, ...]:
    """The networks of ``podman network ls`` or of ``/libpod/networks/json``, sorted by name.

    Whether isolation keeps others out depends on these others: netavark's
    ``isolate`` stops what passes between two networks that both ask for it.
    ``isolated`` is True only where all the other bridges do, None where some
    don't, False where the network itself doesn't ask.
    """
    found = [net for item in items(answer) if (net := _network(fields(item))) is not None]
    asking = {net.id for net in found if net.isolated}
    bridges = {net.id for net in found if net.driver == "bridge"}
    settled = [
        msgspec.structs.replace(net, isolated=None) if net.isolated and bridges - asking else net for net in found
    ]
    return tuple(sorted(settled, key=lambda net: (net.name, net.id)))


def _network(data: Mapping[str, Json]) -> Network | None:
    if "driver" in data:
        return _own(data)
    listed = _decoded(data.get("Bytes"))
    return _cni(fields(listed) or data)


def _own(data: Mapping[str, Json]) -> Network | None:
    """A network in Podman's own form (since 4.0)."""
    name, driver = string(data.get("name")), string(data.get("driver"))
    if not name:
        return None
    options = {storable(key): string(value) for key, value in fields(data.get("options")).items()}
    is_bridge = driver == "bridge"
    internal = data.get("internal") is True
    unmanaged = options.get("mode") == "unmanaged"
    no_way_out = flag(options.get("no_default_route", ""), default=False) is True
    return Network(
        id=string(data.get("id")) or _id_of(name),
        name=name,
        engine=PODMAN.kind,
        driver=driver,
        bridge=string(data.get("network_interface")) if is_bridge else "",
        subnets=tuple(_subnets(items(data.get("subnets")))),
        internal=internal,
        icc=True if is_bridge else None,
        masquerade=not (internal or unmanaged or no_way_out) if is_bridge else None,
        isolated=_isolates(options.get("isolate", "")) if is_bridge else None,
        ipv6=data.get("ipv6_enabled") is True,
        mtu=common.mtu(options.get("mtu", "")),
        options=options,
        dns=data.get("dns_enabled") is True,
    )


def _isolates(option: str) -> bool | None:
    """``isolate=true`` or ``strict``; None when it says something else."""
    return True if option == "strict" else flag(option, default=False)


def _subnets(data: Iterable[Json]) -> Iterator[Subnet]:
    for item in data:
        given = fields(item)
        if subnet := string(given.get("subnet")):
            yield Subnet(cidr=subnet, gateway=string(given.get("gateway")))


def _decoded(text: Json) -> Json:
    """The configuration that Podman 3 lists as base64 of its file; None when there is none."""
    try:
        return json.loads(base64.b64decode(string(text), validate=True)) if text else None
    except (ValueError, RecursionError):
        return None


def _cni(data: Mapping[str, Json]) -> Network | None:
    """A network as a CNI configuration list.  Podman gives it an id made of its name."""
    plugins = [fields(item) for item in items(data.get("plugins"))]
    name = string(data.get("name"))
    if not name or not plugins:
        return None
    first = plugins[0]
    driver = string(first.get("type"))
    is_bridge = driver == "bridge"
    ipam = fields(first.get("ipam"))
    ranges = [item for group in items(ipam.get("ranges")) for item in items(group)]
    subnets = tuple(_subnets(ranges or [ipam]))
    mtu = integer(first.get("mtu"))
    return Network(
        id=_id_of(name),
        name=name,
        engine=PODMAN.kind,
        driver=driver,
        bridge=string(first.get("bridge")) or "cni0" if is_bridge else "",
        subnets=subnets,
        internal=_cni_internal(first, ipam) if is_bridge else None,
        icc=True if is_bridge else None,
        masquerade=first.get("ipMasq") is True if is_bridge else None,
        isolated=any(item.get("ingressPolicy") == "same-bridge" for item in plugins) if is_bridge else None,
        ipv6=any(":" in item.cidr for item in subnets),
        mtu=mtu if mtu > 0 else None,
        options={"vlan": str(vlan)} if (vlan := integer(first.get("vlan"))) else {},
    )


def _cni_internal(bridge: Mapping[str, Json], ipam: Mapping[str, Json]) -> bool | None:
    """Podman makes an internal network by leaving out gateway and default route; None for what it doesn't make."""
    has_default = any(is_anywhere(str(fields(route).get("dst"))) for route in items(ipam.get("routes")))
    is_gateway = bridge.get("isGateway") is True or bridge.get("isDefaultGateway") is True
    if is_gateway == has_default:
        return not is_gateway
    return None


def _id_of(name: str) -> str:
    """The id that Podman gives a network of a CNI file: the SHA-256 of its name."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def parse_container(detail: Json, networks: Iterable[Network]) -> Container | None:
    """A container of ``podman inspect``; None when the answer isn't one.

    ``netns`` stays open: the kernel tells it.  One that joined another's
    namespace (as a pod's members join its infra container) has neither
    endpoints nor published ports of its own: Podman repeats the other's.
    """
    data = fields(detail)
    state, settings = fields(data.get("State")), fields(data.get("NetworkSettings"))
    container = string(data.get("Id"))
    if not container:
        return None
    known = {key: net for net in networks for key in (net.id, net.name)}
    places = fields(settings.get("Networks"))
    said = common.network_mode(data)
    joined = common.joined_container(said)
    status = string(state.get("Status"))
    pid = integer(state.get("Pid"))
    running = pid > 0 and (state.get("Running") is True or status in _ALIVE)
    ports = tuple(common.bound_ports(settings.get("Ports"))) if joined is None else ()
    return Container(
        id=container,
        name=string(data.get("Name")) or container[:12],
        engine=PODMAN.kind,
        image=string(data.get("ImageName")) or common.image(data),
        pid=pid if pid > 0 else None,
        mode=_mode(said, places, known),
        joined=joined,
        running=running,
        status=status,
        error=common.state_error(data),
        endpoints=tuple(_endpoints(places, known)) if joined is None else (),
        published=ports if running else (),
        wanted=() if running else ports,
        resolver=common.resolver(data),
    )


def parse_listed(summary: Json, networks: Iterable[Network]) -> Container | None:
    """What ``podman ps`` alone tells of a container: for want of its details.  The mode isn't in it."""
    data = fields(summary)
    container = string(data.get("Id"))
    if not container:
        return None
    known = {key: net for net in networks for key in (net.id, net.name)}
    names = [string(name) for name in items(data.get("Names"))]
    status = string(data.get("State"))
    pid = integer(data.get("Pid"))
    places = [known[name] for name in map(string, items(data.get("Networks"))) if name in known]
    running = pid > 0 and status in _ALIVE
    ports = tuple(_listed_ports(items(data.get("Ports")))) if places else ()
    return Container(
        id=container,
        name=next(filter(None, names), "") or container[:12],
        engine=PODMAN.kind,
        image=string(data.get("Image")),
        pid=pid if pid > 0 else None,
        mode=_DRIVER_MODES.get(places[0].driver, "unknown") if places else "unknown",
        running=running,
        status=status,
        endpoints=tuple(Endpoint(network=net.id) for net in places),
        published=ports if running else (),
        wanted=() if running else ports,
    )


def _mode(said: str, places: Mapping[str, Json], known: Mapping[str, Network]) -> ContainerMode:
    """HostConfig.NetworkMode → the mode.

    ``bridge`` stands for every network that isn't the host's or another
    container's, so the networks' own driver decides.
    """
    word = said.partition(":")[0]
    if word == "container":
        return "container"
    if word in ("host", "none"):
        return "host" if word == "host" else "none"
    if word in _USER_SPACE:
        return _USER_SPACE[word]
    drivers = [known[name].driver for name in places if name in known]
    if drivers:
        return _DRIVER_MODES.get(drivers[0], "unknown")
    return "bridge" if word == "bridge" else "unknown"


def _endpoints(places: Mapping[str, Json], known: Mapping[str, Network]) -> Iterator[Endpoint]:
    for name, told in sorted(places.items()):
        network = known.get(name) or known.get(string(fields(told).get("NetworkID")))
        if network is not None:
            yield common.endpoint(network.id, told)


def _listed_ports(data: list[Json]) -> Iterator[PublishedPort]:
    """``[{"host_ip": "", "container_port": 80, "host_port": 8080, "range": 3, "protocol": "tcp,udp"}]``."""
    for item in data:
        given = fields(item)
        host, container = integer(given.get("host_port")), integer(given.get("container_port"))
        for proto in (string(given.get("protocol")) or "tcp").split(","):
            for offset in range(min(max(integer(given.get("range")), 1), _MOST_PORTS)):
                address = string(given.get("host_ip"))
                port = common.published(address, str(host + offset), proto, str(container + offset))
                if port is not None:
                    yield port
