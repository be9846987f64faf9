"""Breakages of kinds that an adversary would choose: a host that they break is never called healthy."""

from __future__ import annotations

import pytest

from lab.diagnostics.odd_ways import ODD, OF_AN_ENGINE
from lab.faults.test_faults_unlisted import judge
from lab.faults.unlisted import try_on
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost


@pytest.mark.parametrize("what", [what for what in ODD if what not in OF_AN_ENGINE])
@pytest.mark.lab
@pytest.mark.matrix
def test_on_a_host_without_an_engine(what: str) -> None:
    with DemoHost.start() as host:
        judge(try_on(host, ODD[what]))


@pytest.mark.parametrize("what", ODD)
@pytest.mark.docker
@pytest.mark.matrix
def test_on_a_docker_host(what: str) -> None:
    with DockerHost.start() as host:
        judge(try_on(host, ODD[what]))
