"""The kernel judges the walk on real engines' hosts: every pair of endpoints, healthy and with each fault."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext

import pytest

from lab.differential.engines import judged
from lab.docker_host import DockerHost
from lab.engine_host import EngineHost
from lab.hosts import LAB_ID, LAB_VARIABLE
from lab.plans import CLASSIC
from lab.podman_host import PodmanHost

MANY = 100
"""Fewer packets than this would mean that places were missed."""


ROUND = 2500
"""More than the packets of one run."""

FAULTS = ("", *CLASSIC.broken)


def _judge(host: EngineHost, fault: str = "") -> None:
    with host.fault(fault) if fault else nullcontext():
        first = 1 + ROUND * FAULTS.index(fault)
        found = list(judged(host.sandbox, host.snapshot(), host.pids, {LAB_VARIABLE: LAB_ID}, first=first))
    assert MANY < len(found) < ROUND
    wrong = [f"{item.probe}: {item.reasons}" for item in found if item.result != "agrees"]
    assert not wrong, "\n".join(wrong[:20])
    ends = Counter(item.end[0] for item in found)
    assert {"delivered", "refused"} <= set(ends)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_pair_on_docker(any_docker: DockerHost, fault: str) -> None:
    _judge(any_docker, fault)


def test_every_pair_on_podman(podman_host: PodmanHost) -> None:
    _judge(podman_host)
