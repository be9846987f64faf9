"""Several engines' answers become one; Podman under Docker's API doesn't count twice."""

from __future__ import annotations

import msgspec

from dnet_tui.inspect.engines.engine_data import EngineReading, merge, unasked
from dnet_tui.inspect.model import Container, Engine, Network
from dnet_tui.inspect.model.coverage.gaps import Gap

WEB = Container(id="1", name="web", engine="podman", mode="bridge")
NATIVE = EngineReading(
    engines=(Engine(name="podman", network_backend="netavark"),),
    networks=(Network(id="n", name="podman", engine="podman", bridge="podman0"),),
    containers=(WEB,),
)
IMITATED = EngineReading(
    imitated=True,
    engines=(Engine(name="podman", socket="/run/docker.sock"),),
    networks=(Network(id="n", name="podman", engine="podman"),),
    containers=(Container(id="1", name="web", engine="podman"),),
)
DOCKER = EngineReading(engines=(Engine(name="docker"),), containers=(Container(id="2", name="web", engine="docker"),))


def test_nobody_asked_is_nothing_told() -> None:
    assert merge([]) == EngineReading()


def test_different_engines_are_listed_in_their_order() -> None:
    whole = merge([DOCKER, NATIVE])
    assert [item.name for item in whole.engines] == ["docker", "podman"]
    assert [item.id for item in whole.containers] == ["2", "1"]
    assert whole.complete


def test_podman_under_dockers_api_gives_way_to_its_own() -> None:
    for answers in ([IMITATED, NATIVE], [NATIVE, IMITATED]):
        assert merge(answers) == NATIVE


def test_podman_under_dockers_api_is_better_than_none() -> None:
    failed = EngineReading(
        engines=(Engine(name="podman", reachable=False),),
        gaps=(Gap(section="engine", scope="podman", reason="hung"),),
        complete=False,
    )
    whole = merge([IMITATED, failed])
    assert whole.networks == IMITATED.networks
    assert (whole.complete, len(whole.gaps)) == (False, 1)
    assert msgspec.structs.replace(merge([IMITATED]), imitated=True) == IMITATED


def test_two_stores_of_one_engine_are_both_told() -> None:
    other = EngineReading(
        engines=(Engine(name="podman", network_backend="cni"),),
        containers=(Container(id="3", name="db", engine="podman"),),
    )
    assert [item.id for item in merge([NATIVE, other]).containers] == ["1", "3"]


def test_a_container_told_twice_counts_once_as_first_told() -> None:
    again = EngineReading(engines=(Engine(name="docker"),), containers=(Container(id="1", name="x", engine="docker"),))
    assert merge([NATIVE, again]).containers == (WEB,)


def gaps(answer: EngineReading, *engines: str) -> list[tuple[str, str]]:
    containers = [Container(id=str(index), name="x", engine=name) for index, name in enumerate(engines)]
    return [(gap.section, gap.scope) for gap in unasked(containers, answer)]


def test_an_engine_that_nobody_asked_is_said_to_be_unknown_by_name() -> None:
    assert gaps(DOCKER, "docker", "containerd", "containerd") == [("engine", "containerd")]
    assert gaps(EngineReading(), "docker") == [("engine", "docker")]
    (gap,) = unasked([WEB, WEB], DOCKER)
    assert gap.reason.startswith("2 of its containers")


def test_an_engine_that_failed_has_its_gap_already() -> None:
    assert gaps(EngineReading(engines=(Engine(name="docker", reachable=False),)), "docker") == []


def test_a_rootless_engine_that_was_not_asked_answers_for_nobody() -> None:
    rootless = EngineReading(engines=(Engine(name="docker", reachable=False, rootless=True),))
    assert gaps(rootless, "docker") == [("engine", "docker")]


def test_engines_that_cannot_be_asked_leave_no_doubt_over_the_others() -> None:
    assert gaps(DOCKER, "lxd", "systemd-nspawn") == [("containers", "lxd"), ("containers", "systemd-nspawn")]
