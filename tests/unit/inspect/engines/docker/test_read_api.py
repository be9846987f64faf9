"""Reading from daemons that answer, hang, refuse, lie or lose a container meanwhile.  All of them are made up here."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnet_tui.inspect.engines.api_source import ApiSource
from dnet_tui.inspect.engines.docker.read_api import find_socket, read_docker
from dnet_tui.inspect.engines.engine_data import EngineReading
from unit.builders.unix_daemon import Reply, daemon, short_folder

RAW = json.loads((Path(__file__).parents[3] / "data" / "inspect_docker_20_10.json").read_text())
WEB = next(key for key, item in RAW["details"].items() if item["Name"] == "/web")


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder / "docker.sock"


def truthful(path: str) -> Reply:
    """What a sound daemon replies."""
    answers: dict[str, Any] = {
        "version": RAW["version"],
        "info": RAW["info"],
        "networks": RAW["networks"],
        "json": RAW["listed"],
    }
    parts = path.partition("?")[0].strip("/").split("/")
    if parts[-1] == "json" and parts[-2] in RAW["details"]:
        return 200, json.dumps(RAW["details"][parts[-2]]).encode()
    return 200, json.dumps(answers[parts[-1]]).encode()


def read(place: Path, timeout: float = 5.0) -> EngineReading:
    return read_docker(str(place), timeout).start().finish()


def test_a_sound_daemon_tells_all(place: Path) -> None:
    with daemon(place, truthful):
        answer = read(place)
    assert answer.gaps == ()
    assert [item.reachable for item in answer.engines] == [True]
    assert sorted(item.name for item in answer.containers) == ["hostmode", "idle", "joined", "none", "quiet1", "web"]
    assert len(answer.networks) == len(RAW["networks"])
    joined = next(item for item in answer.containers if item.name == "joined")
    assert joined.joined == WEB


@pytest.mark.parametrize("silent_at", ["/version", "/containers/json"])
def test_a_daemon_that_hangs_costs_the_time_limit_and_its_names(place: Path, silent_at: str) -> None:
    with daemon(place, lambda path: None if path.partition("?")[0].endswith(silent_at) else truthful(path)):
        began = time.monotonic()
        answer = read(place, timeout=0.4)
        took = time.monotonic() - began
    assert took < 10  # without a limit it never ends
    assert [(item.name, item.reachable) for item in answer.engines] == [("docker", False)]
    assert answer.containers == ()
    assert not answer.complete
    gap = next(gap for gap in answer.gaps if gap.section == "engine")
    assert (gap.scope, gap.reason) == ("docker", "the Docker daemon did not answer within 0.4 s")
    assert {"engine", "containers"} <= {gap.section for gap in answer.gaps}
    assert gap.hint


def test_a_daemon_that_hangs_half_way_loses_only_the_rest(place: Path) -> None:
    with daemon(place, lambda path: None if WEB in path else truthful(path)):
        answer = read(place, timeout=1.0)
    web = next(item for item in answer.containers if item.name == "web")
    assert (web.pid, web.mode, len(web.published)) == (None, "bridge", 3)
    assert "did not answer within 1 s; details of" in " ".join(gap.reason for gap in answer.gaps)


def test_a_socket_nobody_listens_on_says_so(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(place))
    answer = read(place)
    assert [item.reachable for item in answer.engines] == [False]
    gap = answer.gaps[0]
    assert "no daemon listens" in gap.reason
    assert "start" in gap.hint


def test_a_socket_that_is_not_there_says_so(place: Path) -> None:
    assert "there is no Docker socket" in read(place).gaps[0].reason


def test_no_permission_says_what_to_do(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ApiSource, "ask", refuse)
    answer = read(place)
    gap = answer.gaps[0]
    assert "no permission" in gap.reason
    assert "root" in gap.hint
    assert not answer.complete


@pytest.mark.parametrize(
    "body", [b"<html>hello</html>", b"", b"{", b'{"message":', pytest.param(b"[" * 100_000, id="deeply nested")]
)
def test_an_answer_that_is_not_json_says_so(place: Path, body: bytes) -> None:
    with daemon(place, lambda _: (200, body)):
        answer = read(place)
    assert "did not answer as the Docker API does" in answer.gaps[0].reason
    assert not answer.complete


def test_an_answer_of_the_wrong_shape_says_so(place: Path) -> None:
    with daemon(place, lambda path: (200, b'{"a":1}') if "containers" in path else truthful(path)):
        answer = read(place)
    assert "did not answer as the Docker API does" in answer.gaps[0].reason


def test_networks_that_are_no_list_are_not_taken_for_none(place: Path) -> None:
    with daemon(place, lambda path: (200, b'{"a":1}') if "networks" in path else truthful(path)):
        answer = read(place)
    assert [gap.section for gap in answer.gaps] == ["engine", "networks"]
    assert answer.complete


def test_an_error_of_the_daemons_is_told_in_its_words(place: Path) -> None:
    with daemon(place, lambda path: (500, b'{"message":"disk on fire"}') if "info" in path else truthful(path)):
        answer = read(place)
    assert "disk on fire" in answer.gaps[0].reason


def test_a_container_that_dies_meanwhile_is_named_and_the_others_go_on(place: Path) -> None:
    with daemon(place, lambda path: (404, b'{"message":"No such container"}') if WEB in path else truthful(path)):
        answer = read(place)
    assert [(gap.section, gap.scope) for gap in answer.gaps] == [("containers", "web")]
    assert sorted(item.name for item in answer.containers) == ["hostmode", "idle", "joined", "none", "quiet1"]
    assert answer.complete


@pytest.mark.parametrize("reply", [(500, b'{"message":"broken"}'), (200, b"{")])
def test_a_container_whose_details_fail_keeps_what_the_list_says(place: Path, reply: Reply) -> None:
    with daemon(place, lambda path: reply if WEB in path else truthful(path)):
        answer = read(place)
    assert [(gap.section, gap.scope) for gap in answer.gaps] == [("containers", "web")]
    assert next(item for item in answer.containers if item.name == "web").mode == "bridge"


def test_a_rootless_engine_is_recognised(place: Path) -> None:
    info = json.dumps({"SecurityOptions": ["name=rootless"]}).encode()
    with daemon(place, lambda path: (200, info) if "info" in path else truthful(path)):
        assert read(place).engines[0].rootless


def test_what_docker_desktop_tells_is_not_taken_for_this_hosts(place: Path) -> None:
    info = json.dumps({"OperatingSystem": "Docker Desktop"}).encode()
    with daemon(place, lambda path: (200, info) if "info" in path else truthful(path)):
        answer = read(place)
    assert (answer.engines[0].reachable, answer.networks, answer.containers) == (True, (), ())
    (gap,) = answer.gaps
    assert (gap.section, "virtual machine" in gap.reason) == ("engine", True)


def test_the_socket_is_looked_for_in_order(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setattr("dnet_tui.inspect.engines.docker.read_api.USUAL_SOCKETS", (str(place),))
    assert find_socket("", {}) == ("", "")
    place.touch()
    assert find_socket("", {}) == (str(place), "")
    assert find_socket("/given", {"DOCKER_HOST": "unix:///env"}) == ("/given", "")
    assert find_socket("", {"DOCKER_HOST": "unix:///env"}) == ("/env", "")
    assert find_socket("", {"XDG_RUNTIME_DIR": str(place.parent)}) == (str(place), "")
    assert find_socket("", {"DOCKER_HOST": "tcp://203.0.113.1:2375"}) == (str(place), "tcp://203.0.113.1:2375")


def test_a_users_own_daemon_is_found_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setattr("dnet_tui.inspect.engines.docker.read_api.USUAL_SOCKETS", ("/nowhere/docker.sock",))
    here = {"XDG_RUNTIME_DIR": str(place.parent)}
    assert find_socket("", here) == ("", "")
    place.touch()
    assert find_socket("", here) == (str(place), "")
