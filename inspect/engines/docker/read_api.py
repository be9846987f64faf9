"""Where the Docker Engine API is, what is asked of it, and the words for what goes wrong.

Only ``GET`` requests are made, without a version in the path: the daemon then
answers in its own.  Source: Docker Engine API 1.41 to 1.52.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from dnet_tui.inspect.engines.api_reading import Complaints, Manner, Reading, Received
from dnet_tui.inspect.engines.api_source import ApiSource, Targets
from dnet_tui.inspect.engines.docker import parse
from dnet_tui.inspect.engines.docker.address_pools import parse_pools
from dnet_tui.inspect.engines.docker.services import with_services
from dnet_tui.inspect.engines.engine_data import EngineReading
from dnet_tui.inspect.engines.unix_http import socket_exists
from dnet_tui.inspect.model import Container, Engine, Network
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
from dnet_tui.inspect.text.encoding import storable

USUAL_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")

_TARGETS = Targets(
    version="/version",
    info="/info",
    networks="/networks",
    containers="/containers/json?all=true",
    container="/containers/{}/json",
    services="/services",
)
_COMPLAINTS = Complaints(
    late="the Docker daemon did not answer",
    unlike="what listens at {where} did not answer as the Docker API does",
    unreadable="the Docker daemon at {where} could not be read",
    wait="names and networks are missing until it answers; look at: journalctl -u docker",
    denied=(
        "no permission to use the Docker socket {where}",
        "run as root (sudo dnet-tui …) or join the group that owns the socket",
    ),
    nobody=("the socket {where} is there but no daemon listens", "start it: systemctl start docker"),
    absent=("there is no Docker socket at {where}", "check DOCKER_HOST, or the socket that was given"),
)


class DockerDialect:
    """How the Docker Engine API's answers are understood; Podman imitates it."""

    def engine(self, received: Received, socket: str) -> Engine:
        """See :class:`~dnet_tui.inspect.engines.api_reading.Dialect`."""
        engine = parse.parse_engine(received.version, received.info, socket)
        if engine.name != DOCKER.kind:
            return engine
        return msgspec.structs.replace(engine, address_pools=parse_pools(received.info))

    def networks(self, received: Received, engine: Engine) -> tuple[Network, ...]:
        """As above."""
        return with_services(parse.parse_networks(received.networks, engine.name), received.services)

    def container(self, detail: Any, engine: Engine, networks: tuple[Network, ...]) -> Container | None:
        """As above."""
        return parse.parse_container(detail, engine.name, networks)

    def listed(self, summary: Any, engine: Engine, networks: tuple[Network, ...]) -> Container | None:
        """As above."""
        return parse.parse_listed(summary, engine.name, networks)

    def completed(self, received: Received, data: EngineReading) -> EngineReading:
        """As above; what Docker Desktop tells is left out: its bridges and PIDs are those of a virtual machine.

        A rootless engine is dealt with in :mod:`dnet_tui.inspect.engines.rootless`.
        """
        data = msgspec.structs.replace(
            data,
            networks=parse.with_gateways(data.networks, data.containers),
            imitated=data.engines[0].name != DOCKER.kind,
        )
        if not parse.is_docker_desktop(received.info):
            return data
        gap = Gap(
            section="engine",
            scope=data.engines[0].name,
            reason=f"this is Docker Desktop: its {len(data.networks)} networks and {len(data.containers)} containers "
            "are inside its own virtual machine",
            hint="run dnet-tui inside that machine",
        )
        return EngineReading(engines=data.engines, gaps=(*data.gaps, gap), complete=data.complete)


MANNER = Manner(DOCKER.kind, DockerDialect(), _COMPLAINTS)


def read_docker(socket: str, timeout: float) -> Reading:
    """A reading of the daemon at a socket, which hasn't begun."""
    return Reading(MANNER, (ApiSource(socket, socket, _TARGETS),), timeout)


def find_socket(given: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Where to look for the daemon: the socket's path (empty: nowhere), and what of DOCKER_HOST was not followed.

    The order is: ``given``, DOCKER_HOST when it names a Unix socket, the
    usual places, the user's own rootless daemon.
    """
    if given:
        return given.removeprefix("unix://"), ""
    host = environment.get("DOCKER_HOST", "")
    if host.startswith("unix://"):
        return host.removeprefix("unix://"), ""
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    own = (f"{runtime}/{DOCKER.rootless_socket}",) if runtime else ()
    return next((path for path in (*USUAL_SOCKETS, *own) if socket_exists(path)), ""), storable(host)
