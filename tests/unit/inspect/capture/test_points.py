from __future__ import annotations

import msgspec
import pytest

from dnet_tui.inspect.capture.points import CapturePoint, names, resolve, resolve_all
from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model import Container, Link, Namespace, Snapshot, Unread
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.view import View
from unit.builders.factories import (
    APP1,
    BR_APP,
    DOCKER0,
    HOST,
    LONELY,
    UPLINK,
    VETH_WEB,
    WEB,
    docker_like_snapshot,
    with_gaps,
    with_namespace,
)


def where(text: str, snapshot: Snapshot | None = None) -> tuple[str, int, str]:
    point = resolve(View(snapshot or docker_like_snapshot()), text)
    return point.namespace, point.ifindex, point.label


def wrong(text: str, snapshot: Snapshot | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        resolve(View(snapshot or docker_like_snapshot()), text)
    return caught.value


def with_container(snapshot: Snapshot, container: Container) -> Snapshot:
    return msgspec.structs.replace(snapshot, containers=(*snapshot.containers, container))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eth0", (HOST, UPLINK, "eth0")),
        ("host:eth0", (HOST, UPLINK, "eth0")),
        ("docker0", (HOST, DOCKER0, "docker0")),
        ("bridge", (HOST, DOCKER0, "docker0")),
        ("app", (HOST, BR_APP, "br-app")),
        ("veth5f0a1b2", (HOST, VETH_WEB, "veth5f0a1b2")),
        ("web", (WEB, VETH_WEB - 1, "web:eth0")),
        ("web:lo", (WEB, 1, "web:lo")),
        (f"{WEB}:eth0", (WEB, VETH_WEB - 1, "web:eth0")),
        ("web000000000", (WEB, VETH_WEB - 1, "web:eth0")),
        ("sidecar", (APP1, 7, "app1:eth0")),
        ("agent:eth0", (HOST, UPLINK, "eth0")),
        ("lonely:lo", (LONELY, 1, "lonely:lo")),
    ],
)
def test_every_way_to_name_a_point(text: str, expected: tuple[str, int, str]) -> None:
    assert where(text) == expected


def test_a_namespace_that_is_no_container_is_named_by_its_name() -> None:
    far = Namespace(
        id="net:[5]", inode=5, kind="named", names=("internet",), links=(Link(ifindex=9, name="eth0", kind="veth"),)
    )
    snapshot = docker_like_snapshot()
    snapshot = msgspec.structs.replace(snapshot, namespaces=(*snapshot.namespaces, far))
    assert where("internet", snapshot) == ("net:[5]", 9, "internet:eth0")
    assert where("internet:eth0", snapshot) == ("net:[5]", 9, "internet:eth0")


@pytest.mark.parametrize(
    ("text", "description"),
    [("web", "web"), ("docker0", "network bridge"), ("veth5f0a1b2", "veth of web"), ("eth0", "")],
)
def test_a_point_says_what_is_behind_it(text: str, description: str) -> None:
    assert resolve(View(docker_like_snapshot()), text).description == description


@pytest.mark.parametrize(("text", "near"), [("dokcer0", "docker0"), ("wbe", "web"), ("web:eht0", "eth0")])
def test_a_misspelt_name_is_answered_with_what_is_near(text: str, near: str) -> None:
    assert near in wrong(text).hint


@pytest.mark.parametrize("text", ["", ":", "nothing-like-it", "web:", ":eth0", "\x1b[2J"])
def test_what_names_nothing_is_a_usage_error(text: str) -> None:
    error = wrong(text)
    assert (error.message + error.hint).isprintable()


def test_a_container_with_two_interfaces_must_be_told_which() -> None:
    links = (Link(ifindex=1, name="lo"), Link(ifindex=5, name="eth0"), Link(ifindex=7, name="eth1"))
    snapshot = with_namespace(docker_like_snapshot(), WEB, links=links)
    error = wrong("web", snapshot)
    assert "web:eth0, web:eth1" in error.hint
    assert where("web:eth1", snapshot) == (WEB, 7, "web:eth1")


def test_a_name_of_two_things_must_be_told_which() -> None:
    named = Container(id="x" * 64, name="docker0", engine="docker", netns=WEB, mode="bridge")
    snapshot = with_container(docker_like_snapshot(), named)
    assert wrong("docker0", snapshot).hint == "Say which: host:docker0, web:eth0"


def test_equal_names_in_two_engines_are_told_apart_by_namespace() -> None:
    twin = Container(id="y" * 64, name="web", engine="podman", netns=APP1, mode="bridge")
    snapshot = docker_like_snapshot()
    kept = tuple(item for item in snapshot.containers if item.netns != APP1)
    snapshot = with_container(msgspec.structs.replace(snapshot, containers=kept), twin)
    hint = wrong("web", snapshot).hint
    assert f"{WEB}:eth0" in hint
    assert f"{APP1}:eth0" in hint


def test_two_names_of_one_interface_are_not_ambiguous() -> None:
    points = resolve_all(View(docker_like_snapshot()), ["docker0", "bridge", "app1", "sidecar"])
    assert [point.label for point in points] == ["docker0", "app1:eth0"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("agent", "uses the host's network"),
        ("lonely", "no interface but lo"),
        ("none", "its driver is null"),
        ("web:eth7", "has no interface “eth7”"),
    ],
)
def test_what_exists_but_has_no_such_interface_says_why(text: str, reason: str) -> None:
    assert reason in wrong(text).message


def test_a_stopped_container_says_so() -> None:
    stopped = Container(id="z" * 64, name="old", engine="docker", running=False)
    assert "isn't running" in wrong("old", with_container(docker_like_snapshot(), stopped)).message


def test_what_could_not_be_seen_is_not_called_absent() -> None:
    hidden = Container(id="z" * 64, name="hidden", engine="docker", pid=9, netns="net:[9]")
    snapshot = with_container(docker_like_snapshot(), hidden)
    gap = Gap(section="namespaces", scope="net:[9]", reason="not permitted", hint="run as root")
    with pytest.raises(CannotInspectError, match="not permitted") as caught:
        resolve(View(with_gaps(snapshot, gap)), "hidden")
    assert caught.value.hint == "run as root"

    blind = with_namespace(docker_like_snapshot(), WEB, links=Unread(reason="timed out"))
    with pytest.raises(CannotInspectError, match="timed out"):
        resolve(View(blind), "web")


def test_labels_are_neutralised() -> None:
    hostile = Container(id="h" * 64, name="a\x1b[2J", engine="docker", netns=LONELY)
    snapshot = docker_like_snapshot()
    kept = tuple(item for item in snapshot.containers if item.netns != LONELY)
    snapshot = with_container(msgspec.structs.replace(snapshot, containers=kept), hostile)
    assert where("a\x1b[2J:lo", snapshot)[2] == r"a\x1b[2J:lo"


def test_every_offered_name_means_something() -> None:
    view = View(docker_like_snapshot())
    assert {"eth0", "web", "web:eth0", "app", "docker0"} <= set(names(view))
    for name in names(view):
        if name not in ("agent", "lonely"):
            assert isinstance(resolve(view, name), CapturePoint)
