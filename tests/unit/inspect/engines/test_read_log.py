"""Where engines' logs are looked for, and what becomes of what is found or can't be read."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from dnet_tui.inspect.engines import read_log
from dnet_tui.inspect.engines.engine_data import EngineReading
from dnet_tui.inspect.engines.read_log import EngineLogs, KeptLogs, LogReading, LogSource, read_logs, with_logs
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.kernel.run_program import ProgramResult
from dnet_tui.inspect.model import Engine, LogLine
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
from dnet_tui.inspect.model.engine_kinds.podman import PODMAN
from dnet_tui.inspect.model.engine_kinds.traits import EngineLog, EngineTraits

PORT = "Bind for 0.0.0.0:80 failed: port is already allocated"
FULL = "all predefined address pools have been fully subnetted"
LINE = LogLine(kind="pool-exhausted", text=FULL)
DAEMON = ProcessSeen(pid=7, parent=1, start=1, name="dockerd", inode=1)


class Host(NamedTuple):
    """A host without systemd, with Docker's data and no log; its paths are below ``folder``."""

    folder: Path
    docker: EngineLog

    def logs(self, *daemons: int, podman: bool = False) -> EngineLogs:
        """What is read of the logs where these daemons run, and perhaps Podman's service."""
        service = LogSource("podman", known_log(PODMAN), (8,) if podman else ())
        return read_logs((LogSource("docker", self.docker, daemons), service))

    def without_docker(self) -> Host:
        """The same without Docker's data."""
        return self._replace(docker=msgspec.structs.replace(self.docker, data=str(self.folder / "nowhere")))


def known_log(kind: EngineTraits) -> EngineLog:
    assert kind.log is not None
    return kind.log


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    files = (str(tmp_path / "absent.log"), str(tmp_path / "docker.log"))
    monkeypatch.setattr(read_log, "_init", lambda: "init")
    return Host(tmp_path, msgspec.structs.replace(known_log(DOCKER), data=str(tmp_path), files=files))


def _with_journal(monkeypatch: pytest.MonkeyPatch, ran: ProgramResult) -> list[tuple[str, ...]]:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(read_log, "_init", lambda: "systemd")
    monkeypatch.setattr(read_log, "find_program", lambda _: "/usr/bin/journalctl")

    def run(argv: tuple[str, ...], **_: object) -> ProgramResult:
        asked.append(tuple(argv))
        return ran

    monkeypatch.setattr(read_log, "run_program", run)
    return asked


def test_the_file_that_a_daemon_logs_to_is_found_by_itself(quiet: Host) -> None:
    path = quiet.folder / "stderr"
    path.write_text(f'level=error msg="{FULL}"\ntime="2020-11-21T03:45:50Z" level=error msg="{FULL.upper()} {PORT}"\n')
    saved = os.dup(2)
    try:
        with path.open("rb") as file:
            os.dup2(file.fileno(), 2)
            logs = quiet.logs(os.getpid())
    finally:
        os.dup2(saved, 2)
        os.close(saved)
    assert [line.text for line in logs.lines["docker"] or ()] == [FULL]


