"""The kinds of host that faults are put into, and which faults each one gets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.faults.links_family import ip
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
    """Wait until IPv6 works on a host that has it, and none of its addresses is being tried for duplicates."""
    deadline = time.monotonic() + _SETTLES
    while True:
        try:
            expect(host, healthy6(host))
            assert not (waiting := _tentative(host)), waiting
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
        else:
            return


def _tentative(host: LabHost) -> list[str]:
    """The host's addresses whose detection of duplicates runs; without carrier it waits (addrconf_dad_begin)."""
    links = [at for at in ip(host, "-6", "address", "show") if "LOWER_UP" in at.get("flags", ())]
    return [item["local"] for at in links for item in at["addr_info"] if item.get("tentative")]


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
