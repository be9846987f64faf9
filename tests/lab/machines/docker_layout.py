"""The networks and containers of a lab host with Docker.  Pure data.

:func:`layout` adds to what every Docker can do what newer ones can.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.machines.image import HTTPD, SLEEP, Containers

_BRIDGE_NAME = "--opt=com.docker.network.bridge.name="
_GATEWAY_MODE = "--opt=com.docker.network.bridge.gateway_mode_ipv4="

NETWORKS: tuple[tuple[str, ...], ...] = (
    ("--subnet=10.10.0.0/24", f"{_BRIDGE_NAME}br-app", "app"),
    ("--subnet=10.20.0.0/24", f"{_BRIDGE_NAME}br-db", "db"),
    ("--subnet=10.30.0.0/24", f"{_BRIDGE_NAME}br-quiet", "--opt=com.docker.network.bridge.enable_icc=false", "quiet"),
    ("--subnet=10.40.0.0/24", f"{_BRIDGE_NAME}br-vault", "--internal", "vault"),
)
"""The arguments of ``docker network create``."""

CONTAINERS: Containers = {
    "web": (("-p", "8080:80", "-p", "127.0.0.1:8081:80"), HTTPD),
    "app1": (("--network=app", "--ip=10.10.0.2"), HTTPD),
    "app2": (("--network=app", "--ip=10.10.0.3"), HTTPD),
    "db": (("--network=db",), HTTPD),
    "quiet1": (("--network=quiet", "--ip=10.30.0.2"), HTTPD),
    "quiet2": (("--network=quiet", "--ip=10.30.0.3"), HTTPD),
    "vault": (("--network=vault",), HTTPD),
    "hostmode": (("--network=host",), SLEEP),
    "none": (("--network=none",), SLEEP),
}

JOINED: Containers = {"joined": (("--network=container:web",), SLEEP)}
"""Those that need another one to run already."""

MODES_SINCE = (28,)
"""Since then all four gateway modes, several ``--network`` options and IPv6 need no experimental daemon."""

NETWORKS_28: tuple[tuple[str, ...], ...] = (
    ("--subnet=10.50.0.0/24", f"{_BRIDGE_NAME}br-routed", f"{_GATEWAY_MODE}routed", "routed"),
    ("--subnet=10.60.0.0/24", f"{_BRIDGE_NAME}br-open", f"{_GATEWAY_MODE}nat-unprotected", "open"),
    ("--subnet=10.70.0.0/24", f"{_BRIDGE_NAME}br-six", "--ipv6", "--subnet=fd00:70::/64", "six"),
    ("--subnet=10.80.0.0/24", f"{_BRIDGE_NAME}br-sealed", "--internal", f"{_GATEWAY_MODE}isolated", "sealed"),
)

CONTAINERS_28: Containers = {
    "routed": (("--network=routed", "-p", "80"), HTTPD),
    "open": (("--network=open", "-p", "8060:80"), HTTPD),
    "six1": (("--network=six", "--ip=10.70.0.2", "--ip6=fd00:70::2", "-p", "8070:80"), HTTPD),
    "six2": (("--network=six", "--ip=10.70.0.3", "--ip6=fd00:70::3"), HTTPD),
    "sealed1": (("--network=sealed",), HTTPD),
    "sealed2": (("--network=sealed",), HTTPD),
    "both": (("--network=name=app,ip=10.10.0.9", "--network=name=db,ip=10.20.0.9"), HTTPD),
}

ROUTED_28 = ("10.10.0.0/24", "10.50.0.0/24", "10.60.0.0/24")
"""Subnets to which the "internet" knows the way, so that protection is seen to be Docker's and not luck."""

UPLINK_ADDRESS6 = "2001:db8:203::2"
OUTSIDE_ADDRESS6 = "2001:db8:203::1"
OUTSIDE_SERVER6 = "2001:db8:198::10"
"""The host, and the "internet", in IPv6 (RFC 3849); the latter has no way back to the containers' subnets."""


@dataclass(frozen=True)
class Layout:
    """What to create on a host."""

    networks: tuple[tuple[str, ...], ...]
    containers: Containers
    routed: tuple[str, ...] = ()
    ipv6: bool = False


def layout(release: tuple[int, ...]) -> Layout:
    """Return what a Docker of that version gets."""
    if release < MODES_SINCE:
        return Layout(NETWORKS, CONTAINERS)
    return Layout(NETWORKS + NETWORKS_28, CONTAINERS | CONTAINERS_28, routed=ROUTED_28, ipv6=True)
