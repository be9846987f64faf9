"""The kernel judges the walk on real engines' hosts: every pair of endpoints, healthy and with each fault."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from dnet_tui.inspect.errors import DnetError
from lab.differential.engines import judged
from lab.faults.six_hosts import SixDocker, SixHost, SixPodman
from lab.machines.docker_engines import SYSTEM, newest_docker
from lab.machines.docker_host import DockerHost
from lab.machines.engine_host import EngineHost
from lab.machines.hosts import LAB_ID, LAB_VARIABLE
from lab.machines.podman_host import PodmanHost
from lab.machines.requirements import DOCKER_PROGRAMS, decline, require_lab, require_podman
from lab.packets.plans import CLASSIC, PODMAN

MANY = 100
"""Fewer packets than this would mean that places were missed."""

SOME_IPV6 = 30
"""The same of IPv6, on a host that has it."""

ROUND = 2500
"""More than the packets of one run."""

PATIENCE = 15.0
"""Seconds until addresses are usable; it takes two."""

SPARING = 50
"""At most one packet of so many may be undecided."""

FAULTS = ("", *CLASSIC.broken)

FAULTS6: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "": ((), ()),
    "forwarding": (
        ("sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=0"),
        ("sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1"),
    ),
    "reject": (
        ("ip6tables-nft", "-w", "-I", "FORWARD", "1", "-i", "eth0", "-j", "REJECT"),
        ("ip6tables-nft", "-w", "-D", "FORWARD", "-i", "eth0", "-j", "REJECT"),
    ),
    "no-nat": (
        ("ip6tables-nft", "-w", "-t", "nat", "-I", "POSTROUTING", "1", "-j", "ACCEPT"),
        ("ip6tables-nft", "-w", "-t", "nat", "-D", "POSTROUTING", "-j", "ACCEPT"),
    ),
    "no-answers": (
        (
            "ip6tables-nft",
            "-w",
            "-t",
            "mangle",
            "-A",
            "PREROUTING",
            "-p",
            "tcp",
            "-m",
            "tcp",
            "!",
            "--syn",
            "-j",
            "DROP",
        ),
        (
            "ip6tables-nft",
            "-w",
            "-t",
            "mangle",
            "-D",
            "PREROUTING",
            "-p",
            "tcp",
            "-m",
            "tcp",
            "!",
            "--syn",
            "-j",
            "DROP",
        ),
    ),
}
"""What is done to IPv6, and undone."""


_EQUAL = "one of equal default routes"


def _judge(host: EngineHost, turn: int, *, ip6: bool) -> None:
    """Send every packet, compare, and print the sums.  A host's turns need numbers of their own."""
    first = 1 + ROUND * turn
    found = list(judged(host.sandbox, host.snapshot(), host.pids, {LAB_VARIABLE: LAB_ID}, first=first))
    assert MANY < len(found) < ROUND
    families = Counter(item.probe.family for item in found)
    sums = Counter(item.result for item in found)
    ends = Counter(f"{item.probe.family} {'/'.join(filter(None, item.end))}" for item in found)
    print(f"{dict(sums)} of {dict(families)}; {dict(sorted(ends.items()))}")
    wrong = [f"{item.probe}: {item.reasons}" for item in found if item.result == "wrong"]
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong[:20])
    # A container on two of Podman's networks has two equal default routes: which was taken last, nobody sees.
    undecided = [item for item in found if item.result == "unknown" and not any(_EQUAL in it for it in item.reasons)]
    unknown = [f"{item.probe}: {item.reasons}" for item in undecided]
    assert len(unknown) * SPARING <= len(found), "\n".join(unknown[:20])
    assert families["ip6"] >= SOME_IPV6 or not ip6
    assert {"delivered", "refused"} <= {item.end[0] for item in found}


@pytest.mark.matrix
@pytest.mark.parametrize("fault", FAULTS)
def test_every_pair_on_docker(any_docker: DockerHost, fault: str) -> None:
    with any_docker.fault(fault) if fault else nullcontext():
        _judge(any_docker, FAULTS.index(fault), ip6=False)


@pytest.mark.parametrize("fault", ["", *PODMAN.broken])
def test_every_pair_on_podman(podman_host: PodmanHost, fault: str) -> None:
    with podman_host.fault(fault) if fault else nullcontext():
        _judge(podman_host, FAULTS.index(fault), ip6=True)


@pytest.fixture(scope="module", params=["docker-20.10", "docker-28", "podman"])
def six_host(request: pytest.FixtureRequest) -> Iterator[SixHost]:
    """A host on which IPv6 is filtered, translated and published."""
    if request.param == "podman":
        require_podman()
        with SixPodman.start() as podman:
            _settle(podman)
            yield podman
        return
    require_lab(*DOCKER_PROGRAMS, root=True)
    try:
        engine = SYSTEM if request.param == "docker-20.10" else newest_docker()
    except DnetError as error:
        decline(f"{error.message} ({error.hint})")
    with SixDocker.start(engine) as docker:
        _settle(docker)
        yield docker


def _settle(host: EngineHost) -> None:
    """Wait until every IPv6 address has been found to be nobody else's (RFC 4862): before, it answers nobody."""
    end = time.monotonic() + PATIENCE
    for place in ("host", "outside", *host.pids):
        argv = [*host.enter(place), "ip", "-6", "-o", "address", "show", "tentative"]
        while host.run(*argv).stdout.strip() and time.monotonic() < end:
            time.sleep(0.1)


@contextmanager
def _fault6(host: EngineHost, name: str) -> Iterator[None]:
    there, back = FAULTS6[name]
    if not there:
        yield
        return
    host.run(*there)
    try:
        yield
    finally:
        host.run(*back)


@pytest.mark.parametrize("fault", FAULTS6)
def test_every_pair_by_ipv6(six_host: SixHost, fault: str) -> None:
    with _fault6(six_host, fault):
        _judge(six_host, list(FAULTS6).index(fault), ip6=True)
