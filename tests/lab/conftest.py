"""Fixtures of the lab: disposable hosts, and the check that nothing of them stays.

``demo_host``
    A host without an engine (about 0.2 s), fresh for every test.
``docker_host``
    A host with a real dockerd (about 2 s), one per module: leave it as you found it.

Both are skipped with a reason where they can't run; with ``DNET_LAB=1`` that fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.docker_host import DockerHost
from lab.hosts import LAB_ID, DemoHost
from lab.leaks import census, left_behind
from lab.requirements import DOCKER_PROGRAMS, require_lab

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here ``lab``, and what uses a real Docker ``docker``."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.lab)
            if "docker_host" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.docker)


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
