"""Reads what the Docker daemon and Podman's service logged, for the start-up failures in it.  Changes nothing.

Where to look is asked of the daemon itself: the file that its standard error
goes to, or the journal, for the entries of its own PID.  Where no daemon
runs, what its unit said as it ended (or the files that init scripts use)
tells why.  Each reading has bounds: lines, bytes, seconds, and one day.

Sources: systemd's journalctl(1), proc(5) (/proc/PID/fd); docker's contrib/init
for the files.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from dnet_tui.inspect.engines.engine_data import Answer
from dnet_tui.inspect.engines.parse_log import parse_journal, parse_lines
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.kernel.run_program import ROOT_HINT, find_program, run_program
from dnet_tui.inspect.model import Engine, LogLine
from dnet_tui.inspect.model.gaps import Gap

DOCKER_UNIT, PODMAN_UNIT = "docker.service", "podman.service"

_FILES = ("/var/log/docker.log", "/var/log/upstart/docker.log")
"""Where init scripts without a journal have the daemon log to (OpenRC, sysvinit, upstart)."""

_DOCKER_DATA = "/var/lib/docker"
_LINES = "3000"
_MOST = 4 << 20
_TAIL = 1 << 20
_SECONDS = 2.0
_GOOD_FOR = 30.0
"""Seconds for which a later picture takes over what was read."""
_DAY = 86400
_INIT = "systemd"


class EngineLogs(msgspec.Struct, frozen=True, kw_only=True):
    """The failures by unit; None for an engine whose log wasn't found, or could not be read."""

    docker: tuple[LogLine, ...] | None = None
    podman: tuple[LogLine, ...] | None = None
    ended: bool = False
    """Docker's daemon isn't running: its lines are the last words of one that ended."""
    gaps: tuple[Gap, ...] = ()


class KeptLogs(msgspec.Struct, kw_only=True):
    """What was read a moment ago and of which daemons, for pictures that are taken one after the other."""

    daemons: tuple[int, ...] = ()
    logs: EngineLogs | None = None
    until: float = 0.0
    """The monotonic time until which it is good enough."""


class LogReading:
    """A reading under way, in a thread of its own.

    Args:
        processes: those of this host.
        host: the inode of the host's namespace.
        kept: what was read before; filled in for the next time.
    """

    def __init__(self, processes: Iterable[ProcessSeen], host: int, kept: KeptLogs) -> None:
        seen = tuple(process for process in processes if process.inode == host and process.container is None)
        self._daemons = tuple(process.pid for process in seen if process.name == "dockerd")
        self._podman = any(process.name == "podman" for process in seen)
        self._kept = kept
        self._logs: EngineLogs | None = None
        if kept.daemons == self._daemons and time.monotonic() < kept.until:
            self._logs = kept.logs
        self._thread = threading.Thread(target=self._run, name="engine log", daemon=True)

    def start(self) -> LogReading:
        """Begin to read."""
        if self._logs is None:
            self._thread.start()
        return self

    def finish(self) -> EngineLogs:
        """Wait until it is read; the reading has time limits of its own."""
        if self._thread.ident is not None:
            self._thread.join(_SECONDS + 1)
        if self._logs is None:
            return EngineLogs()
        self._kept.daemons, self._kept.logs = self._daemons, self._logs
        self._kept.until = time.monotonic() + _GOOD_FOR
        return self._logs

    def _run(self) -> None:
        self._logs = read_logs(self._daemons, podman=self._podman)


def with_logs(answer: Answer, logs: EngineLogs) -> Answer:
    """The engines with the failures in their logs.

    A Docker that isn't there any more, but whose last words tell of a
    failure, is added as one that doesn't answer.
    """
    told = {"docker": logs.docker, "podman": logs.podman}
    engines = tuple(
        engine if engine.rootless else msgspec.structs.replace(engine, log=told.get(engine.name, engine.log))
        for engine in answer.engines
    )
    gaps = (*answer.gaps, *logs.gaps)
    if logs.ended and logs.docker and all(engine.name != "docker" for engine in engines):
        engines = (Engine(name="docker", reachable=False, log=logs.docker), *engines)
        reason = "the Docker daemon isn't running, and its log tells of a failure"
        gaps = (*gaps, Gap(section="engine", scope="docker", reason=reason, hint="look at: systemctl status docker"))
    return msgspec.structs.replace(answer, engines=engines, gaps=gaps)


