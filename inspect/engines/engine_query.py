"""Asks every engine of the host at the same time, each within its own time limit.

In two steps, so that what needs no knowledge of the processes is under way
while these are listed: :meth:`Asking.begin`, then :meth:`Asking.look`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from dnet_tui.inspect.engines.engine_data import EngineReading, merge
from dnet_tui.inspect.engines.protocol import QuerySettings
from dnet_tui.inspect.engines.registry import ENGINES
from dnet_tui.inspect.engines.rootless import ArgvCache, Rootless, find_rootless, place
from dnet_tui.inspect.kernel.procfs import ProcessSeen, read_argv
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
from dnet_tui.inspect.ruleset.firewalld import FirewalldProcess, read_firewalld

if TYPE_CHECKING:
    from dnet_tui.inspect.engines.read_log import KeptLogs, LogReading


class Asking:
    """The questions to all engines of one host.

    ``logs`` is what was read of their logs before; None when they aren't wanted.
    """

    def __init__(
        self, docker_socket: str, timeout: float, environment: Mapping[str, str], logs: KeptLogs | None = None
    ) -> None:
        settings = QuerySettings(timeout, environment, {DOCKER.kind: docker_socket})
        self._queries = tuple(engine.query(settings) for engine in ENGINES)
        self._rootless: tuple[Rootless, ...] = ()
        self._firewalld = FirewalldProcess()
        self._logs = logs
        self._log: LogReading | None = None
        self._host = 0

    def begin(self) -> Asking:
        """Start to ask what needs no knowledge of the processes."""
        for query in self._queries:
            query.begin()
        return self

    def look(self, processes: tuple[ProcessSeen, ...], host: int) -> None:
        """Start to ask the engines whose work shows in the processes; ``host`` is the inode of our namespace."""
        for query in self._queries:
            query.look(processes, host)
        self._host = host
        self._rootless = find_rootless(processes, ArgvCache(read_argv))
        self._firewalld = read_firewalld(processes, host)
        if self._logs is not None:
            from dnet_tui.inspect.engines.read_log import LogReading  # noqa: PLC0415 - only where logs are wanted

            self._log = LogReading(processes, host, self._logs).start()

    def finish(self) -> EngineReading:
        """Wait until all have answered or their time is up."""
        told = merge(answer for query in self._queries for answer in query.finish())
        if self._log is not None:
            from dnet_tui.inspect.engines.read_log import with_logs  # noqa: PLC0415 - as above

            told = with_logs(told, self._log.finish())
        whole = place(told, self._rootless, self._host)
        return msgspec.structs.replace(
            whole, gaps=(*whole.gaps, *self._firewalld.gaps), firewalld=self._firewalld.firewalld
        )
