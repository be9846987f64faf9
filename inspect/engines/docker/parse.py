"""The Docker Engine API's JSON → engines, networks and containers.  Pure.

Go writes ``null`` for an empty list or map, older engines leave fields out,
and the answers may come from something that only pretends to be an engine:
every access here tolerates a wrong type and takes it for "not told".

Sources: Docker Engine API 1.41 to 1.52 (ContainerInspect, NetworkList,
SystemInfo, SystemVersion); libnetwork's bridge driver for the defaults.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from dnet_tui.inspect.model import Container, ContainerMode, Endpoint, Engine, Network, PublishedPort, Resolver, Subnet
from dnet_tui.inspect.text.encoding import storable

Json = Any
"""What a JSON answer may hold: its type is only known once it has been looked at."""

_BRIDGE = "com.docker.network.bridge."
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
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


def mapping(value: Json) -> Mapping[str, Json]:
    """``value`` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Json) -> list[Json]:
    """``value`` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def string(value: Json) -> str:
    """``value`` if it is a JSON string, made storable, else an empty one."""
    return storable(value) if isinstance(value, str) else ""


def integer(value: Json) -> int:
    """``value`` if it is a JSON integer, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def flag(value: str, default: bool | None) -> bool | None:  # noqa: FBT001 - three-valued by nature
    """An option's boolean, as Go's strconv.ParseBool reads it; ``default`` when not given, None when unreadable."""
    if not value:
        return default
    return True if value in _TRUE else False if value in _FALSE else None


def parse_engine(version: Json, info: Json, socket: str) -> Engine:
    """The engine itself, from /version and /info.  Podman's compatible socket calls itself so."""
    components = [mapping(item) for item in items(mapping(version).get("Components"))]
    podman = any("podman" in string(item.get("Name")).lower() for item in components)
    security = [string(item) for item in items(mapping(info).get("SecurityOptions"))]
    return Engine(
        name="podman" if podman else "docker",
        version=string(mapping(version).get("Version")),
        socket=socket,
        firewall=string(mapping(mapping(info).get("FirewallBackend")).get("Driver")),
        rootless=any("name=rootless" in item for item in security),
    )


def is_docker_desktop(info: Json) -> bool:
    """Whether the engine runs in Docker Desktop's virtual machine, out of this host's sight."""
    return string(mapping(info).get("OperatingSystem")) == "Docker Desktop"


def parse_networks(answer: Json, engine: str) -> tuple[Network, ...]:
    """The networks of GET /networks, sorted by name."""
    found = [_network(mapping(item), engine) for item in items(answer)]
    return tuple(sorted((net for net in found if net.id and net.name), key=lambda net: (net.name, net.id)))


def _network(data: Mapping[str, Json], engine: str) -> Network:
    options = {storable(key): string(value) for key, value in mapping(data.get("Options")).items()}
    driver = string(data.get("Driver"))
    is_bridge = driver == "bridge"
    internal = data.get("Internal") is True
    mode4 = options.get(_BRIDGE + "gateway_mode_ipv4", "")
    masquerade = flag(options.get(_BRIDGE + "enable_ip_masquerade", ""), default=True)
    if internal or mode4 in _UNTRANSLATED:
        masquerade = False
    mtu = options.get("com.docker.network.driver.mtu", "")
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
        mtu=int(mtu) if mtu.isascii() and mtu.isdecimal() else None,
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
    name = string(data.get("Name"))
    if engine == "podman":
        return "podman0" if name == "podman" else ""
    return "docker0" if name == "bridge" else f"br-{string(data.get('Id'))[:12]}"


def _subnets(data: Mapping[str, Json]) -> Iterator[Subnet]:
    for item in items(mapping(data.get("IPAM")).get("Config")):
        config = mapping(item)
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
    data = mapping(detail)
    state = mapping(data.get("State"))
    settings = mapping(data.get("NetworkSettings"))
    container = string(data.get("Id"))
    if not container:
        return None
    known = tuple(networks)
    mode, joined = _mode(string(mapping(data.get("HostConfig")).get("NetworkMode")), known)
    return Container(
        id=container,
        name=string(data.get("Name")).lstrip("/") or container[:12],
        engine=engine,
        image=string(mapping(data.get("Config")).get("Image")),
        pid=integer(state.get("Pid")) or None,
        mode=mode,
        joined=joined,
        running=state.get("Running") is True,
        status=string(state.get("Status")),
        error=string(state.get("Error"))[:1000],
        endpoints=tuple(_endpoints(mapping(settings.get("Networks")), known)),
        published=tuple(_ports(mapping(settings.get("Ports")))),
        wanted=() if state.get("Running") is True else tuple(_ports(_bindings(data))),
        resolver=resolver(data),
    )


def resolver(data: Mapping[str, Json]) -> Resolver | None:
    """Where a container's resolv.conf is, as ``ResolvConfPath`` says; it has yet to be read."""
    path = string(data.get("ResolvConfPath"))
    return Resolver(source=path) if path else None


def _bindings(data: Mapping[str, Json]) -> Mapping[str, Json]:
    """HostConfig.PortBindings: the ports a container is to be published on, in the form of NetworkSettings.Ports."""
    return mapping(mapping(data.get("HostConfig")).get("PortBindings"))


