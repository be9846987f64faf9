"""The fault matrix, names and proxies: named first, repaired, and no trace of it left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.faults.every_host import *  # noqa: F403 - pytest collects them here
from lab.faults.machinery import doctor, serious
from lab.faults.names_family import EXTRA, EXTRA_NAMES, NAMES, SOME_NAME, extra_container
from lab.machines.docker_host import DockerHost
from lab.machines.names import NAME_SERVER, name_servers, serve, serving
from lab.machines.podman_host import PodmanHost
from lab.machines.requirements import require_podman
from lab.packets.plans import OK, REFUSED
from lab.packets.traffic import Probe, expect

CASES = NAMES


STUB = "127.0.0.53"


@contextmanager
def asking(host: DockerHost, *servers: str, network: str = "app") -> Iterator[None]:
    """Run one more container that was started while the host's resolv.conf named these servers."""
    name_servers(host, *servers)
    try:
        with extra_container(host, f"--network={network}"):
            name_servers(host, NAME_SERVER)
            yield
    finally:
        name_servers(host, NAME_SERVER)


def test_the_host_s_own_stub_serves_containers_as_long_as_it_runs(docker28_host: DockerHost) -> None:
    with asking(docker28_host, STUB):
        with serving(docker28_host, STUB):
            expect(docker28_host, {EXTRA_NAMES: OK})
            report = doctor(docker28_host)
            assert (serious(report), report["summary"]["verdict"]) == ([], "healthy")
        expect(docker28_host, {EXTRA_NAMES: REFUSED})
        found = serious(doctor(docker28_host))
    assert [finding["check"] for finding in found] == ["dns-upstream"]
    assert STUB in found[0]["summary"]
    assert EXTRA in found[0]["summary"]


def test_a_server_given_to_one_container_is_asked_from_within_it(docker28_host: DockerHost) -> None:
    with extra_container(docker28_host, "--network=app", f"--dns={NAME_SERVER}", ready=EXTRA_NAMES):
        report = doctor(docker28_host)
        snapshot = docker28_host.snapshot()
    resolver = next(item.resolver for item in snapshot.containers if item.name == EXTRA)
    assert resolver is not None
    assert [(item.address, item.from_host) for item in resolver.upstreams or ()] == [(NAME_SERVER, False)]
    assert resolver.overridden
    assert (serious(report), report["summary"]["verdict"]) == ([], "healthy")


def test_servers_that_docker_put_in_by_itself_are_told(docker28_host: DockerHost) -> None:
    with asking(docker28_host, "127.0.0.1", network="bridge"):
        report = doctor(docker28_host)
    assert [(item["check"], item["severity"]) for item in report["findings"]] == [("dns-fallback", "info")]
    assert "8.8.8.8" in report["findings"][0]["summary"]
    assert report["summary"]["verdict"] == "healthy"


class EarlyHost(PodmanHost):
    """A Podman host on which another program holds port 53 on every address before any container is started."""

    def _configure(self) -> None:
        super()._configure()
        self.helpers.append(serve(self, "host", "0.0.0.0"))  # noqa: S104 - that is the fault


@pytest.mark.podman
def test_a_program_that_holds_port_53_everywhere_keeps_podman_s_name_server_out() -> None:
    require_podman()
    names = Probe("app1", "10.110.0.1", 53, "dns", answers=f"app2.{SOME_NAME}")
    with EarlyHost.start() as host:
        found = serious(doctor(host))
        sockets = next(ns for ns in host.snapshot().namespaces if ns.kind == "host").sockets
        expect(host, {names: OK})  # the other program answers, whatever the name
    assert not [item for item in sockets if item.process == "aardvark-dns"]
    assert {finding["check"] for finding in found} == {"aardvark-conflict"}
    assert "app" in {finding["subject"]["name"] for finding in found}
