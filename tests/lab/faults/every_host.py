"""What every family of faults is put through: each case on a host of each kind.

A test file of a family imports these tests and names its cases ``CASES``
(``lab/conftest.py`` gives them one by one).  One file a family, so that they run
side by side.
"""

from __future__ import annotations

import pytest

from lab.faults.machinery import Case, prove_or_say_why
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost
from lab.machines.podman_host import PodmanHost


@pytest.mark.matrix
def test_on_a_host_without_an_engine(demo_host: DemoHost, case: Case) -> None:
    prove_or_say_why(demo_host, case)


@pytest.mark.matrix
def test_on_a_docker_host(any_docker: DockerHost, case: Case) -> None:
    prove_or_say_why(any_docker, case)


@pytest.mark.matrix
def test_on_a_podman_host(podman_host: PodmanHost, case: Case) -> None:
    prove_or_say_why(podman_host, case)


__all__ = ["test_on_a_docker_host", "test_on_a_host_without_an_engine", "test_on_a_podman_host"]
