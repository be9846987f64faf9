"""Which Podman there is to ask, by its API service where one listens, else by its command.

Nothing is asked where Podman hasn't been at work; see
:mod:`dnet_tui.inspect.engines.podman.stores`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dnet_tui.inspect.engines.api_reading import Complaints, Manner, Reading, Received, Source
from dnet_tui.inspect.engines.engine_data import EngineReading
from dnet_tui.inspect.engines.podman import parse
from dnet_tui.inspect.engines.podman.sources import CommandSource, service_source
from dnet_tui.inspect.engines.podman.stores import find_stores
from dnet_tui.inspect.engines.unix_http import socket_exists
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.kernel.run_program import find_program
from dnet_tui.inspect.model import Container, Engine, Network
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.engine_kinds.podman import PODMAN
from dnet_tui.inspect.text.encoding import storable

SYSTEM_SOCKET = "/run/podman/podman.sock"

_COMPLAINTS = Complaints(
    late="{where} did not answer",
    unlike="{where} did not answer as Podman does",
    unreadable="{where} could not be read",
    wait="names and networks are missing until it answers; look at: podman ps",
    denied=("no permission to use {where}", "run as root (sudo dnet-tui …)"),
    nobody=("{where}: the socket is there but nothing listens", "start it: systemctl start podman.socket"),
    absent=("{where}: there is nothing of that name", "check CONTAINER_HOST, or install podman"),
)


class PodmanDialect:
    """How the answers of libpod's API and of the command are understood: they are the same documents."""

    def engine(self, received: Received, socket: str) -> Engine:
        """See :class:`~dnet_tui.inspect.engines.api_reading.Dialect`."""
        return parse.parse_engine(received.info, socket)

    def networks(self, received: Received, engine: Engine) -> tuple[Network, ...]:  # noqa: ARG002 - always Podman
        """As above."""
        return parse.parse_networks(received.networks)

    def container(self, detail: Any, engine: Engine, networks: tuple[Network, ...]) -> Container | None:  # noqa: ARG002 - as above
        """As above."""
        return parse.parse_container(detail, networks)

    def listed(self, summary: Any, engine: Engine, networks: tuple[Network, ...]) -> Container | None:  # noqa: ARG002 - as above
        """As above."""
        return parse.parse_listed(summary, networks)

    def completed(self, received: Received, data: EngineReading) -> EngineReading:  # noqa: ARG002 - nothing is left to add
        """As above."""
        return data


MANNER = Manner(PODMAN.kind, PodmanDialect(), _COMPLAINTS)


def find_readings(
    processes: Iterable[ProcessSeen], environment: Mapping[str, str], timeout: float
) -> tuple[tuple[Reading, ...], tuple[Gap, ...]]:
    """The readings to make, not yet started: one for each Podman at work; and what could not be asked."""
    seen = tuple(processes)
    given = environment.get("CONTAINER_HOST", "")
    gaps: list[Gap] = []
    if given and not given.startswith("unix://"):
        reason = f"CONTAINER_HOST names a Podman that isn't on this host: {storable(given)}"
        hint = "run dnet-tui on the engine's own host, or unset CONTAINER_HOST"
        gaps.append(Gap(section="engine", scope=PODMAN.kind, reason=reason, hint=hint))
    if given.startswith("unix://"):
        return (_reading(timeout, service_source(given.removeprefix("unix://"))),), tuple(gaps)
    stores = find_stores(seen, environment)
    program = find_program(PODMAN.command) if stores else None
    commands = [CommandSource(program, store) for store in stores] if program else []
    at_work = bool(stores) or any(process.name == PODMAN.command for process in seen)
    socket = _find_socket(environment) if at_work or os.geteuid() != 0 else ""
    if not socket:
        return tuple(_reading(timeout, command) for command in commands), tuple(gaps)
    # The service works with one store; which, it doesn't tell in advance.  Others are asked by the command.
    first = _reading(timeout, service_source(socket), *commands[:1])
    return (first, *(_reading(timeout, command) for command in commands[1:])), tuple(gaps)


def _reading(timeout: float, *sources: Source) -> Reading:
    return Reading(MANNER, sources, timeout)


def has_service() -> bool:
    """Whether root's service has a socket."""
    return Path(SYSTEM_SOCKET).exists()


def _find_socket(environment: Mapping[str, str]) -> str:
    """The service's socket: the user's own, or root's; empty when there is none."""
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    own = [f"{runtime}/{PODMAN.rootless_socket}"] if runtime and os.geteuid() != 0 else []
    return next((path for path in (*own, SYSTEM_SOCKET) if socket_exists(path)), "")
