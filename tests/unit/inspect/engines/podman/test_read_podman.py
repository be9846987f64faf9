"""Reading from Podman's service and from its command: sound, hung, refusing, lying.  All of them are made up here."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dnet_tui.inspect.engines.api_reading import Reading, Received
from dnet_tui.inspect.engines.api_source import ApiSource
from dnet_tui.inspect.engines.engine_data import EngineReading
from dnet_tui.inspect.engines.podman import read_podman
from dnet_tui.inspect.engines.podman.read_podman import MANNER
from dnet_tui.inspect.engines.podman.sources import CommandSource, service_source
from dnet_tui.inspect.engines.podman.stores import Store
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from unit.builders.unix_daemon import Reply, daemon, short_folder

RAW = json.loads((Path(__file__).parents[3] / "data" / "inspect_podman_4_3.json").read_text())
WEB = next(key for key, item in RAW["details"].items() if item["Name"] == "web")
NAMES = {item["Name"] for item in RAW["details"].values()}


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder / "podman.sock"


def truthful(path: str) -> Reply:
    """What a sound service replies."""
    parts = path.partition("?")[0].strip("/").split("/")
    if parts[0] not in ("v4.0.0", "v3.0.0") or parts[1] != "libpod":
        return 404, b"Not Found"
    answers: dict[str, Any] = {"info": RAW["info"], "networks/json": RAW["networks"], "containers/json": RAW["listed"]}
    rest = "/".join(parts[2:])
    if rest in answers:
        return 200, json.dumps(answers[rest]).encode()
    return 200, json.dumps(RAW["details"][parts[3]]).encode()


def read(place: Path, timeout: float = 5.0) -> EngineReading:
    return Reading(MANNER, (service_source(str(place)),), timeout).start().finish()


def sections(answer: EngineReading) -> list[tuple[str, str]]:
    return [(gap.section, gap.scope) for gap in answer.gaps]


def test_a_sound_service_tells_all(place: Path) -> None:
    with daemon(place, truthful):
        answer = read(place)
    assert (answer.gaps, answer.complete) == ((), True)
    assert {item.name for item in answer.containers} == NAMES
    assert {item.name for item in answer.networks} >= {"podman", "app", "vault", "six"}
    (engine,) = answer.engines
    assert (engine.name, engine.version, engine.reachable, engine.socket) == ("podman", "4.3.1", True, str(place))
    joined = next(item for item in answer.containers if item.name == "joined")
    assert joined.joined == WEB


def test_podman_3_is_asked_in_its_own_version(place: Path) -> None:
    refusal = json.dumps({"message": 'failed to parse query parameter "version"', "response": 400}).encode()
    with daemon(place, lambda path: (400, refusal) if path.startswith("/v4") else truthful(path)):
        answer = read(place)
    assert (answer.gaps, len(answer.containers)) == ((), len(NAMES))


def test_a_service_that_never_answers_costs_no_more_than_the_limit(place: Path) -> None:
    with daemon(place, lambda _path: None):
        began = time.monotonic()
        answer = read(place, 0.3)
        took = time.monotonic() - began
    assert took < 10  # without a limit it never ends
    assert sections(answer) == [("engine", "podman"), ("networks", "podman"), ("containers", "podman")]
    assert "did not answer within 0.3 s" in answer.gaps[0].reason
    assert (answer.complete, answer.engines[0].reachable) == (False, False)


def test_what_was_had_before_the_time_ran_out_is_used(place: Path) -> None:
    with daemon(place, lambda path: None if path.endswith(f"{WEB}/json") else truthful(path)):
        answer = read(place, 0.6)
    assert {item.name for item in answer.containers} == NAMES
    assert sections(answer) == [("engine", "podman"), ("containers", "podman")]
    assert f"of {len(NAMES)} containers were read" in answer.gaps[0].reason


def test_a_service_that_is_only_listened_for_by_the_kernel_is_late_too(place: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    listener.listen()
    try:
        began = time.monotonic()
        answer = read(place, 0.3)  # accepted by the kernel's backlog, never answered
        assert time.monotonic() - began < 30
    finally:
        listener.close()
    assert "did not answer within" in answer.gaps[0].reason


def test_a_socket_without_anybody_is_told_from_a_missing_one(place: Path) -> None:
    assert "nothing of that name" in read(place).gaps[0].reason
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(place))
    left.close()
    assert "nothing listens" in read(place).gaps[0].reason


@pytest.mark.skipif(os.geteuid() != 0, reason="root only: root is denied nothing, so the denial is made up")
def test_a_denied_socket_names_the_way_in(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ApiSource, "ask", deny)
    (gap, *_) = read(place).gaps
    assert ("no permission" in gap.reason, "sudo" in gap.hint) == (True, True)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((200, b"{"), "did not answer as Podman does"),
        ((200, b'"hello"'), "did not answer as Podman does"),
        ((500, b'{"message": "database is locked"}'), "HTTP 500: database is locked"),
        ((500, b"\xff"), "HTTP 500"),
        ((404, b"Not Found"), "HTTP 404"),
    ],
)
def test_every_kind_of_nonsense_is_a_gap(place: Path, reply: Reply, words: str) -> None:
    with daemon(place, lambda _path: reply):
        answer = read(place)
    assert words in answer.gaps[0].reason
    assert not answer.complete


def test_something_that_does_not_speak_http_is_no_podman(place: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    listener.listen()
    reading = Reading(MANNER, (service_source(str(place)),), 5).start()
    peer, _ = listener.accept()
    peer.recv(4096)
    peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    peer.close()
    listener.close()
    assert "did not answer as Podman does" in reading.finish().gaps[0].reason


def test_a_container_that_goes_away_meanwhile_is_named_in_a_gap(place: Path) -> None:
    gone = json.dumps({"message": "no such container"}).encode()
    with daemon(place, lambda path: (404, gone) if path.endswith(f"{WEB}/json") else truthful(path)):
        answer = read(place)
    assert sections(answer) == [("containers", "web")]
    assert {item.name for item in answer.containers} == NAMES - {"web"}


@pytest.mark.parametrize("reply", [(500, b'{"message":"broken"}'), (200, b"{")])
def test_a_container_whose_details_fail_keeps_what_the_list_says(place: Path, reply: Reply) -> None:
    with daemon(place, lambda path: reply if path.endswith(f"{WEB}/json") else truthful(path)):
        answer = read(place)
    assert sections(answer) == [("containers", "web")]
    web = next(item for item in answer.containers if item.name == "web")
    assert (web.mode, [item.host_port for item in web.published]) == ("bridge", [8080, 8081])


@pytest.fixture
def command(tmp_path: Path) -> Callable[[str], Reading]:
    """A reading by a program that does as the given shell words say; the recorded documents are in ``$DATA``."""
    (tmp_path / "info").write_text(json.dumps(RAW["info"]))
    (tmp_path / "network").write_text(json.dumps(RAW["networks"]))
    (tmp_path / "ps").write_text(json.dumps(RAW["listed"]))
    (tmp_path / "inspect").write_text(json.dumps(list(RAW["details"].values())))

    def make(words: str, timeout: float = 5.0) -> Reading:
        program = tmp_path / "podman"
        program.write_text(f'#!/bin/sh\nDATA={tmp_path}\necho "$@" >>$DATA/calls\nshift\n{words}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return Reading(MANNER, (CommandSource(str(program), Store(options=("--root=/x",))),), timeout)

    return make


def test_the_command_tells_the_same_as_the_service(
    command: Callable[[str], Reading], place: Path, tmp_path: Path
) -> None:
    with daemon(place, truthful):
        wanted = read(place)
    answer = command('exec cat "$DATA/$1"').start().finish()
    assert (answer.gaps, answer.containers, answer.networks) == ((), wanted.containers, wanted.networks)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert {line.split()[0] for line in calls} == {"--root=/x"}
    assert {line.split()[1] for line in calls} == {"info", "network", "ps", "inspect"}


def test_a_hung_command_is_ended_with_all_it_started(command: Callable[..., Reading], tmp_path: Path) -> None:
    began = time.monotonic()
    answer = command("sleep 60 & echo $! >>$DATA/pids; wait", timeout=0.4).start().finish()
    assert time.monotonic() - began < 30
    assert "did not answer within 0.4 s" in answer.gaps[0].reason
    for pid in (tmp_path / "pids").read_text().split():
        for _ in range(100):
            if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]:
                break
            time.sleep(0.02)
        else:
            pytest.fail("a child of the command is still there")


def test_a_failing_command_is_quoted(command: Callable[[str], Reading]) -> None:
    answer = command('echo "Error: database is\nlocked" >&2; exit 125').start().finish()
    assert "Error: database is locked" in answer.gaps[0].reason


def test_a_command_that_prints_nonsense_is_no_podman(command: Callable[[str], Reading]) -> None:
    assert "did not answer as Podman does" in command("echo hello").start().finish().gaps[0].reason


def test_one_container_gone_costs_only_its_own_details(command: Callable[[str], Reading], tmp_path: Path) -> None:
    others = [item for item in RAW["details"].values() if item["Name"] != "web"]
    (tmp_path / "inspect").write_text(json.dumps(others))
    words = 'cat "$DATA/$1"; [ "$1" = inspect ] || exit 0; echo "Error: no such container x" >&2; exit 125'
    answer = command(words).start().finish()
    assert sections(answer) == [("containers", "web")]
    assert "went away" in answer.gaps[0].reason


def test_the_command_is_asked_where_nobody_is_at_the_socket(place: Path) -> None:
    class Silent:
        socket = ""
        label = "podman"

        def ask(self, received: Received, deadline: float) -> None:
            assert deadline > 0
            received.info, received.networks, received.listed = {}, [], []

    answer = Reading(MANNER, (service_source(str(place)), Silent()), 5).start().finish()
    assert (answer.gaps, answer.complete) == ((), True)


def test_nothing_is_asked_where_podman_has_not_been_at_work(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    place.touch()
    monkeypatch.setattr(read_podman, "SYSTEM_SOCKET", str(place))
    monkeypatch.setattr(read_podman, "find_stores", lambda *_: ())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert read_podman.find_readings([], {}, 3.0) == ((), ())
    service = ProcessSeen(pid=5, parent=1, start=5, name="podman", inode=1)
    readings, gaps = read_podman.find_readings([service], {}, 3.0)
    assert (len(readings), gaps) == (1, ())


def test_another_machines_podman_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_podman, "find_stores", lambda *_: ())
    monkeypatch.setattr(read_podman, "SYSTEM_SOCKET", "/nowhere/podman.sock")
    readings, (gap,) = read_podman.find_readings([], {"CONTAINER_HOST": "ssh://root@203.0.113.1/run/podman.sock"}, 3.0)
    assert (readings, gap.section, gap.scope) == ((), "engine", "podman")
    assert "203.0.113.1" in gap.reason
