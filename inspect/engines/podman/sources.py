"""The two ways to ask Podman: its API on a Unix socket, and its command.  Only questions are asked.

Both fill in the same
:class:`~dnet_tui.inspect.engines.api_reading.Received` step by step, so that
what was had before the time ran out can be used.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from typing import Any, NamedTuple

from dnet_tui.inspect.engines.api_reading import EngineRefusedError, Received
from dnet_tui.inspect.engines.api_source import ApiSource, Targets, ids
from dnet_tui.inspect.engines.podman.stores import Store
from dnet_tui.inspect.kernel.run_program import program_environment
from dnet_tui.inspect.model.engine_kinds.podman import PODMAN
from dnet_tui.inspect.text.encoding import storable
from dnet_tui.inspect.text.json_access import fields, items, string

_TARGETS = Targets(
    version="",
    info="/info",
    networks="/networks/json",
    containers="/containers/json?all=true",
    container="/containers/{}/json",
    bases=("/v4.0.0/libpod", "/v3.0.0/libpod"),
)
"""Podman 4 and later answer to the first version; Podman 3 to the second."""

_FIRST = (("network", "ls", "--format", "json"), ("info", "--format", "json"), ("ps", "--all", "--format", "json"))
"""The first questions to the command."""

_GRACE = 0.2
"""Seconds that a command which was killed gets to end."""

_AT_ONCE = 200
"""How many containers one ``podman inspect`` is asked of."""

_REMOTE = ("CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINER_SSHKEY")
"""Variables that would have the command ask another machine's Podman."""


def service_source(path: str) -> ApiSource:
    """Podman's API service at a socket."""
    return ApiSource(path, f"{PODMAN.title} at {path}", _TARGETS)


class CommandSource:
    """The ``podman`` command, called with the global options of one store."""

    def __init__(self, program: str, store: Store) -> None:
        self.socket = ""
        self.label = PODMAN.command
        self._command = (program, *store.options)

    def ask(self, received: Received, deadline: float) -> None:
        """Ask for the engine, the networks and the containers side by side, then for the containers' details."""
        running = [self._start(*words) for words in _FIRST]
        try:
            received.networks, received.info, received.listed = (
                _json(_outcome(process, deadline)) for process in running
            )
        finally:
            for process in running:
                _end(process)
        containers = list(ids(received.listed))
        for start in range(0, len(containers), _AT_ONCE):
            self._inspect(received, containers[start : start + _AT_ONCE], deadline)

    def _inspect(self, received: Received, containers: list[str], deadline: float) -> None:
        """Ask for details.  Podman tells of the others when one is gone, and ends with an error."""
        process = self._start("inspect", "--type", "container", *containers)
        try:
            ended = _outcome(process, deadline)
        finally:
            _end(process)
        for item in items(json.loads(ended.out) if ended.out.strip() else None):
            received.details[string(fields(item).get("Id"))] = item
        for container in containers:
            if container in received.details:
                continue
            if "no such" in ended.said:
                received.gone[container] = None
            else:
                received.failed[container] = ended.said or f"podman inspect ended with status {ended.status}"

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        environment = program_environment({key: value for key, value in os.environ.items() if key not in _REMOTE})
        return subprocess.Popen(
            [*self._command, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )


class _Ended(NamedTuple):
    """How a command ended: its status, what it printed, what it said about errors (one line)."""

    status: int
    out: bytes
    said: str


def _outcome(process: subprocess.Popen[bytes], deadline: float) -> _Ended:
    """Wait for a command.

    Raises:
        TimeoutError: the time is up.
    """
    try:
        out, err = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    said = " ".join(storable(err.decode("utf-8", "backslashreplace")).split())
    return _Ended(process.returncode, out, said)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command that still runs, with what it started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # it may hang in the kernel: then it is left to end alone
            process.wait(_GRACE)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _json(ended: _Ended) -> Any:
    """The JSON that a command printed; nothing at all is an empty list.

    Raises:
        EngineRefusedError: the command failed.
        ValueError: it isn't JSON.
    """
    if ended.status != 0:
        raise EngineRefusedError(ended.said or f"podman ended with status {ended.status}")
    return json.loads(ended.out) if ended.out.strip() else []
