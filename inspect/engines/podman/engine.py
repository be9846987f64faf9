"""Podman, as an engine that can be asked: once the processes show that it has been at work, and how."""

from __future__ import annotations

from collections.abc import Mapping

from dnet_tui.inspect.engines.api_reading import Reading
from dnet_tui.inspect.engines.engine_data import EngineReading
from dnet_tui.inspect.engines.podman import read_podman
from dnet_tui.inspect.engines.protocol import EventSocket, QuerySettings
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.engine_kinds.podman import PODMAN
from dnet_tui.inspect.model.engine_kinds.traits import EngineTraits


class PodmanQuery:
    """See :class:`~dnet_tui.inspect.engines.protocol.EngineQuery`."""

    def __init__(self, settings: QuerySettings) -> None:
        self._settings = settings
        self._readings: tuple[Reading, ...] = ()
        self._gaps: tuple[Gap, ...] = ()

    def begin(self) -> None:
        """Nothing: merely asking a Podman that never ran makes its folders, locks and database."""

    def look(self, processes: tuple[ProcessSeen, ...], host: int) -> None:  # noqa: ARG002 - a conmon may be anywhere
        """Ask each Podman that is at work."""
        readings, self._gaps = read_podman.find_readings(processes, self._settings.environment, self._settings.timeout)
        self._readings = tuple(reading.start() for reading in readings)

    def finish(self) -> tuple[EngineReading, ...]:
        """What each of them told."""
        told = tuple(reading.finish() for reading in self._readings)
        return (EngineReading(gaps=self._gaps), *told) if self._gaps else told


class PodmanEngine:
    """See :class:`~dnet_tui.inspect.engines.protocol.EngineReader`."""

    @property
    def traits(self) -> EngineTraits:
        """Podman's."""
        return PODMAN

    def query(self, settings: QuerySettings) -> PodmanQuery:
        """A query, which hasn't begun."""
        return PodmanQuery(settings)

    def event_sockets(self, environment: Mapping[str, str]) -> tuple[EventSocket, ...]:  # noqa: ARG002 - root's only
        """Its service's socket, which systemd starts it by."""
        return (EventSocket(read_podman.SYSTEM_SOCKET, lasting=False),) if read_podman.has_service() else ()