def test_a_daemon_that_may_not_be_looked_into_leaves_a_gap_unless_there_is_a_journal(
    quiet: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    (quiet.folder / "docker.log").write_text(FULL)

    def denied(_: int) -> str:
        return "its log can't be read: Permission denied"

    monkeypatch.setattr(read_log, "_own_file", denied)
    logs = quiet.logs(7)
    assert (logs.lines.get("docker"), [(gap.section, gap.scope) for gap in logs.gaps]) == (None, [("log", "docker")])
    _with_journal(monkeypatch, ProgramResult(f'{{"MESSAGE": "{FULL}"}}'.encode()))
    assert quiet.logs(7).lines.get("docker") == (LINE,)


def test_of_a_long_file_the_end_is_read(quiet: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_log, "_TAIL", 100)
    path = quiet.folder / "docker.log"
    path.write_text(f"{'all ' * 50}{FULL}\n{'x' * 60}\nBridge port not forwarding\n")
    logs = quiet.logs()
    assert logs.ended
    assert [line.kind for line in logs.lines["docker"] or ()] == ["port-not-fwd"]


def test_an_init_scripts_file_of_last_week_tells_nothing(quiet: Host) -> None:
    path = quiet.folder / "docker.log"
    path.write_text(FULL)
    assert quiet.logs().lines.get("docker") is not None
    old = time.time() - 8 * 86400
    os.utime(path, (old, old))
    assert quiet.logs().lines.get("docker") is None


def test_a_fifo_in_a_logs_place_is_not_waited_for(quiet: Host) -> None:
    os.mkfifo(quiet.folder / "docker.log")
    assert quiet.logs() == EngineLogs(lines={"docker": None}, ended="docker")


def test_without_docker_nothing_is_looked_for(quiet: Host) -> None:
    (quiet.folder / "docker.log").write_text(FULL)
    assert quiet.without_docker().logs() == EngineLogs()


def test_of_two_daemons_nothing_is_told(quiet: Host) -> None:
    assert quiet.logs(1, 2) == EngineLogs()
    assert quiet.folder.exists()


def test_the_journal_is_asked_for_the_daemons_own_entries_within_bounds(
    quiet: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _with_journal(
        monkeypatch, ProgramResult(f'{{"MESSAGE": "{FULL}", "_SYSTEMD_UNIT": "podman.service"}}'.encode())
    )
    logs = quiet.logs(99999999, podman=True)
    (argv,) = asked
    assert argv[0] == "/usr/bin/journalctl"
    assert {"--boot", "--no-pager", "--output=json"} < set(argv)
    assert argv[-3:] == ("_PID=99999999", "+", "_SYSTEMD_UNIT=podman.service")
    assert any(word.startswith("--lines=") for word in argv)
    assert any(word.startswith("--since=") for word in argv)
    assert logs.lines.get("docker") == ()
    assert logs.lines["podman"] is not None
    assert not logs.ended
    assert quiet.folder.exists()


def test_a_daemon_that_ended_is_looked_for_by_its_unit(quiet: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _with_journal(monkeypatch, ProgramResult(f'{{"MESSAGE": "{FULL}"}}'.encode()))
    logs = quiet.logs()
    assert asked[0][-1] == "_SYSTEMD_UNIT=docker.service"
    assert logs.ended
    assert logs.lines.get("docker") == (LINE,)
    assert quiet.folder.exists()


def test_a_journal_that_fails_leaves_a_gap(quiet: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_journal(monkeypatch, ProgramResult(b"", "journalctl did not answer within 2 s"))
    logs = quiet.logs()
    assert [(gap.section, "2 s" in gap.reason) for gap in logs.gaps] == [("log", True)]
    assert logs.lines.get("docker") is None
    assert quiet.folder.exists()


def test_an_empty_journal_is_a_gap_to_others_than_root(quiet: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_journal(monkeypatch, ProgramResult(b""))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (gap,) = quiet.logs(99999999).gaps
    assert (gap.section, gap.scope, gap.hint) == ("log", "docker", "run dnet-tui as root")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert quiet.logs(99999999).gaps == ()
    assert quiet.folder.exists()


def test_the_lines_come_to_their_engine_and_not_to_a_rootless_one() -> None:
    engines = (Engine(name="docker"), Engine(name="docker", rootless=True), Engine(name="podman"))
    answer = with_logs(EngineReading(engines=engines), EngineLogs(lines={"docker": (LINE,)}))
    assert [engine.log for engine in answer.engines] == [(LINE,), None, None]
    assert answer.gaps == ()


def test_a_daemon_that_ended_over_a_failure_is_told_of_as_one_that_does_not_answer() -> None:
    answer = with_logs(EngineReading(), EngineLogs(lines={"docker": (LINE,)}, ended="docker"))
    assert [(engine.name, engine.reachable, engine.log) for engine in answer.engines] == [("docker", False, (LINE,))]
    assert [(gap.section, gap.scope) for gap in answer.gaps] == [("engine", "docker")]


def test_a_daemon_that_ended_without_a_failure_is_not_missed() -> None:
    assert with_logs(EngineReading(), EngineLogs(lines={"docker": ()}, ended="docker")) == EngineReading()


def test_what_was_read_a_moment_ago_is_good_for_the_next_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def read(sources: tuple[LogSource, ...]) -> EngineLogs:
        asked.append({source.kind: source.pids for source in sources})
        return EngineLogs(lines={"docker": (LINE,)})

    monkeypatch.setattr(read_log, "read_logs", read)
    kept = KeptLogs()
    for _ in range(3):
        assert LogReading((DAEMON,), 1, kept).start().finish().lines.get("docker") == (LINE,)
    assert asked == [{"docker": (7,), "podman": ()}]
    LogReading((DAEMON,), 2, kept).start().finish()  # in another namespace: not the host's daemon
    assert asked[1:] == [{"docker": (), "podman": ()}]
    kept.until = 0
    LogReading((DAEMON,), 1, kept).start().finish()
    assert len(asked) == 3
