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
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from dnet_tui.inspect.engines.engine_data import EngineReading
from dnet_tui.inspect.engines.parse_log import parse_journal, parse_lines
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.kernel.read_file import NotAnOrdinaryFileError, read_end
from dnet_tui.inspect.kernel.run_program import ROOT_HINT, find_program, run_program
from dnet_tui.inspect.model import Engine, LogLine
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS, traits_of
from dnet_tui.inspect.model.engine_kinds.traits import EngineLog

_LINES = "3000"
_MOST = 4 << 20
_TAIL = 1 << 20
_SECONDS = 2.0
_GOOD_FOR = 30.0
"""Seconds for which a later picture takes over what was read."""
_DAY = 86400
_INIT = "systemd"


class LogSource(NamedTuple):
    """An engine with a log, and the PIDs of the processes that do its work here."""

    kind: str
    log: EngineLog
    pids: tuple[int, ...] = ()


class EngineLogs(msgspec.Struct, frozen=True, kw_only=True):
    """The failures by kind of engine; None, or none at all, for one whose log wasn't found or could not be read."""

    lines: dict[str, tuple[LogLine, ...] | None] = {}
    ended: str = ""
    """The kind of engine whose daemon isn't running: its lines are the last words of one that ended."""
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
        self._sources = find_sources(seen)
        self._daemons = tuple(pid for source in self._sources if source.log.daemon for pid in source.pids)
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
        self._logs = read_logs(self._sources)


def find_sources(processes: Sequence[ProcessSeen]) -> tuple[LogSource, ...]:
    """Every engine that logs, with its processes among those of the host."""
    return tuple(
        LogSource(kind.kind, kind.log, tuple(item.pid for item in processes if item.name == kind.log.process))
        for kind in ENGINE_KINDS
        if kind.log is not None
    )


def with_logs(answer: EngineReading, logs: EngineLogs) -> EngineReading:
    """The engines with the failures in their logs.

    One that isn't there any more, but whose last words tell of a failure, is
    added as one that doesn't answer.
    """
    engines = tuple(
        engine if engine.rootless else msgspec.structs.replace(engine, log=logs.lines.get(engine.name, engine.log))
        for engine in answer.engines
    )
    gaps = (*answer.gaps, *logs.gaps)
    kind = traits_of(logs.ended)
    words = logs.lines.get(logs.ended)
    if words and kind.log is not None and all(engine.name != logs.ended for engine in engines):
        engines = (Engine(name=logs.ended, reachable=False, log=words), *engines)
        reason = f"the {kind.title} daemon isn't running, and its log reports a failure"
        hint = f"look at: systemctl status {kind.log.unit.removesuffix('.service')}"
        gaps = (*gaps, Gap(section="engine", scope=logs.ended, reason=reason, hint=hint))
    return msgspec.structs.replace(answer, engines=engines, gaps=gaps)


def read_logs(sources: Sequence[LogSource]) -> EngineLogs:
    """Read the logs of these engines; of several daemons of one nothing is told: it isn't known which one answers."""
    if any(source.log.daemon and len(source.pids) > 1 for source in sources):
        return EngineLogs()
    asked = tuple(source for source in sources if source.pids or _is_installed(source))
    for source in asked:
        own = _own_file(source.pids[0]) if source.log.daemon and source.pids else None
        if isinstance(own, bytes):
            return EngineLogs(lines={source.kind: parse_lines(own, _yesterday())})
        if own is not None and _init() != _INIT:  # who may not look at descriptors may be allowed to read the journal
            return EngineLogs(gaps=(_gap(source.kind, own, ROOT_HINT),))
    if not asked:
        return EngineLogs()
    return _from_journal(asked) if _init() == _INIT else _from_files(asked)


def _is_installed(source: LogSource) -> bool:
    return bool(source.log.data) and os.path.isdir(source.log.data)  # noqa: PTH112 - a question, no path to work with


def _own_file(pid: int) -> bytes | str | None:
    """The end of the file a daemon logs to; why it can't be read; None when it doesn't log to a file."""
    try:
        return read_end(f"/proc/{pid}/fd/2", _TAIL)
    except (FileNotFoundError, NotAnOrdinaryFileError):
        return None
    except OSError as error:
        return f"its log can't be read: {error.strerror}"


def _yesterday() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=_DAY)


def _init() -> str:
    """The name of process 1, which tells whether there is a journal of this host's own; empty when not told."""
    try:
        with open("/proc/1/comm", "rb") as file:  # noqa: PTH123 - one read of /proc
            return file.read(64).decode("ascii", "replace").strip()
    except OSError:
        return ""


def _from_files(sources: Sequence[LogSource]) -> EngineLogs:
    """What the last of the usual files tells, if it was written within a day; of daemons only."""
    for source in sources:
        if source.log.daemon:
            return EngineLogs(
                lines={source.kind: _usual_file(source.log.files)}, ended="" if source.pids else source.kind
            )
    return EngineLogs()


def _usual_file(paths: Sequence[str]) -> tuple[LogLine, ...] | None:
    for path in paths:
        try:
            if time.time() - os.stat(path).st_mtime < _DAY:  # noqa: PTH116 - beside what opens it
                return parse_lines(read_end(path, _TAIL), _yesterday())
        except OSError:
            continue
    return None


def _from_journal(sources: Sequence[LogSource]) -> EngineLogs:
    program = find_program("journalctl")
    if program is None:
        return EngineLogs()
    ended = next((source.kind for source in sources if source.log.daemon and not source.pids), "")
    own = next((source.kind for source in sources if source.log.daemon and source.pids), "")
    argv = (program, "--quiet", "--no-pager", "--boot", "--since=-1d", f"--lines={_LINES}")
    fields = "--output-fields=MESSAGE,_SYSTEMD_UNIT"
    ran = run_program((*argv, "--output=json", fields, *_matches(sources)), seconds=_SECONDS, most=_MOST)
    if ran.error:
        return EngineLogs(ended=ended, gaps=(_gap("", ran.error, ran.hint),))
    if not ran.output:
        if os.geteuid() != 0:
            reason = "the journal shows nothing of it, which other users than root may not be allowed to read"
            return EngineLogs(ended=ended, gaps=(_gap(own, reason, ROOT_HINT),))
        return EngineLogs(ended=ended)
    found = parse_journal(ran.output)
    units = {source.log.unit: source.kind for source in sources if not source.log.daemon}
    lines = {source.kind: tuple(line for line in found if _is_of(line, source, units)) for source in sources}
    return EngineLogs(lines=dict(lines), ended=ended)


def _matches(sources: Sequence[LogSource]) -> Iterator[str]:
    """What the journal is asked for: the entries of a daemon's own PID, or of a unit."""
    for number, source in enumerate(sources):
        if number:
            yield "+"
        if source.log.daemon and source.pids:
            yield from (f"_PID={pid}" for pid in source.pids)
        else:
            yield f"_SYSTEMD_UNIT={source.log.unit}"


def _is_of(line: LogLine, source: LogSource, units: Mapping[str, str]) -> bool:
    """Whether a line is of an engine: a daemon's may be filed under any unit but those of the others."""
    return units.get(line.unit) == source.kind if not source.log.daemon else line.unit not in units


def _gap(scope: str, reason: str, hint: str) -> Gap:
    return Gap(section="log", scope=scope, reason=f"the engine's log: {reason}", hint=hint)
