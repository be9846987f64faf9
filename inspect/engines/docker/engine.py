"""Docker, as an engine that can be asked: its API at once, its daemon's settings once the processes are known."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dnet_tui.inspect.engines.api_reading import Reading
from dnet_tui.inspect.engines.docker.daemon import DaemonSettings, read_settings, with_settings
from dnet_tui.inspect.engines.docker.read_api import find_socket, read_docker
from dnet_tui.inspect.engines.engine_data import EngineReading
from dnet_tui.inspect.engines.protocol import EventSocket, QuerySettings
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
from dnet_tui.inspect.model.engine_kinds.traits import EngineTraits


class DockerQuery:
    """See :class:`~dnet_tui.inspect.engines.protocol.EngineQuery`."""

    def __init__(self, settings: QuerySettings) -> None:
        self._settings = settings
        self._reading: Reading | None = None
        self._gaps: tuple[Gap, ...] = ()
        self._daemon = DaemonSettings()

    def begin(self) -> None:
        """Ask the API, where there is a socket."""
        given = self._settings.sockets.get(DOCKER.kind, "")
        socket, ignored = find_socket(given, self._settings.environment)
        if socket:
            self._reading = read_docker(socket, self._settings.timeout).start()
        elif ignored:
            reason = f"DOCKER_HOST names an engine that isn't on this host: {ignored}"
            hint = "run dnet-tui on the engine's own host, or unset DOCKER_HOST"
            self._gaps = (Gap(section="engine", scope=DOCKER.kind, reason=reason, hint=hint),)

    def look(self, processes: tuple[ProcessSeen, ...], host: int) -> None:
        """Read the settings of the daemon in the host's namespace."""
        self._daemon = read_settings(process for process in processes if process.inode == host)

    def finish(self) -> tuple[EngineReading, ...]:
        """What the API told, with the daemon's settings."""
        if self._reading is None:
            return (EngineReading(gaps=self._gaps),) if self._gaps else ()
        data = self._reading.finish()
        engines = tuple(
            with_settings(engine, self._daemon) if engine.name == DOCKER.kind and not engine.rootless else engine
            for engine in data.engines
        )
        return (msgspec.structs.replace(data, engines=engines),)


class DockerEngine:
    """See :class:`~dnet_tui.inspect.engines.protocol.EngineReader`."""

    @property
    def traits(self) -> EngineTraits:
        """Docker's."""
        return DOCKER

    def query(self, settings: QuerySettings) -> DockerQuery:
        """A query, which hasn't begun."""
        return DockerQuery(settings)

    def event_sockets(self, environment: Mapping[str, str]) -> tuple[EventSocket, ...]:
        """The daemon's socket."""
        path, _ = find_socket("", environment)
        return (EventSocket(path),) if path else ()
