"""Links, queues, tables and routers that break a host without a rule that a catalogue lists: never called healthy."""

from __future__ import annotations

import pytest

from lab.diagnostics.silent_ways import SILENT
from lab.faults.test_faults_unlisted import judge
from lab.faults.unlisted import try_on
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost

EVERY = pytest.mark.parametrize("what", SILENT)


@EVERY
@pytest.mark.lab
@pytest.mark.matrix
def test_on_a_host_without_an_engine(what: str) -> None:
    with DemoHost.start() as host:
        judge(try_on(host, SILENT[what]))


@EVERY
@pytest.mark.docker
@pytest.mark.matrix
def test_on_a_docker_host(what: str) -> None:
    with DockerHost.start() as host:
        judge(try_on(host, SILENT[what]))
