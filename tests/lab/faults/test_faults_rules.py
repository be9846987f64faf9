"""The fault matrix, rules and sysctls: named first, its consequences folded, repaired, and no trace of it left."""

from __future__ import annotations

import pytest

from lab.faults.machinery import Case, prove_or_say_why
from lab.faults.rules_family import RULES
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost
from lab.machines.podman_host import PodmanHost

EVERY = pytest.mark.parametrize("case", RULES, ids=lambda case: case.id)


@EVERY
def test_on_a_host_without_an_engine(demo_host: DemoHost, case: Case) -> None:
    prove_or_say_why(demo_host, case)


@EVERY
def test_on_a_docker_host(any_docker: DockerHost, case: Case) -> None:
    prove_or_say_why(any_docker, case)


@EVERY
def test_on_a_podman_host(podman_host: PodmanHost, case: Case) -> None:
    prove_or_say_why(podman_host, case)
