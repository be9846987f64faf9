"""Lab hosts with IPv6 throughout: two networks that have it, a published port, and an uplink to an IPv6 "internet".

Docker 20.10 writes IPv6 rules only where ``ip6tables`` is asked for, which is
experimental there; since 27 it does by itself.  netavark writes them for
every network with IPv6.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Self

from dnet_tui.actions.demo.topology import DEMO
from lab.machines.docker_engines import SYSTEM, DockerEngine
from lab.machines.docker_host import DockerHost
from lab.machines.docker_layout import MODES_SINCE, OUTSIDE_ADDRESS6, OUTSIDE_SERVER6, UPLINK_ADDRESS6, Layout
from lab.machines.engine_host import side_by_side
from lab.machines.hosts import LabHost
from lab.machines.image import HTTPD, Containers, run_arguments
from lab.machines.podman_host import PodmanHost
from lab.packets.plans import OK, TIMEOUT, Traffic
from lab.packets.traffic import Probe

PORT = 8077
SUBNET, GATEWAY = "fd00:70::/64", "fd00:70::1"
"""Those of the network with the published port, on every one of these hosts."""

_BRIDGE = "--opt=com.docker.network.bridge.name="
_OPEN = "--opt=com.docker.network.bridge.gateway_mode_ipv6=nat-unprotected"
"""With Docker 28 only the isolation stands before such a network; otherwise the raw table's drops do as well."""

EGRESS6 = Probe("six1", OUTSIDE_SERVER6, proto="icmp", family="ip6")
PUBLISHED6 = Probe("outside", UPLINK_ADDRESS6, PORT, answers="six1", family="ip6")
NEIGHBOUR6 = Probe("six1", "six2", 80, family="ip6")
FROM_HOST6 = Probe("host", "six1", 80, family="ip6")
CROSS6 = Probe("six1", "far6", 80, family="ip6")


def uplink6(host: LabHost) -> None:
    """Give both ends of the uplink IPv6; the "internet" has no way back to the containers."""
    inside = [
        f"address replace {UPLINK_ADDRESS6}/64 dev {DEMO.uplink} nodad",
        f"route replace default via {OUTSIDE_ADDRESS6}",
    ]
    outside = [
        f"address replace {OUTSIDE_ADDRESS6}/64 dev eth0 nodad",
        f"address replace {OUTSIDE_SERVER6}/128 dev lo nodad",
    ]
    host.run("ip", "-batch", "-", stdin="\n".join([*inside, ""]).encode())
    host.run("ip", "-n", DEMO.outside, "-batch", "-", stdin="\n".join([*outside, ""]).encode())


class SixDocker(DockerHost):
    """A Docker host whose daemon writes IPv6 rules."""

    bridge6 = "br-seven"

    @classmethod
    def start(cls, engine: DockerEngine = SYSTEM) -> Self:
        """Start it; as :meth:`DockerHost.start`."""
        return super().start(engine)

    def write(self, path: str, text: str) -> None:
        """Write a file on the host; the daemon's settings with IPv6 rules on, where they are not by themselves."""
        asked = '{"experimental": true, "ip6tables": true}' if self.engine == SYSTEM else text
        super().write(path, asked if path.endswith("daemon.json") else text)

    def _populate(self, what: Layout) -> None:
        modern = self.release >= MODES_SINCE
        networks = (
            ("--subnet=10.77.0.0/24", f"{_BRIDGE}br-seven", "--ipv6", f"--subnet={SUBNET}", "seven"),
            (
                *("--subnet=10.78.0.0/24", f"{_BRIDGE}br-far", "--ipv6", "--subnet=fd00:78::/64"),
                *((_OPEN,) if modern else ()),
                "far",
            ),
        )
        own = tuple(network for network in what.networks if network[-1] in {"app", "db", "open"})
        plain = {name: what.containers[name] for name in ("web", "app1", "app2", "db")}
        more = {"open": what.containers["open"]} if modern else {}
        super()._populate(replace(what, networks=(*own, *networks), containers=plain | more | _SIX, ipv6=True))


_SIX: Containers = {
    "six1": (("--network=seven", "--ip=10.77.0.2", "--ip6=fd00:70::2", "-p", f"{PORT}:80"), HTTPD),
    "six2": (("--network=seven", "--ip=10.77.0.3", "--ip6=fd00:70::3"), HTTPD),
    "far6": (("--network=far", "--ip=10.78.0.2", "--ip6=fd00:78::2"), HTTPD),
}


class SixPodman(PodmanHost):
    """A Podman host with an IPv6 network whose port is published."""

    bridge6 = "podman7"

    def _populate(self) -> None:
        super()._populate()
        uplink6(self)
        names = ("six1", "six2")
        self.podman("rm", "--force", "--time=0", *names)
        self.podman(
            "network", "create", "--subnet=10.77.0.0/24", "--ipv6", f"--subnet={SUBNET}", "--disable-dns", "seven"
        )
        places = {"six1": 2, "six2": 3}
        specs = {
            name: (
                (f"--network=seven:ip=10.77.0.{n},ip=fd00:70::{n}", *(("-p", f"{PORT}:80") if n == 2 else ())),
                HTTPD,
            )
            for name, n in places.items()
        }
        side_by_side(
            *[partial(self.podman, *run_arguments(name, *spec, cgroup=self.cgroup)) for name, spec in specs.items()]
        )
        for name in names:
            self.addresses.pop(name)
            self.addresses6.pop(name)
        self.note_containers(json.loads(self.podman("inspect", *names)))


SixHost = SixDocker | SixPodman


def healthy6(host: LabHost) -> Traffic:
    """Return what passes by IPv6 on such a host, and what must not."""
    apart = {CROSS6: TIMEOUT} if isinstance(host, SixDocker) else {}
    return {EGRESS6: OK, PUBLISHED6: OK, NEIGHBOUR6: OK, FROM_HOST6: OK, **apart}
