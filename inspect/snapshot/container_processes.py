"""Which processes stand for containers, also those that started while the host was being read."""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec

from dnet_tui.inspect.kernel.procfs import ProcessSeen, ProcessTable, read_argv, read_process
from dnet_tui.inspect.model import Container
from dnet_tui.inspect.model.engine_kinds.others import LXC, UNKNOWN
from dnet_tui.inspect.snapshot import container_placement


def find_residents(
    table: ProcessTable, told: Iterable[Container], host: int
) -> dict[str, container_placement.Resident]:
    """The containers' processes by the container's id.

    Args:
        table: all processes.
        told: the containers that engines told of.
        host: the inode of the host's network namespace.
    """
    by_pid = {process.pid: process for process in table.processes}
    own = by_pid.get(os.getpid())
    seen = container_placement.residents(table.processes, own.container if own else None, host)
    seen |= container_placement.matched_by_pid(told, by_pid)
    for key, resident in seen.items():
        if resident.container.engine in (UNKNOWN.kind, LXC.kind) or not resident.container.sure:
            engine = container_placement.engine_by_ancestor(resident.process, by_pid, read_argv)
            if engine != "unknown":
                container = msgspec.structs.replace(resident.container, engine=engine)
                seen[key] = msgspec.structs.replace(resident, container=container)
    return seen


def with_latecomers(table: ProcessTable, told: Iterable[Container]) -> tuple[ProcessTable, bool]:
    """The table with the processes of containers that started after it was read; whether there are any."""
    known = {process.pid for process in table.processes}
    late: list[ProcessSeen] = []
    for container in told:
        if container.running and container.pid is not None and container.pid not in known:
            try:
                process = read_process(container.pid)
            except (OSError, ValueError):
                continue  # the container is then reported as one whose process wasn't found
            if process is not None:
                late.append(process)
    if not late:
        return table, False
    processes = tuple(sorted((*table.processes, *late), key=lambda item: (item.start, item.pid)))
    return msgspec.structs.replace(table, processes=processes), True
