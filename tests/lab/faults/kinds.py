"""The kinds of host that faults are put into, and which faults each one gets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.faults.machinery import Case
from lab.faults.matrix import CASES
from lab.faults.six_family import SIX
from lab.faults.six_hosts import SixDocker, SixPodman, healthy6
from lab.machines.docker_engines import newest_docker
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost, LabHost
from lab.machines.podman_host import PodmanHost
from lab.packets.traffic import expect

_SETTLES = 20.0
"""Seconds until the kernel must have found every IPv6 address to be free (duplicate address detection)."""


@dataclass(frozen=True)
class Kind:
    """How to start a host, and the faults to put into it."""

    start: Callable[[], LabHost]
    cases: tuple[Case, ...] = CASES


def once_settled(host: LabHost) -> None:
    """Wait until IPv6 works on a host that has it."""
    deadline = time.monotonic() + _SETTLES
    while True:
        try:
            return expect(host, healthy6(host))
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def _settled(start: Callable[[], LabHost]) -> Callable[[], LabHost]:
    def begin() -> LabHost:
        host = start()
        try:
            once_settled(host)
        except BaseException:
            host.stop()
            raise
        return host

    return begin


KINDS: dict[str, Kind] = {
    "demo": Kind(DemoHost.start),
    "docker": Kind(DockerHost.start),
    "docker28": Kind(lambda: DockerHost.start(newest_docker())),
    "podman": Kind(PodmanHost.start),
    "docker-six": Kind(_settled(SixDocker.start), SIX),
    "docker28-six": Kind(_settled(lambda: SixDocker.start(newest_docker())), SIX),
    "podman-six": Kind(_settled(SixPodman.start), SIX),
}
"""By the names that ``script/faults`` takes."""
