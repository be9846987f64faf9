"""The fault matrix, IPv6: named first, its consequences folded, repaired, and no trace of it left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dnet_tui.inspect.errors import DnetError
from lab.faults.kinds import once_settled
from lab.faults.machinery import Case, prove_or_say_why
from lab.faults.six_family import SIX
from lab.faults.six_hosts import SixDocker, SixPodman
from lab.machines.docker_engines import SYSTEM, newest_docker
from lab.machines.requirements import DOCKER_PROGRAMS, decline, require_lab, require_podman

EVERY = pytest.mark.parametrize("case", SIX, ids=lambda case: case.id)


@pytest.fixture(scope="module", params=["20.10", "28"])
def docker_six(request: pytest.FixtureRequest) -> Iterator[SixDocker]:
    require_lab(*DOCKER_PROGRAMS, root=True)
    try:
        engine = SYSTEM if request.param == "20.10" else newest_docker()
    except DnetError as error:
        decline(f"{error.message} ({error.hint})")
    with SixDocker.start(engine) as host:
        once_settled(host)
        yield host


@pytest.fixture(scope="module")
def podman_six() -> Iterator[SixPodman]:
    require_podman()
    with SixPodman.start() as host:
        once_settled(host)
        yield host


@pytest.mark.docker
@pytest.mark.matrix
@EVERY
def test_on_a_docker_host_with_ipv6(docker_six: SixDocker, case: Case) -> None:
    prove_or_say_why(docker_six, case)
    once_settled(docker_six)


@pytest.mark.podman
@pytest.mark.matrix
@EVERY
def test_on_a_podman_host_with_ipv6(podman_six: SixPodman, case: Case) -> None:
    prove_or_say_why(podman_six, case)
    once_settled(podman_six)
