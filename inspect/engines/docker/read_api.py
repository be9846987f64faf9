"""Reads the Docker Engine API, within a time limit.

The reading runs in a thread of its own: a daemon whose socket accepts but
never answers must not hold up the rest, which needs no engine.  Only ``GET``
requests are made.  What was had when the time is up is used, and a gap says
what is missing.

``docker`` is imported only once a socket is found, as that import takes a
tenth of a second.
"""

from __future__ import annotations

import math
import socket as sockets
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dnet_tui.inspect.engines.docker import parse
from dnet_tui.inspect.engines.docker.address_pools import parse_pools
from dnet_tui.inspect.engines.engine_data import Answer
from dnet_tui.inspect.model import Container, Network
from dnet_tui.inspect.model.gaps import Gap
from dnet_tui.inspect.text.encoding import storable

USUAL_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")

_AS_ROOT = "run as root (sudo dnet-tui …) or join the group that owns the socket"
_RESTART = "names and networks are missing until it answers; look at: journalctl -u docker"


class _Progress:
    """What the reading thread has had so far.  Each attribute is replaced whole; only the thread writes."""

    def __init__(self) -> None:
        self.version: Any = None
        self.info: Any = None
        self.networks: Any = None
        self.listed: Any = None
        self.details: dict[str, Any] = {}
        self.gone: dict[str, None] = {}
        self.failed: dict[str, str] = {}
        self.error: BaseException | None = None


