"""Fixtures of the lab: disposable hosts, and the check that nothing of them stays.

``demo_host``
    A host without an engine (about 0.2 s), fresh for every test.
``docker_host``
    A host with the system's dockerd (about 2 s), one per module: leave it as you found it.
``docker28_host``
    The same with the newest Docker that Debian has, 28 or so, which is downloaded once.
``podman_host``, ``podman_service_host``
    A host with Podman and netavark (about 2 s), one per module; the latter's API answers at a socket too.
``native_podman_host``
    A host without iptables, with Debian 13's Podman, whose netavark writes nftables.

All are skipped with a reason where they can't run; with ``DNET_LAB=1`` that fails.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnet_tui.inspect.errors import DnetError
from lab.faults import every_host
from lab.machines.docker_engines import newest_docker
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import LAB_ID, DemoHost
from lab.machines.leaks import census, left_behind
from lab.machines.podman_host import PodmanHost
from lab.machines.requirements import DOCKER_PROGRAMS, decline, require_lab, require_podman
from lab.releases.podman_engines import native_podman
from lab.sampling import VARIABLE, sampled, turn_of

HERE = Path(__file__).parent
MARKS = {
    "docker_host": "docker",
    "docker28_host": "docker",
    "any_docker": "docker",
    "podman_host": "podman",
    "podman_service_host": "podman",
    "native_podman_host": "podman",
}
"""The mark that a test gets for the hosts it uses."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what lies here ``lab``, and what uses a real engine with that engine's name; drop what isn't sampled."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.lab)
            for mark in {MARKS[name] for name in getattr(item, "fixturenames", ()) if name in MARKS}:
                item.add_marker(mark)
    turn = turn_of(os.environ.get(VARIABLE, ""))
    if turn is not None:
        items[:], left_out = sampled(items, turn)
        config.hook.pytest_deselected(items=left_out)


def pytest_report_header() -> str | None:
    """Say which sample of the fault matrix is run."""
    turn = turn_of(os.environ.get(VARIABLE, ""))
    again = f"{VARIABLE}=sample:{turn}"
    return f"fault matrix: a sample ({again} runs the same; script/test the whole)" if turn is not None else None


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail the session when it leaves processes, mounts, namespaces, links, cgroups or files behind."""
    before = census(LAB_ID)
    yield
    left = left_behind(before, LAB_ID)
    assert not left, "the lab left this behind:\n" + "\n".join(left)


@pytest.fixture
def demo_host() -> Iterator[DemoHost]:
    require_lab()
    with DemoHost.start() as host:
        yield host


@pytest.fixture(scope="module")
def docker_host() -> Iterator[DockerHost]:
    require_lab(*DOCKER_PROGRAMS, root=True)
    with DockerHost.start() as host:
        print(f"Docker {host.version}")
        yield host


@pytest.fixture(scope="module")
def docker28_host() -> Iterator[DockerHost]:
    require_lab(*DOCKER_PROGRAMS, root=True)
    try:
        engine = newest_docker()
    except DnetError as error:
        decline(f"{error.message} ({error.hint})")
    with DockerHost.start(engine) as host:
        print(f"Docker {host.version}")
        yield host


@pytest.fixture(scope="module", params=["docker_host", "docker28_host"])
def any_docker(request: pytest.FixtureRequest) -> DockerHost:
    host = request.getfixturevalue(request.param)
    assert isinstance(host, DockerHost)
    return host


@pytest.fixture(scope="module")
def podman_host() -> Iterator[PodmanHost]:
    require_podman()
    with PodmanHost.start() as host:
        print(f"Podman {host.version}")
        yield host


@pytest.fixture(scope="module")
def native_podman_host() -> Iterator[PodmanHost]:
    require_podman()
    try:
        engine = native_podman()
    except DnetError as error:
        decline(f"{error.message} ({error.hint})")
    with PodmanHost.start(engine=engine) as host:
        print(f"Podman {host.version}, netavark with nftables")
        yield host


@pytest.fixture(scope="module")
def podman_service_host() -> Iterator[PodmanHost]:
    require_podman()
    with PodmanHost.start(service=True) as host:
        yield host


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that all families of faults share the cases of the family whose file imports it."""
    if metafunc.function.__module__ == every_host.__name__:
        metafunc.parametrize("case", metafunc.module.CASES, ids=lambda case: case.id)