def parse_listed(summary: Json, engine: str, networks: Iterable[Network]) -> Container | None:
    """What the list of containers (GET /containers/json) alone tells of one: for want of its details."""
    data = mapping(summary)
    container = string(data.get("Id"))
    if not container:
        return None
    known = tuple(networks)
    mode, joined = _mode(string(mapping(data.get("HostConfig")).get("NetworkMode")), known)
    names = [string(name) for name in items(data.get("Names"))]
    status = string(data.get("State"))
    return Container(
        id=container,
        name=listed_name(names) or container[:12],
        engine=engine,
        image=string(data.get("Image")),
        mode=mode,
        joined=joined,
        running=status in ("running", "paused", "restarting"),
        status=status,
        endpoints=tuple(_endpoints(mapping(mapping(data.get("NetworkSettings")).get("Networks")), known)),
        published=tuple(_listed_ports(items(data.get("Ports")))),
    )


def listed_name(names: Iterable[str]) -> str:
    """A container's own name among those listed; the others are links' (``/other/alias``)."""
    return next((name.lstrip("/") for name in names if "/" not in name.lstrip("/")), "")


def resolve_joined(containers: tuple[Container, ...]) -> dict[str, str]:
    """The ids behind what ``joined`` says: by whole id, by name, or by the beginning of an id when only one fits."""
    ids = {item.id for item in containers}
    names = {item.name: item.id for item in containers}
    found: dict[str, str] = {}
    for said in {item.joined for item in containers if item.joined}:
        if said in ids:
            found[said] = said
        elif said in names:
            found[said] = names[said]
        else:
            fitting = [one for one in ids if one.startswith(said)]
            if len(fitting) == 1:
                found[said] = fitting[0]
    return found


def _mode(said: str, networks: tuple[Network, ...]) -> tuple[ContainerMode, str | None]:
    """HostConfig.NetworkMode → the mode and the container that is joined."""
    if said.startswith("container:"):
        return "container", said.removeprefix("container:") or None
    if said == "host":
        return "host", None
    if said == "none":
        return "none", None
    if said in ("default", "bridge", ""):
        return ("bridge" if said else "unknown"), None
    network = next((net for net in networks if said in (net.name, net.id)), None)
    return (_DRIVER_MODES.get(network.driver, "unknown") if network else "unknown"), None


def _endpoints(data: Mapping[str, Json], networks: tuple[Network, ...]) -> Iterator[Endpoint]:
    ids = {net.name: net.id for net in networks}
    for name, value in sorted(data.items()):
        endpoint = mapping(value)
        network = string(endpoint.get("NetworkID")) or ids.get(name, "")
        if not network:
            continue
        addresses = (
            cidr(endpoint.get("IPAddress"), endpoint.get("IPPrefixLen")),
            cidr(endpoint.get("GlobalIPv6Address"), endpoint.get("GlobalIPv6PrefixLen")),
        )
        yield Endpoint(
            network=network,
            mac=string(endpoint.get("MacAddress")).lower(),
            addresses=tuple(address for address in addresses if address),
            gateway=string(endpoint.get("Gateway")),
            gateway6=string(endpoint.get("IPv6Gateway")),
        )


def cidr(address: Json, length: Json) -> str:
    """An address with its prefix length; empty when they aren't one."""
    try:
        return str(ipaddress.ip_interface(f"{ipaddress.ip_address(string(address))}/{integer(length)}"))
    except ValueError:
        return ""


def _ports(data: Mapping[str, Json]) -> Iterator[PublishedPort]:
    """NetworkSettings.Ports: ``{"80/tcp": [{"HostIp": …, "HostPort": …}]}``; null for one that is only exposed."""
    for key, bindings in sorted(data.items()):
        number, _, proto = key.partition("/")
        for binding in items(bindings):
            given = mapping(binding)
            port = published(string(given.get("HostIp")), string(given.get("HostPort")), proto or "tcp", number)
            if port is not None:
                yield port


def _listed_ports(data: list[Json]) -> Iterator[PublishedPort]:
    """``Ports`` of the list: ``[{"IP": …, "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}]``."""
    for item in data:
        given = mapping(item)
        public, private = str(integer(given.get("PublicPort"))), str(integer(given.get("PrivatePort")))
        port = published(string(given.get("IP")), public, string(given.get("Type")), private)
        if port is not None:
            yield port


def published(host_ip: str, host_port: str, proto: str, number: str) -> PublishedPort | None:
    """One published port; None when it isn't one.  An engine that names no address means every IPv4 one."""
    kind = _proto(proto)
    if kind is None or not _is_port(host_port) or not _is_port(number):
        return None
    return PublishedPort(
        host_ip=host_ip or "0.0.0.0",  # noqa: S104 - what it is published on, not bound by us
        host_port=int(host_port),
        proto=kind,
        container_port=int(number),
    )


def _proto(text: str) -> Literal["tcp", "udp", "sctp"] | None:
    if text == "tcp":
        return "tcp"
    if text == "udp":
        return "udp"
    return "sctp" if text == "sctp" else None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536
