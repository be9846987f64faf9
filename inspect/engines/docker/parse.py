"""The Docker Engine API's JSON → engines, networks and containers.  Pure.

What Podman's JSON has as well is in
:mod:`dnet_tui.inspect.engines.container_json`.

Sources: Docker Engine API 1.41 to 1.52 (ContainerInspect, NetworkList,
SystemInfo, SystemVersion); libnetwork's bridge driver for the defaults.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from dnet_tui.inspect.engines import container_json as common
from dnet_tui.inspect.engines.container_json import flag
from dnet_tui.inspect.model import Container, ContainerMode, Endpoint, Engine, Network, PublishedPort, Subnet
from dnet_tui.inspect.model.engine_kinds.docker import BRIDGE_PREFIX, DOCKER
from dnet_tui.inspect.model.engine_kinds.podman import PODMAN
from dnet_tui.inspect.model.engine_kinds.registry import traits_of
from dnet_tui.inspect.text.encoding import storable
from dnet_tui.inspect.text.json_access import Json, fields, integer, items, string

_BRIDGE = "com.docker.network.bridge."
_DRIVER_MODES: dict[str, ContainerMode] = {
    "bridge": "bridge",
    "host": "host",
    "null": "none",
    "macvlan": "macvlan",
    "ipvlan": "ipvlan",
    "overlay": "overlay",
}
_UNTRANSLATED = ("routed", "isolated")
"""Gateway modes in which the engine installs no masquerading (Docker 27 and 28)."""


def parse_engine(version: Json, info: Json, socket: str) -> Engine:
    """The engine itself, from /version and /info.  Podman's compatible socket calls itself so."""
    components = [fields(item) for item in items(fields(version).get("Components"))]
    podman = any(PODMAN.kind in string(item.get("Name")).lower() for item in components)
    security = [string(item) for item in items(fields(info).get("SecurityOptions"))]
    return Engine(
        name=(PODMAN if podman else DOCKER).kind,
        version=string(fields(version).get("Version")),
        socket=socket,
        firewall=string(fields(fields(info).get("FirewallBackend")).get("Driver")),
        rootless=any("name=rootless" in item for item in security),
    )


def is_docker_desktop(info: Json) -> bool:
    """Whether the engine runs in Docker Desktop's virtual machine, out of this host's sight."""
    return string(fields(info).get("OperatingSystem")) == "Docker Desktop"


def parse_networks(answer: Json, engine: str) -> tuple[Network, ...]:
    """The networks of GET /networks, sorted by name."""
    found = [_network(fields(item), engine) for item in items(answer)]
    return tuple(sorted((net for net in found if net.id and net.name), key=lambda net: (net.name, net.id)))


def _network(data: Mapping[str, Json], engine: str) -> Network:
    options = {storable(key): string(value) for key, value in fields(data.get("Options")).items()}
    driver = string(data.get("Driver"))
    is_bridge = driver == "bridge"
    internal = data.get("Internal") is True
    mode4 = options.get(_BRIDGE + "gateway_mode_ipv4", "")
    masquerade = flag(options.get(_BRIDGE + "enable_ip_masquerade", ""), default=True)
    if internal or mode4 in _UNTRANSLATED:
        masquerade = False
    return Network(
        id=string(data.get("Id")),
        name=string(data.get("Name")),
        engine=engine,
        driver=driver,
        bridge=_bridge_name(data, options, engine) if is_bridge else "",
        subnets=tuple(_subnets(data)),
        internal=internal,
        icc=flag(options.get(_BRIDGE + "enable_icc", ""), default=True) if is_bridge else None,
        masquerade=masquerade if is_bridge else None,
        isolated=True if is_bridge else None,
        gateway_mode4=mode4,
        gateway_mode6=options.get(_BRIDGE + "gateway_mode_ipv6", ""),
        ipv6=data.get("EnableIPv6") is True,
        mtu=common.mtu(options.get("com.docker.network.driver.mtu", "")),
        host_binding=options.get(_BRIDGE + "host_binding_ipv4", ""),
        options=options,
    )


def _bridge_name(data: Mapping[str, Json], options: Mapping[str, str], engine: str) -> str:
    """The kernel's name of a bridge network's bridge.

    Podman's compatible API doesn't tell it but for the default network's.
    """
    given = options.get(_BRIDGE + "name", "")
    if given:
        return given
    default = dict(traits_of(engine).default_bridges).get(string(data.get("Name")), "")
    return default or ("" if engine == PODMAN.kind else f"{BRIDGE_PREFIX}{string(data.get('Id'))[:12]}")


def _subnets(data: Mapping[str, Json]) -> Iterator[Subnet]:
    for item in items(fields(data.get("IPAM")).get("Config")):
        config = fields(item)
        cidr = string(config.get("Subnet"))
        if cidr:
            yield Subnet(cidr=cidr, gateway=string(config.get("Gateway")).partition("/")[0])