def read_logs(daemons: Sequence[int], *, podman: bool) -> EngineLogs:
    """Read the logs.

    Args:
        daemons: the PIDs of the Docker daemons here; of several nothing is told, as it isn't known which one answers.
        podman: whether Podman is at work.
    """
    if len(daemons) > 1:
        return EngineLogs()
    own = _own_file(daemons[0]) if daemons else None
    if isinstance(own, bytes):
        return EngineLogs(docker=parse_lines(own, _yesterday()))
    if not daemons and not podman and not os.path.isdir(_DOCKER_DATA):  # noqa: PTH112 - a question, no path to work with
        return EngineLogs()
    if _init() == _INIT:  # who may not look at the daemon's descriptors may be allowed to read the journal
        return _from_journal(daemons, podman=podman)
    if own is not None:
        return EngineLogs(gaps=(_gap("docker", own, ROOT_HINT),))
    return EngineLogs(docker=_from_files(), ended=not daemons)


def _own_file(pid: int) -> bytes | str | None:
    """The end of the file a daemon logs to; why it can't be read; None when it doesn't log to a file."""
    path = f"/proc/{pid}/fd/2"
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a link of /proc, not a path to resolve
            return None
        return _tail(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"its log can't be read: {error.strerror}"


def _tail(path: str) -> bytes:
    """The end of an ordinary file, from the beginning of a line.

    Raises:
        OSError: it isn't one, or may not be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "it is not an ordinary file")
        if found.st_size > _TAIL:
            file.seek(found.st_size - _TAIL)
            file.readline()
        return file.read(_TAIL)


def _yesterday() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=_DAY)


def _init() -> str:
    """The name of process 1, which tells whether there is a journal of this host's own; empty when not told."""
    try:
        with open("/proc/1/comm", "rb") as file:  # noqa: PTH123 - one read of /proc
            return file.read(64).decode("ascii", "replace").strip()
    except OSError:
        return ""


def _from_files() -> tuple[LogLine, ...] | None:
    """What the last of the usual files tells, if it was written within a day."""
    for path in _FILES:
        try:
            if time.time() - os.stat(path).st_mtime < _DAY:  # noqa: PTH116 - beside _tail, which opens it
                return parse_lines(_tail(path), _yesterday())
        except OSError:
            continue
    return None


def _from_journal(daemons: Sequence[int], *, podman: bool) -> EngineLogs:
    program = find_program("journalctl")
    if program is None:
        return EngineLogs()
    ended = not daemons
    matches = [f"_PID={pid}" for pid in daemons] or [f"_SYSTEMD_UNIT={DOCKER_UNIT}"]
    if podman:
        matches += ["+", f"_SYSTEMD_UNIT={PODMAN_UNIT}"]
    argv = (program, "--quiet", "--no-pager", "--boot", "--since=-1d", f"--lines={_LINES}")
    fields = "--output-fields=MESSAGE,_SYSTEMD_UNIT"
    ran = run_program((*argv, "--output=json", fields, *matches), seconds=_SECONDS, most=_MOST)
    if ran.error:
        return EngineLogs(ended=ended, gaps=(_gap("", ran.error, ran.hint),))
    if not ran.output:
        if os.geteuid() != 0:
            reason = "the journal shows nothing of it, which other users than root may not be allowed to read"
            return EngineLogs(ended=ended, gaps=(_gap("docker" if daemons else "", reason, ROOT_HINT),))
        return EngineLogs(ended=ended)
    found = parse_journal(ran.output)
    podmans = tuple(line for line in found if line.unit == PODMAN_UNIT)
    return EngineLogs(
        docker=tuple(line for line in found if line.unit != PODMAN_UNIT),
        podman=podmans if podman else None,
        ended=ended,
    )


def _gap(scope: str, reason: str, hint: str) -> Gap:
    return Gap(section="log", scope=scope, reason=f"the engine's log: {reason}", hint=hint)
