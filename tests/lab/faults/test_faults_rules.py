"""The fault matrix, rules and sysctls: named first, its consequences folded, repaired, and no trace of it left."""

from __future__ import annotations

import pytest

from lab.docker_host import DockerHost
from lab.faults.machinery import NOT_INJECTABLE, Case, prove
from lab.faults.rules_family import RULES
from lab.hosts import DemoHost, LabHost
from lab.podman_host import PodmanHost

EVERY = pytest.mark.parametrize("case", RULES, ids=lambda case: case.id)


@EVERY
def test_on_a_host_without_an_engine(demo_host: DemoHost, case: Case) -> None:
    _prove(demo_host, case)


@EVERY
def test_on_a_docker_host(any_docker: DockerHost, case: Case) -> None:
    _prove(any_docker, case)


@EVERY
def test_on_a_podman_host(podman_host: PodmanHost, case: Case) -> None:
    _prove(podman_host, case)


def _prove(host: LabHost, case: Case) -> None:
    row = prove(host, case)
    if not row.injectable:
        assert row.why, "what can't be put into a host says why"
        assert (type(host).__name__, case.id) in NOT_INJECTABLE, f"{case.id} is new here: {row.why}"
        return
    assert row.good, row
