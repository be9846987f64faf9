"""Reads Podman, within a time limit: by its API service where one listens, else by its command.

The reading runs in a thread of its own: a Podman that waits for a lock must
not hold up the rest.  Nothing is asked where Podman hasn't been at work; see
:mod:`dnet_tui.inspect.engines.podman.stores`.  What was had when the time is
up is used, and a gap says what is missing.
"""

from __future__ import annotations

import http.client
import os
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from dnet_tui.inspect.engines.docker.parse import items, resolve_joined
from dnet_tui.inspect.engines.engine_data import Answer
from dnet_tui.inspect.engines.podman import parse
from dnet_tui.inspect.engines.podman.sources import CommandSource, PodmanRefusedError, SocketSource, Source, Told
from dnet_tui.inspect.engines.podman.stores import find_stores
from dnet_tui.inspect.engines.unix_http import TooLargeError
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.kernel.run_program import find_program
from dnet_tui.inspect.model import Container, Network
from dnet_tui.inspect.model.gaps import Gap
from dnet_tui.inspect.text.encoding import storable

SYSTEM_SOCKET = "/run/podman/podman.sock"

_GRACE = 0.5
"""Seconds that a command which is out of time gets to be ended in."""

_AS_ROOT = "run as root (sudo dnet-tui …)"
_LATE = "names and networks are missing until it answers; look at: podman ps"


class Reading:
    """A reading under way.  :meth:`finish` waits for it no longer than the time limit.

    ``sources`` are tried in turn: the next one when nobody is at the first.
    """

    def __init__(self, sources: tuple[Source, ...], timeout: float) -> None:
        self._sources = sources
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._told = Told()
        self._used = sources[0]
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="podman", daemon=True)

    def start(self) -> Reading:
        """Begin to read."""
        self._thread.start()
        return self

    def finish(self) -> Answer:
        """Wait until all is read or the time is up, and return what was had."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()) + _GRACE)
        late = self._thread.is_alive() or isinstance(self._error, TimeoutError)
        trouble = _trouble(self._told, self._used, self._error, self._timeout, late=late)
        return _answer(self._told, self._used, trouble, late=late)

    def _run(self) -> None:
        for source in self._sources:
            self._used, self._error = source, None
            try:
                source.ask(self._told, self._deadline)
            except (ConnectionRefusedError, FileNotFoundError) as error:
                self._error = error
            except Exception as error:  # noqa: BLE001 - whatever a strange service provokes becomes a gap
                self._error = error
                return
            else:
                return


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
        gaps.append(Gap(section="engine", scope="podman", reason=reason, hint=hint))
    stores = find_stores(seen, environment)
    program = find_program("podman") if stores else None
    commands = [CommandSource(program, store) for store in stores] if program else []
    if given.startswith("unix://"):
        return (Reading((SocketSource(given.removeprefix("unix://")),), timeout),), tuple(gaps)
    at_work = bool(stores) or any(process.name == "podman" for process in seen)
    socket = _find_socket(environment) if at_work or os.geteuid() != 0 else ""
    if not socket:
        return tuple(Reading((command,), timeout) for command in commands), tuple(gaps)
    # The service works with one store; which, it doesn't tell in advance.  Others are asked by the command.
    first = Reading((SocketSource(socket), *commands[:1]), timeout)
    return (first, *(Reading((command,), timeout) for command in commands[1:])), tuple(gaps)


def _find_socket(environment: Mapping[str, str]) -> str:
    """The service's socket: the user's own, or root's; empty when there is none."""
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    own = [f"{runtime}/podman/podman.sock"] if runtime and os.geteuid() != 0 else []
    return next((path for path in (*own, SYSTEM_SOCKET) if _exists(path)), "")


def _exists(path: str) -> bool:
    """Whether something is at ``path``; a place that may not be looked into counts, so that it gets its gap."""
    try:
        return Path(path).exists()
    except OSError:
        return True


def _answer(told: Told, source: Source, trouble: Gap | None, *, late: bool) -> Answer:
    """Turn what was had into the model.  ``late``: the time was up before all was read."""
    listed = items(told.listed)
    had_list = isinstance(told.listed, list)
    engine = parse.parse_engine(told.info, source.socket)
    networks = parse.parse_networks(told.networks)
    containers, gaps = _containers(told, listed, networks)
    if trouble is not None:
        gaps.append(trouble)
        if not isinstance(told.networks, list):
            gaps.append(msgspec.structs.replace(trouble, section="networks"))
        if not had_list or late:
            gaps.append(msgspec.structs.replace(trouble, section="containers"))
    return Answer(
        engines=(msgspec.structs.replace(engine, reachable=had_list),),
        networks=networks,
        containers=containers,
        gaps=tuple(gaps),
        complete=had_list,
    )


def _containers(
    told: Told, listed: list[object], networks: tuple[Network, ...]
) -> tuple[tuple[Container, ...], list[Gap]]:
    details, gone, failed = dict(told.details), dict(told.gone), dict(told.failed)
    found: list[Container] = []
    gaps: list[Gap] = []
    for summary in listed:
        basic = parse.parse_listed(summary, networks)
        if basic is None:
            continue
        if basic.id in gone:
            gaps.append(Gap(section="containers", scope=basic.name, reason="it went away while it was being read"))
            continue
        if basic.id in failed:
            gaps.append(Gap(section="containers", scope=basic.name, reason=f"no details of it: {failed[basic.id]}"))
        found.append(parse.parse_container(details.get(basic.id), networks) or basic)
    joined = resolve_joined(tuple(found))
    resolved = [msgspec.structs.replace(item, joined=joined.get(item.joined or "")) for item in found]
    return tuple(sorted(resolved, key=lambda item: (item.name, item.id))), gaps


def _trouble(told: Told, source: Source, error: BaseException | None, timeout: float, *, late: bool) -> Gap | None:
    """Why Podman could not be read, each kind in its own words; None when it could."""
    where, hint = source.label, _LATE
    if late:
        reason = f"{where} did not answer within {timeout:g} s"
        if isinstance(told.listed, list):
            reason += f"; details of {len(told.details)} of {len(told.listed)} containers were read"
    elif error is None:
        if isinstance(told.listed, list) and isinstance(told.networks, list):
            return None
        reason = f"{where} did not answer as Podman does"
    elif isinstance(error, PermissionError):
        reason, hint = f"no permission to use {where}", _AS_ROOT
    elif isinstance(error, ConnectionRefusedError):
        reason, hint = f"{where}: the socket is there but nothing listens", "start it: systemctl start podman.socket"
    elif isinstance(error, FileNotFoundError):
        reason, hint = f"{where}: there is nothing of that name", "check CONTAINER_HOST, or install podman"
    elif isinstance(error, ValueError | RecursionError | http.client.HTTPException | TooLargeError):
        reason = f"{where} did not answer as Podman does"
    elif isinstance(error, PodmanRefusedError):
        reason = f"{where} could not be read: {storable(str(error))}"
    else:
        reason = f"{where} could not be read: {storable(str(error)) or type(error).__name__}"
    return Gap(section="engine", scope="podman", reason=reason, hint=hint)
