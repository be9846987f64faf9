"""Docker's networks are made and removed by its API: what is asked of it, and what its refusals become."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from dnet_tui.actions.changes import docker_networks
from dnet_tui.actions.journal.captured_state import DockerNetworkState
from dnet_tui.diagnostics.operations.engine_network import CreateDockerNetwork, RemoveDockerNetwork
from dnet_tui.inspect.errors import ActionFailedError
from unit.builders.unix_daemon import Reply, daemon, short_folder

LABELS = {"dnet-tui": "created"}


class Engine:
    """An engine with some networks, which writes down what it is asked to do."""

    def __init__(self, *networks: dict[str, Any]) -> None:
        self.networks = list(networks)
        self.asked: list[tuple[str, str, Any]] = []

    def read(self, path: str) -> Reply:
        place, _, query = path.partition("?")
        if place == "/networks":
            wanted = json.loads(unquote(query.removeprefix("filters=")))["name"][0]
            return 200, json.dumps([item for item in self.networks if wanted in item["Name"]]).encode()
        found = next((item for item in self.networks if place == f"/networks/{item['Id']}"), None)
        if found is None:
            return 404, b'{"message":"network gone not found"}'
        return 200, json.dumps(found).encode()

    def write(self, method: str, path: str, body: bytes) -> Reply:
        self.asked.append((method, path, json.loads(body) if body else None))
        if method == "DELETE":
            return 204, b""
        return 201, b'{"Id":"new","Warning":""}'


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder / "docker.sock"


def creation(place: Path, **more: Any) -> CreateDockerNetwork:
    return CreateDockerNetwork(
        name="app", subnet="10.9.0.0/24", gateway="10.9.0.1", labels=LABELS, socket=str(place), **more
    )


def test_a_network_is_made_as_it_was_asked_for(place: Path) -> None:
    engine = Engine()
    action = creation(place, subnet6="fd00:9::/64", internal=True, options={"com.docker.network.driver.mtu": "1400"})
    with daemon(place, engine.read, engine.write):
        made = docker_networks.perform(action)
    assert (made.id, made.name) == ("new", "app")
    ((method, path, body),) = engine.asked
    assert (method, path) == ("POST", "/networks/create")
    assert (body["Name"], body["Driver"], body["Internal"], body["EnableIPv6"]) == ("app", "bridge", True, True)
    assert (body["Labels"], body["Options"]) == (LABELS, {"com.docker.network.driver.mtu": "1400"})
    assert body["IPAM"] == {
        "Driver": "default",
        "Config": [{"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.1"}, {"Subnet": "fd00:9::/64"}],
    }


def test_without_a_subnet_docker_chooses_one(place: Path) -> None:
    engine = Engine()
    with daemon(place, engine.read, engine.write):
        docker_networks.perform(CreateDockerNetwork(name="app", socket=str(place)))
    assert "IPAM" not in engine.asked[0][2]


def test_a_name_that_only_contains_the_name_is_another_networks(place: Path) -> None:
    with daemon(place, Engine({"Id": "1", "Name": "app2"}).read):
        assert docker_networks.prepare(creation(place)) == DockerNetworkState()
    place.unlink()
    with (
        daemon(place, Engine({"Id": "1", "Name": "app"}).read),
        pytest.raises(ActionFailedError, match="has a network named app already"),
    ):
        docker_networks.prepare(creation(place))


def test_a_network_in_use_is_not_removed(place: Path) -> None:
    used = {"Id": "1", "Name": "app", "Containers": {"c": {"Name": "web"}}}
    with daemon(place, Engine(used).read), pytest.raises(ActionFailedError, match="in use by web"):
        docker_networks.prepare(RemoveDockerNetwork(name="app", id="1", socket=str(place)))


def test_a_removed_network_comes_back_with_all_that_was_captured(place: Path) -> None:
    ipam = {"Driver": "default", "Options": {}, "Config": [{"Subnet": "10.9.0.0/24", "IPRange": "10.9.0.128/25"}]}
    was = {"Id": "1", "Name": "app", "Driver": "bridge", "IPAM": ipam, "Labels": {"a": "b"}, "Attachable": True}
    action = RemoveDockerNetwork(name="app", id="1", socket=str(place))
    with daemon(place, Engine(was).read):
        prior = docker_networks.prepare(action)
    place.unlink()
    engine = Engine()
    with daemon(place, engine.read, engine.write):
        docker_networks.perform(action)
        said = docker_networks.revert(action, prior, None)
    assert [item[:2] for item in engine.asked] == [("DELETE", "/networks/1"), ("POST", "/networks/create")]
    body = engine.asked[1][2]
    assert (body["IPAM"], body["Labels"], body["Attachable"]) == (ipam, {"a": "b"}, True)
    assert said == "created Docker network app again"


def test_undo_removes_the_network_that_was_made_and_no_namesake(place: Path) -> None:
    mine = {"Id": "new", "Name": "app", "Labels": LABELS, "IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}}
    engine = Engine(mine, {"Id": "other", "Name": "app", "Labels": None})
    action = creation(place)
    with daemon(place, engine.read, engine.write):
        docker_networks.revert(action, DockerNetworkState(), DockerNetworkState(id="new"))
        docker_networks.revert(action, DockerNetworkState(), None)  # killed before the id was known: by its labels
        # Removed meanwhile, and put back by the undo of that: with another id.
        docker_networks.revert(action, DockerNetworkState(), DockerNetworkState(id="before"))
    assert [item[1] for item in engine.asked] == ["/networks/new"] * 3


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (None, "Docker network app is gone already"),
        ({"Id": "other", "Name": "app", "Labels": None}, "Docker network app is another one by now: left alone"),
        (
            {"Id": "o", "Name": "app", "Labels": LABELS, "IPAM": {"Config": [{"Subnet": "10.8.0.0/24"}]}},
            "Docker network app is another one by now: left alone",
        ),
    ],
)
def test_undo_leaves_what_is_anothers(place: Path, network: dict[str, Any] | None, words: str) -> None:
    engine = Engine(*([network] if network else []))
    with daemon(place, engine.read, engine.write):
        said = docker_networks.revert(creation(place), DockerNetworkState(), DockerNetworkState(id="new"))
    assert said == words
    assert engine.asked == []


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((409, b'{"message":"network with name app already exists"}'), "Docker refused: network with name app already"),
        ((500, b"<html>"), "Docker refused: HTTP 500"),
        ((201, b"{"), "Docker does not answer"),
    ],
)
def test_what_goes_wrong_is_told_in_dockers_words(place: Path, reply: Reply, words: str) -> None:
    with daemon(place, Engine().read, lambda *_: reply), pytest.raises(ActionFailedError, match=words):
        docker_networks.perform(creation(place))


def test_an_engine_that_is_not_there_or_not_here_is_said() -> None:
    with pytest.raises(ActionFailedError, match="Docker does not answer") as error:
        docker_networks.perform(CreateDockerNetwork(name="app", socket="/nowhere/docker.sock"))
    assert "systemctl status docker" in error.value.hint
    with pytest.raises(ActionFailedError, match="no socket on this host"):
        docker_networks.perform(CreateDockerNetwork(name="app", socket="tcp://203.0.113.1:2375"))