class Reading:
    """A reading under way.  :meth:`finish` waits for it no longer than the time limit."""

    def __init__(self, socket: str, timeout: float) -> None:
        self._socket = socket
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._progress = _Progress()
        self._thread = threading.Thread(target=self._run, name="docker API", daemon=True)

    def start(self) -> Reading:
        """Begin to read."""
        self._thread.start()
        return self

    def finish(self) -> Answer:
        """Wait until all is read or the time is up, and return what was had."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        late = self._thread.is_alive()
        return _answer(self._progress, self._socket, self._timeout, late=late)

    def _run(self) -> None:
        try:
            _knock(self._socket, self._timeout)
            self._read()
        except Exception as error:  # noqa: BLE001 - whatever a strange daemon provokes becomes a gap
            self._progress.error = error

    def _read(self) -> None:
        from docker.api.client import APIClient  # noqa: PLC0415 - takes a tenth of a second to import

        # The first request, for the API's version, is made by this very call.
        limit = math.ceil(self._remaining())
        client = APIClient(base_url=f"unix://{self._socket}", version="auto", timeout=limit)
        try:
            self._read_all(client)
        finally:
            client.close()

    def _read_all(self, client: Any) -> None:
        progress = self._progress
        progress.version = self._ask(client, "version", api_version=False)
        progress.info = self._ask(client, "info")
        progress.networks = self._ask(client, "networks")
        progress.listed = self._ask(client, "containers", all=True)
        for summary in parse.items(progress.listed):
            container = parse.string(parse.mapping(summary).get("Id"))
            if container:
                self._read_container(client, container)

    def _read_container(self, client: Any, container: str) -> None:
        from docker.errors import APIError, NotFound  # noqa: PLC0415 - already imported by then

        try:
            self._progress.details[container] = self._ask(client, "inspect_container", container)
        except NotFound:
            self._progress.gone[container] = None
        except (APIError, ValueError) as error:  # one that can't be told of: the others go on
            self._progress.failed[container] = storable(str(error))

    def _ask(self, client: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        client.timeout = self._remaining()
        return getattr(client, method)(*args, **kwargs)

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining


def _knock(path: str, timeout: float) -> None:
    """Connect once, so that "no permission" and "nobody there" are told apart before a client wraps them."""
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect(path)


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
    own = (f"{runtime}/docker.sock",) if runtime else ()
    return next((path for path in (*USUAL_SOCKETS, *own) if _exists(path)), ""), storable(host)


def _exists(path: str) -> bool:
    """Whether something is at ``path``; a place that may not be looked into counts, so that it gets its gap."""
    try:
        return Path(path).exists()
    except OSError:
        return True


def _answer(progress: _Progress, socket: str, timeout: float, *, late: bool) -> Answer:
    """Turn what was had into the model.  ``late``: the time was up before all was read."""
    listed = parse.items(progress.listed)
    had_list = isinstance(progress.listed, list)
    engine = parse.parse_engine(progress.version, progress.info, socket)
    pools = parse_pools(progress.info) if engine.name == "docker" else None
    networks = parse.parse_networks(progress.networks, engine.name)
    containers, gaps = _containers(progress, listed, engine.name, networks)
    trouble = _trouble(progress, socket, timeout, late=late)
    if trouble is None and not had_list:
        trouble = Gap(section="engine", scope=engine.name, reason=_NOT_UNDERSTOOD.format(socket=socket), hint=_RESTART)
    if trouble is not None:
        gaps.append(trouble)
        if not isinstance(progress.networks, list):
            gaps.append(Gap(section="networks", scope=engine.name, reason=trouble.reason, hint=trouble.hint))
        if not had_list or late:
            gaps.append(Gap(section="containers", scope=engine.name, reason=trouble.reason, hint=trouble.hint))
    answer = Answer(
        engines=(msgspec.structs.replace(engine, reachable=had_list, address_pools=pools),),
        networks=parse.with_gateways(networks, containers),
        containers=containers,
        gaps=tuple(gaps),
        complete=had_list,
    )
    return _elsewhere(progress, answer)


def _containers(
    progress: _Progress, listed: list[Any], engine: str, networks: tuple[Network, ...]
) -> tuple[tuple[Container, ...], list[Gap]]:
    details, gone, failed = dict(progress.details), dict(progress.gone), dict(progress.failed)
    found: list[Container] = []
    gaps: list[Gap] = []
    for summary in listed:
        basic = parse.parse_listed(summary, engine, networks)
        if basic is None:
            continue
        if basic.id in gone:
            gaps.append(Gap(section="containers", scope=basic.name, reason="it went away while it was being read"))
            continue
        if basic.id in failed:
            gaps.append(Gap(section="containers", scope=basic.name, reason=f"no details of it: {failed[basic.id]}"))
        found.append(parse.parse_container(details.get(basic.id), engine, networks) or basic)
    joined = parse.resolve_joined(tuple(found))
    resolved = [msgspec.structs.replace(item, joined=joined.get(item.joined or "")) for item in found]
    return tuple(sorted(resolved, key=lambda item: (item.name, item.id))), gaps


_NOT_UNDERSTOOD = "what listens at {socket} did not answer as the Docker API does"


def _trouble(progress: _Progress, socket: str, timeout: float, *, late: bool) -> Gap | None:
    """Why the engine could not be read, each kind in its own words; None when it could."""
    error = progress.error
    if late or (error is not None and _is_timeout(error)):
        reason, hint = f"the Docker daemon did not answer within {timeout:g} s", _RESTART
        if isinstance(progress.listed, list):
            reason += f"; details of {len(progress.details)} of {len(progress.listed)} containers were read"
    elif error is None:
        return None
    elif isinstance(error, PermissionError):
        reason, hint = f"no permission to use the Docker socket {socket}", _AS_ROOT
    elif isinstance(error, ConnectionRefusedError):
        reason, hint = f"the socket {socket} is there but no daemon listens", "start it: systemctl start docker"
    elif isinstance(error, FileNotFoundError):
        reason, hint = f"there is no Docker socket at {socket}", "check DOCKER_HOST, or the socket that was given"
    elif any(isinstance(item, ValueError | RecursionError) for item in _chain(error)):
        reason, hint = _NOT_UNDERSTOOD.format(socket=socket), _RESTART
    else:
        reason, hint = f"the Docker daemon at {socket} could not be read: {storable(str(error))}", _RESTART
    return Gap(section="engine", scope="docker", reason=reason, hint=hint)


def _is_timeout(error: BaseException) -> bool:
    """Whether a time limit is behind an error that the client wrapped (several layers, some by name only)."""
    return any(isinstance(item, TimeoutError) or "Timeout" in type(item).__name__ for item in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _elsewhere(progress: _Progress, answer: Answer) -> Answer:
    """Leave out what Docker Desktop tells: its bridges and its PIDs are those of a virtual machine, not of this host.

    A rootless engine is dealt with in :mod:`dnet_tui.inspect.engines.rootless`.
    """
    if not parse.is_docker_desktop(progress.info):
        return answer
    gap = Gap(
        section="engine",
        scope=answer.engines[0].name,
        reason=f"this is Docker Desktop: its {len(answer.networks)} networks and {len(answer.containers)} containers "
        "are inside its own virtual machine",
        hint="run dnet-tui inside that machine",
    )
    return Answer(engines=answer.engines, gaps=(*answer.gaps, gap), complete=answer.complete)