def with_gateways(networks: tuple[Network, ...], containers: Iterable[Container]) -> tuple[Network, ...]:
    """Fill in the gateways that a network's own settings leave out, from what its containers were given.

    Docker 20.10 leaves out a gateway that it chose itself.
    """
    given: dict[str, set[str]] = {}
    for container in containers:
        for endpoint in container.endpoints:
            given.setdefault(endpoint.network, set()).update(filter(None, (endpoint.gateway, endpoint.gateway6)))
    return tuple(
        msgspec.structs.replace(
            network, subnets=tuple(_with_gateway(subnet, given.get(network.id, set())) for subnet in network.subnets)
        )
        for network in networks
    )


def _with_gateway(subnet: Subnet, given: Iterable[str]) -> Subnet:
    if subnet.gateway:
        return subnet
    fitting = [address for address in given if _is_within(address, subnet.cidr)]
    return Subnet(cidr=subnet.cidr, gateway=fitting[0]) if len(fitting) == 1 else subnet


def _is_within(address: str, cidr: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False


def parse_container(detail: Json, engine: str, networks: Iterable[Network]) -> Container | None:
    """A container of GET /containers/ID/json; None when the answer isn't one.

    ``netns`` stays open: the kernel tells it.  ``joined`` is as Docker says it,
    an id or a name, until :func:`resolve_joined`.
    """
    data = fields(detail)
    state = fields(data.get("State"))
    settings = fields(data.get("NetworkSettings"))
    container = string(data.get("Id"))
    if not container:
        return None
    known = tuple(networks)
    running = state.get("Running") is True
    mode = common.network_mode(data)
    endpoints = tuple(_endpoints(settings, known))
    bindings = fields(data.get("HostConfig")).get("PortBindings")
    return Container(
        id=container,
        name=string(data.get("Name")).lstrip("/") or container[:12],
        engine=engine,
        image=common.image(data),
        pid=integer(state.get("Pid")) or None,
        mode=_mode_of_task(_mode(mode, known), endpoints, known),
        joined=common.joined_container(mode),
        running=running,
        status=string(state.get("Status")),
        error=common.state_error(data),
        endpoints=endpoints,
        published=tuple(common.bound_ports(settings.get("Ports"))),
        wanted=() if running else tuple(common.bound_ports(bindings)),
        resolver=common.resolver(data),
    )


def parse_listed(summary: Json, engine: str, networks: Iterable[Network]) -> Container | None:
    """What the list of containers (GET /containers/json) alone tells of one: for want of its details."""
    data = fields(summary)
    container = string(data.get("Id"))
    if not container:
        return None
    known = tuple(networks)
    mode = common.network_mode(data)
    names = [string(name) for name in items(data.get("Names"))]
    status = string(data.get("State"))
    return Container(
        id=container,
        name=listed_name(names) or container[:12],
        engine=engine,
        image=string(data.get("Image")),
        mode=_mode(mode, known),
        joined=common.joined_container(mode),
        running=status in ("running", "paused", "restarting"),
        status=status,
        endpoints=tuple(_endpoints(fields(data.get("NetworkSettings")), known)),
        published=tuple(_listed_ports(items(data.get("Ports")))),
    )


def listed_name(names: Iterable[str]) -> str:
    """A container's own name among those listed; the others are links' (``/other/alias``)."""
    return next((name.lstrip("/") for name in names if "/" not in name.lstrip("/")), "")


def _mode_of_task(mode: ContainerMode, endpoints: tuple[Endpoint, ...], networks: tuple[Network, ...]) -> ContainerMode:
    """The mode of a container that names none: a swarm's task says ``default`` and is in overlay networks alone."""
    drivers = {item.driver for item in networks if any(end.network == item.id for end in endpoints)}
    return "overlay" if mode == "bridge" and drivers == {"overlay"} else mode


def _mode(said: str, networks: tuple[Network, ...]) -> ContainerMode:
    """HostConfig.NetworkMode → the mode."""
    if said.startswith("container:"):
        return "container"
    if said == "host":
        return "host"
    if said == "none":
        return "none"
    if said in ("default", "bridge", ""):
        return "bridge" if said else "unknown"
    network = next((net for net in networks if said in (net.name, net.id)), None)
    return _DRIVER_MODES.get(network.driver, "unknown") if network else "unknown"


def _endpoints(settings: Mapping[str, Json], networks: tuple[Network, ...]) -> Iterator[Endpoint]:
    ids = {net.name: net.id for net in networks}
    for name, told in sorted(fields(settings.get("Networks")).items()):
        network = string(fields(told).get("NetworkID")) or ids.get(name, "")
        if network:
            yield common.endpoint(network, told)


def _listed_ports(data: list[Json]) -> Iterator[PublishedPort]:
    """``Ports`` of the list: ``[{"IP": …, "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}]``."""
    for item in data:
        given = fields(item)
        public, private = str(integer(given.get("PublicPort"))), str(integer(given.get("PrivatePort")))
        port = common.published(string(given.get("IP")), public, string(given.get("Type")), private)
        if port is not None:
            yield port
