"""The two ways to ask Podman: its API on a Unix socket, and its command.  Only questions are asked.

Both fill in the same :class:`Told` step by step, so that what was had before
the time ran out can be used.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from dnet_tui.inspect.engines.docker.parse import items, mapping, string
from dnet_tui.inspect.engines.podman.stores import Store
from dnet_tui.inspect.engines.unix_http import UnixHttp
from dnet_tui.inspect.kernel.run_program import program_environment
from dnet_tui.inspect.text.encoding import storable

API = "/v4.0.0/libpod"
"""Podman 4 and later answer to this version; Podman 3 to the next."""

OLD_API = "/v3.0.0/libpod"

_FIRST = (("network", "ls", "--format", "json"), ("info", "--format", "json"), ("ps", "--all", "--format", "json"))
"""The first questions to the command."""

_GRACE = 0.2
"""Seconds that a command which was killed gets to end."""

_AT_ONCE = 200
"""How many containers one ``podman inspect`` is asked of."""

_REMOTE = ("CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINER_SSHKEY")
"""Variables that would have the command ask another machine's Podman."""


class PodmanRefusedError(Exception):
    """Podman answered, but with an error; the message is its own words."""


class Told:
    """What Podman has told so far, as JSON values.  Each attribute is replaced whole; one thread writes."""

    def __init__(self) -> None:
        self.info: Any = None
        self.networks: Any = None
        self.listed: Any = None
        self.details: dict[str, Any] = {}
        self.gone: dict[str, None] = {}
        self.failed: dict[str, str] = {}


class Source(Protocol):
    """A way to ask.  ``socket`` is its path, empty for the command; ``label`` is what messages call it."""

    socket: str
    label: str

    def ask(self, told: Told, deadline: float) -> None:
        """Ask all there is to ask; raises OSError, ValueError and others when that fails."""


class SocketSource:
    """Podman's API service."""

    def __init__(self, path: str) -> None:
        self.socket = path
        self.label = f"Podman at {path}"

    def ask(self, told: Told, deadline: float) -> None:
        """Ask for the engine, the networks, the containers and each one's details, in this order."""
        with UnixHttp(self.socket, deadline) as http:
            status, body = http.get(f"{API}/info")
            base = OLD_API if status == 400 else API
            told.info = _document(*((status, body) if base == API else http.get(f"{base}/info")))
            told.networks = _document(*http.get(f"{base}/networks/json"))
            told.listed = _document(*http.get(f"{base}/containers/json?all=true"))
            for container in _ids(told.listed):
                status, body = http.get(f"{base}/containers/{quote(container, safe='')}/json")
                if status == 404:
                    told.gone[container] = None
                    continue
                try:
                    told.details[container] = _document(status, body)
                except (PodmanRefusedError, ValueError) as error:  # one that can't be told of: the others go on
                    told.failed[container] = storable(str(error))


def _document(status: int, body: bytes) -> Any:
    """The JSON document of an answer.

    Raises:
        PodmanRefusedError: the answer is an error.
        ValueError: it isn't JSON.
    """
    if status != 200:
        try:
            said = string(mapping(json.loads(body)).get("message"))
        except (ValueError, RecursionError):
            said = ""
        raise PodmanRefusedError(f"HTTP {status}" + (f": {said}" if said else ""))
    return json.loads(body)


def _ids(listed: Any) -> Iterator[str]:
    return (name for item in items(listed) if (name := string(mapping(item).get("Id"))))


class CommandSource:
    """The ``podman`` command, called with the global options of one store."""

    def __init__(self, program: str, store: Store) -> None:
        self.socket = ""
        self.label = "podman"
        self._command = (program, *store.options)

    def ask(self, told: Told, deadline: float) -> None:
        """Ask for the engine, the networks and the containers side by side, then for the containers' details."""
        running = [self._start(*words) for words in _FIRST]
        try:
            told.networks, told.info, told.listed = (_json(_outcome(process, deadline)) for process in running)
        finally:
            for process in running:
                _end(process)
        containers = list(_ids(told.listed))
        for start in range(0, len(containers), _AT_ONCE):
            self._inspect(told, containers[start : start + _AT_ONCE], deadline)

    def _inspect(self, told: Told, containers: list[str], deadline: float) -> None:
        """Ask for details.  Podman tells of the others when one is gone, and ends with an error."""
        process = self._start("inspect", "--type", "container", *containers)
        try:
            ended = _outcome(process, deadline)
        finally:
            _end(process)
        for item in items(json.loads(ended.out) if ended.out.strip() else None):
            told.details[string(mapping(item).get("Id"))] = item
        for container in containers:
            if container in told.details:
                continue
            if "no such" in ended.said:
                told.gone[container] = None
            else:
                told.failed[container] = ended.said or f"podman inspect ended with status {ended.status}"

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
        PodmanRefusedError: the command failed.
        ValueError: it isn't JSON.
    """
    if ended.status != 0:
        raise PodmanRefusedError(ended.said or f"podman ended with status {ended.status}")
    return json.loads(ended.out) if ended.out.strip() else []
