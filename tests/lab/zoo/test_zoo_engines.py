"""The healthy zoo with real engines: traffic passes, and the doctor reports no error and no warning."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dnet_tui.inspect.errors import DnetError
from lab.faults.kinds import once_settled
from lab.faults.machinery import commanded
from lab.faults.six_hosts import SixDocker
from lab.machines.docker_engines import SYSTEM, DockerEngine, newest_docker
from lab.machines.docker_host import DockerHost
from lab.machines.docker_layout import OUTSIDE_SERVER6
from lab.machines.hosts import LabHost
from lab.machines.image import HTTPD, IMAGE, SLEEP, run_arguments
from lab.machines.podman_host import PodmanHost
from lab.machines.requirements import DOCKER_PROGRAMS, decline, require_lab, require_podman
from lab.packets.plans import EGRESS, FROM_HOST, PUBLISHED
from lab.packets.traffic import Probe, Went, expect
from lab.zoo.engine_hosts import Both, Configured, Empty, Legacy, LiveRestore, OwnRules, Proxyless

OK = Went.OK
USUAL = {EGRESS: OK, PUBLISHED: OK, FROM_HOST: OK}
"""What passes on every host with the usual containers."""

MANY = 14
"""Networks beyond those that a host has anyway."""


def engine_of(name: str) -> DockerEngine:
    require_lab(*DOCKER_PROGRAMS, root=True)
    try:
        return SYSTEM if name == "20.10" else newest_docker()
    except DnetError as error:
        decline(f"{error.message} ({error.hint})")


def is_left_in_peace(host: LabHost, *, decided: bool = True) -> None:
    """Assert that the doctor finds nothing that would be an error or a warning."""
    result = host.dnet("doctor", "--format", "json")
    assert result.stdout, result.stderr.decode()
    report: dict[str, Any] = json.loads(result.stdout)
    assert [item for item in report["findings"] if item["severity"] != "info"] == []
    unsure = [item for item in report["checks"] if item["outcome"] in {"unknown", "crashed"}]
    assert not decided or unsure == []


both_versions = pytest.mark.parametrize("version", ["20.10", "28"])


@pytest.mark.docker
@both_versions
@pytest.mark.parametrize("kind", [Proxyless, OwnRules, Legacy], ids=lambda kind: kind.__name__)
def test_docker_under_other_settings(kind: type[Configured], version: str) -> None:
    with kind.start(engine_of(version)) as host:
        expect(host, USUAL)
        is_left_in_peace(host)


@pytest.mark.docker
@both_versions
def test_docker_without_a_container_or_a_network_of_its_own(version: str) -> None:
    with Empty.start(engine_of(version)) as host:
        is_left_in_peace(host)


@pytest.mark.docker
@both_versions
def test_docker_whose_daemon_is_away_while_its_containers_run_on(version: str) -> None:
    with LiveRestore.start(engine_of(version)) as host:
        assert host.daemon is not None
        host.daemon.terminate()
        host.daemon.wait()
        expect(host, USUAL)
        is_left_in_peace(host, decided=False)


@pytest.mark.docker
@pytest.mark.podman
def test_docker_and_podman_side_by_side() -> None:
    require_podman()
    with Both.start(engine_of("20.10")) as host:
        expect(host, {**USUAL, Probe("outside", PUBLISHED.to, 8099, answers="pod1"): OK})
        is_left_in_peace(host)


@pytest.mark.podman
def test_podman_alone(podman_host: PodmanHost) -> None:
    expect(podman_host, USUAL)
    is_left_in_peace(podman_host)


# -- what can be put onto the usual Docker host and taken off again --------------------------------


@contextmanager
def many_networks(host: DockerHost) -> Iterator[None]:
    names = [f"more{number}" for number in range(MANY)]
    for number, name in enumerate(names):
        host.docker("network", "create", f"--subnet=10.90.{number}.0/24", name)
    try:
        yield
    finally:
        host.docker("network", "rm", *names)


@contextmanager
def stopped_containers(host: DockerHost) -> Iterator[None]:
    host.docker(*run_arguments("ended", ("-p", "9091:80"), ("sh", "-c", "exit 3")))
    host.docker("create", "--name=created", "-p", "9092:80", IMAGE, *HTTPD)
    host.docker(*run_arguments("paused", ("--network=app",), SLEEP))
    host.docker("pause", "paused")
    try:
        yield
    finally:
        host.docker("unpause", "paused")
        host.docker("rm", "--force", "--volumes", "ended", "created", "paused")


ADDITIONS: dict[str, Callable[[DockerHost], Any]] = {"many networks": many_networks, "stopped": stopped_containers}


@pytest.mark.docker
@pytest.mark.parametrize("name", ["as it is", *ADDITIONS])
def test_the_usual_docker_host_with_all_kinds_of_networks(any_docker: DockerHost, name: str) -> None:
    # Internal, icc=false, and since 28 routed, nat-unprotected, isolated and IPv6 are on it anyway.
    if name not in ADDITIONS:
        return is_left_in_peace(any_docker)
    with ADDITIONS[name](any_docker):
        expect(any_docker, USUAL)
        is_left_in_peace(any_docker)
    return None


# -- IPv6 ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["20.10", "28"])
def six(request: pytest.FixtureRequest) -> Iterator[SixDocker]:
    with SixDocker.start(engine_of(request.param)) as host:
        once_settled(host)
        yield host


@pytest.mark.docker
def test_ipv6_beside_ipv4(six: SixDocker) -> None:
    is_left_in_peace(six)


@pytest.mark.docker
def test_a_host_that_has_lost_ipv4_on_its_uplink(six: SixDocker) -> None:
    address = "203.0.113.2/24"
    route = ("default", "via", "203.0.113.1")
    there = [("ip", "address", "del", address, "dev", "eth0")]
    back = [("ip", "address", "add", address, "dev", "eth0"), ("ip", "route", "add", *route)]
    with commanded(six, there, back):
        expect(six, {Probe("six1", OUTSIDE_SERVER6, proto="icmp", family="ip6"): OK})
        is_left_in_peace(six)


@pytest.mark.docker
def test_a_host_without_ipv6_outside_whose_networks_have_it(six: SixDocker) -> None:
    default = six.run("ip", "-6", "route", "show", "default").stdout.decode().split()
    words = default[: default.index("pref")] if "pref" in default else default
    with commanded(six, [("ip", "-6", "route", "del", *words)], [("ip", "-6", "route", "add", *words)]):
        is_left_in_peace(six)


@pytest.mark.docker
def test_a_network_of_ipv6_alone(six: SixDocker) -> None:
    if six.release < (28,):
        assert six.release < (28,), "only since 28 can a network do without IPv4"
        return
    six.docker("network", "create", "--ipv4=false", "--ipv6", "--subnet=fd00:90::/64", "lone")
    try:
        six.docker(*run_arguments("lone1", ("--network=lone", "-p", "8098:80"), HTTPD))
        six.docker(*run_arguments("lone2", ("--network=lone",), HTTPD))
        is_left_in_peace(six)
    finally:
        six.docker("rm", "--force", "--volumes", "lone1", "lone2")
        six.docker("network", "rm", "lone")
