"""What the JSON of Docker and of Podman has in common: ports, addresses, endpoints, options.  Pure.

Podman's inspect follows Docker's.  Every access tolerates a wrong type and
takes it for "not told": Go writes ``null`` for an empty list or map, older
engines leave fields out, and the answers may come from something that only
pretends to be an engine.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from dnet_tui.inspect.model import Endpoint, PublishedPort, Resolver
from dnet_tui.inspect.model.protocols import published_protocol
from dnet_tui.inspect.text.json_access import Json, fields, integer, items, string

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_LONGEST_ERROR = 1000


def flag(value: str, default: bool | None) -> bool | None:  # noqa: FBT001 - three-valued by nature
    """An option's boolean, as Go's strconv.ParseBool reads it; ``default`` when not given, None when unreadable."""
    if not value:
        return default
    return True if value in _TRUE else False if value in _FALSE else None


def mtu(text: str) -> int | None:
    """An MTU option; None when it isn't given, or isn't one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0 else None


def image(data: Mapping[str, Json]) -> str:
    """The image's name, of an inspected container."""
    return string(fields(data.get("Config")).get("Image"))


def state_error(data: Mapping[str, Json]) -> str:
    """Why it could not be started or stopped the last time."""
    return string(fields(data.get("State")).get("Error"))[:_LONGEST_ERROR]


def network_mode(data: Mapping[str, Json]) -> str:
    """HostConfig.NetworkMode as it is written."""
    return string(fields(data.get("HostConfig")).get("NetworkMode"))


def joined_container(mode: str) -> str | None:
    """The container in ``container:NAME``: an id or a name; None for other modes."""
    return mode.removeprefix("container:") or None if mode.startswith("container:") else None


def resolver(data: Mapping[str, Json]) -> Resolver | None:
    """Where a container's resolv.conf is, as ``ResolvConfPath`` says; it has yet to be read."""
    path = string(data.get("ResolvConfPath"))
    return Resolver(source=path) if path else None


def endpoint(network: str, told: Json) -> Endpoint:
    """A container's place in a network, of NetworkSettings.Networks; the secondary addresses are Podman's."""
    data = fields(told)
    addresses = (
        cidr(data.get("IPAddress"), data.get("IPPrefixLen")),
        *_secondary(data.get("SecondaryIPAddresses")),
        cidr(data.get("GlobalIPv6Address"), data.get("GlobalIPv6PrefixLen")),
        *_secondary(data.get("SecondaryIPv6Addresses")),
    )
    return Endpoint(
        network=network,
        mac=string(data.get("MacAddress")).lower(),
        addresses=tuple(address for address in addresses if address),
        gateway=string(data.get("Gateway")),
        gateway6=string(data.get("IPv6Gateway")),
    )


def _secondary(told: Json) -> Iterator[str]:
    for item in items(told):
        given = fields(item)
        yield cidr(given.get("Addr"), given.get("PrefixLength"))


def cidr(address: Json, length: Json) -> str:
    """An address with its prefix length; empty when they aren't one."""
    try:
        return str(ipaddress.ip_interface(f"{ipaddress.ip_address(string(address))}/{integer(length)}"))
    except ValueError:
        return ""


def bound_ports(told: Json) -> Iterator[PublishedPort]:
    """``{"80/tcp": [{"HostIp": …, "HostPort": …}]}``; null for a port that is only exposed."""
    for key, bindings in sorted(fields(told).items()):
        number, _, proto = key.partition("/")
        for binding in items(bindings):
            given = fields(binding)
            port = published(string(given.get("HostIp")), string(given.get("HostPort")), proto or "tcp", number)
            if port is not None:
                yield port


def published(host_ip: str, host_port: str, proto: str, number: str) -> PublishedPort | None:
    """One published port; None when it isn't one.  An engine that names no address means every IPv4 one."""
    kind = published_protocol(proto)
    if kind is None or not _is_port(host_port) or not _is_port(number):
        return None
    return PublishedPort(
        host_ip=host_ip or "0.0.0.0",  # noqa: S104 - what it is published on, not bound by us
        host_port=int(host_port),
        proto=kind,
        container_port=int(number),
    )


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536
