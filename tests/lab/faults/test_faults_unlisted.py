"""Hosts break in ways that no catalogue lists: a host whose traffic does not pass is never called healthy."""

from __future__ import annotations

import pytest

from lab.faults.unlisted import UNLISTED, Outcome, try_on
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost

EVERY = pytest.mark.parametrize("what", UNLISTED)


@EVERY
@pytest.mark.lab
@pytest.mark.matrix
def test_on_a_host_without_an_engine(what: str) -> None:
    with DemoHost.start() as host:
        judge(try_on(host, UNLISTED[what]))


@EVERY
@pytest.mark.docker
@pytest.mark.matrix
def test_on_a_docker_host(what: str) -> None:
    with DockerHost.start() as host:
        judge(try_on(host, UNLISTED[what]))


def judge(outcome: Outcome) -> None:
    """Nothing broken and not told, nothing called ill that works."""
    assert outcome.told or not outcome.broke, outcome
    assert outcome.broke or not outcome.serious, outcome
