"""Asks every engine of the host at the same time, each within its own time limit.

In two steps, so that what needs no knowledge of the processes is under way
while these are listed: :meth:`Asking.begin`, then :meth:`Asking.look`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from dnet_tui.inspect.engines.docker import read_api
from dnet_tui.inspect.engines.docker.daemon import DaemonSettings, read_settings, with_settings
from dnet_tui.inspect.engines.engine_data import Answer, merge
from dnet_tui.inspect.engines.podman import read_podman
from dnet_tui.inspect.engines.rootless import Glance, Rootless, find_rootless, place
from dnet_tui.inspect.kernel.procfs import ProcessSeen, read_argv
from dnet_tui.inspect.model.gaps import Gap
from dnet_tui.inspect.ruleset.firewalld import Seen, read_firewalld

if TYPE_CHECKING:
    from dnet_tui.inspect.engines.read_log import KeptLogs, LogReading


class Asking:
    """The questions to all engines of one host.

    ``logs`` is what was read of their logs before; None when they aren't wanted.
    """

    def __init__(
        self, docker_socket: str, timeout: float, environment: Mapping[str, str], logs: KeptLogs | None = None
    ) -> None:
        self._docker_socket = docker_socket
        self._timeout = timeout
        self._environment = environment
        self._gaps: list[Gap] = []
        self._docker: read_api.Reading | None = None
        self._podmans: tuple[read_podman.Reading, ...] = ()
        self._settings = DaemonSettings()
        self._rootless: tuple[Rootless, ...] = ()
        self._firewalld = Seen()
        self._logs = logs
        self._log: LogReading | None = None
        self._host = 0

    def begin(self) -> Asking:
        """Start to ask Docker, where there is a socket."""
        socket, ignored = read_api.find_socket(self._docker_socket, self._environment)
        if socket:
            self._docker = read_api.Reading(socket, self._timeout).start()
        elif ignored:
            reason = f"DOCKER_HOST names an engine that isn't on this host: {ignored}"
            hint = "run dnet-tui on the engine's own host, or unset DOCKER_HOST"
            self._gaps.append(Gap(section="engine", scope="docker", reason=reason, hint=hint))
        return self

    def look(self, processes: tuple[ProcessSeen, ...], host: int) -> None:
        """Start to ask the engines whose work shows in the processes; ``host`` is the inode of our namespace."""
        readings, gaps = read_podman.find_readings(processes, self._environment, self._timeout)
        self._podmans = tuple(reading.start() for reading in readings)
        self._gaps.extend(gaps)
        self._host = host
        self._settings = read_settings(process for process in processes if process.inode == host)
        self._rootless = find_rootless(processes, Glance(read_argv))
        self._firewalld = read_firewalld(processes, host)
        if self._logs is not None:
            from dnet_tui.inspect.engines.read_log import LogReading  # noqa: PLC0415 - only where logs are wanted

            self._log = LogReading(processes, host, self._logs).start()

    def finish(self) -> Answer:
        """Wait until all have answered or their time is up."""
        answers = [self._finish_docker(self._docker)] if self._docker is not None else []
        answers += [reading.finish() for reading in self._podmans]
        told = merge(answers)
        if self._log is not None:
            from dnet_tui.inspect.engines.read_log import with_logs  # noqa: PLC0415 - as above

            told = with_logs(told, self._log.finish())
        whole = place(told, self._rootless, self._host)
        return msgspec.structs.replace(
            whole,
            gaps=(*self._gaps, *whole.gaps, *self._firewalld.gaps),
            firewalld=self._firewalld.firewalld,
        )

    def _finish_docker(self, reading: read_api.Reading) -> Answer:
        answer = reading.finish()
        engines = tuple(
            with_settings(engine, self._settings) if engine.name == "docker" and not engine.rootless else engine
            for engine in answer.engines
        )
        return msgspec.structs.replace(answer, engines=engines)
