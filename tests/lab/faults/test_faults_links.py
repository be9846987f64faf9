"""The fault matrix, links, bridges, addresses and routes: named first, repaired, and no trace of it left."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from lab.faults.every_host import *  # noqa: F403 - pytest collects them here
from lab.faults.links_family import LINKS, PROXYLESS, healthy_traffic, ip
from lab.faults.machinery import Case, commanded, doctor, prove_or_say_why, serious
from lab.faults.names_family import HELD_CLIENT
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost, LabHost, python_argv
from lab.machines.image import HTTPD, IMAGE, run_arguments
from lab.machines.requirements import DOCKER_PROGRAMS, require_lab
from lab.packets.plans import EGRESS, OK, PUBLISHED, UNREACHABLE
from lab.packets.traffic import expect

CASES = LINKS


class ProxylessHost(DockerHost):
    """A Docker host whose daemon runs without the userland proxy, with a neighbour of ``web`` on its network."""

    def write(self, path: str, text: str) -> None:
        super().write(path, '{"userland-proxy": false}' if path.endswith("daemon.json") else text)


@pytest.fixture(scope="module")
def proxyless_host() -> Iterator[ProxylessHost]:
    require_lab(*DOCKER_PROGRAMS, root=True)
    with ProxylessHost.start() as host:
        host.docker(*run_arguments("near", (), HTTPD))
        host.pids["near"] = int(host.docker("inspect", "--format={{.State.Pid}}", "near"))
        expect(host, healthy_traffic(host))
        yield host


@pytest.mark.docker
@pytest.mark.parametrize("case", [*PROXYLESS, HELD_CLIENT], ids=lambda case: case.id)
def test_on_a_docker_host_without_a_proxy(proxyless_host: ProxylessHost, case: Case) -> None:
    prove_or_say_why(proxyless_host, case)
    expect(proxyless_host, healthy_traffic(proxyless_host))


def test_a_host_without_a_way_out_is_warned_of_unless_that_is_meant(demo_host: DemoHost) -> None:
    gateway = ip(demo_host, "route", "show", "default")[0]["gateway"]
    words = ("default", "via", gateway)
    with commanded(demo_host, [("ip", "route", "del", *words)], [("ip", "route", "add", *words)]):
        expect(demo_host, {EGRESS: UNREACHABLE, PUBLISHED: OK})
        report = doctor(demo_host)
        meant = doctor(demo_host, "--skip", "host-no-uplink")
    assert [(item["check"], item["severity"]) for item in report["findings"]] == [("host-no-uplink", "warning")]
    assert meant["findings"] == []


_BULK = """
import socket, sys
with socket.create_connection((sys.argv[1], 80), timeout=1.5) as sock:
    sock.sendall(b"GET /hostname HTTP/1.0\\r\\nX: " + b"x" * 5000 + b"\\r\\n\\r\\n")
    sys.exit(not sock.recv(100).startswith(b"HTTP"))
"""


def _uploads(host: LabHost) -> bool:
    """Whether 5,000 bytes get from ``web`` to the internet at once."""
    argv = [*host.enter("web"), *python_argv(_BULK), "198.51.100.10"]
    return host.run(*argv, check=False).returncode == 0


def test_a_narrow_uplink_is_information_and_an_error_where_its_message_is_dropped(demo_host: DemoHost) -> None:
    narrow = [("ip", "link", "set", "dev", "eth0", "mtu", "1300")]
    wide = [("ip", "link", "set", "dev", "eth0", "mtu", "1500")]
    words = ("OUTPUT", "-p", "icmp", "-j", "DROP")
    assert _uploads(demo_host)
    with commanded(demo_host, narrow, wide):
        # First the fault: once the container has learned the size, it remembers it.
        with commanded(demo_host, [("iptables-nft", "-w", "-I", *words)], [("iptables-nft", "-w", "-D", *words)]):
            assert not _uploads(demo_host)
            expect(demo_host, {EGRESS: OK})
            assert [item["check"] for item in serious(doctor(demo_host))] == ["mtu-blackhole"]
            assert demo_host.dnet("fix", "mtu-blackhole", "--yes").returncode == 0
            assert _uploads(demo_host)
            assert serious(doctor(demo_host)) == []
            assert demo_host.dnet("undo", "--yes").returncode == 0
        report = doctor(demo_host)
        assert [(item["check"], item["severity"]) for item in report["findings"]] == [("mtu-blackhole", "info")]


def test_a_port_that_a_stopped_container_wants_and_another_holds_is_told(docker_host: DockerHost) -> None:
    code = (
        "import socket,sys,time; s=socket.create_server(('0.0.0.0', 9099)); print('ready', flush=True); time.sleep(60)"
    )
    holder = docker_host.sandbox.popen(python_argv(code), stdout=subprocess.PIPE, new_session=True)
    docker_host.docker("create", "--name=late", "--publish=9099:80", IMAGE, *HTTPD)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        report = doctor(docker_host)
    finally:
        docker_host.docker("rm", "--force", "late")
        os.killpg(holder.pid, signal.SIGKILL)
        holder.communicate()
    assert [(item["check"], item["severity"]) for item in report["findings"]] == [("port-taken", "info")]
    assert "late" in report["findings"][0]["summary"]


def test_a_wider_route_over_a_network_is_only_told(demo_host: DemoHost) -> None:
    words = ("172.16.0.0/12", "via", "203.0.113.1", "dev", "eth0")
    with commanded(demo_host, [("ip", "route", "add", *words)], [("ip", "route", "del", *words)]):
        report = doctor(demo_host)
    assert {(item["check"], item["severity"]) for item in report["findings"]} == {("subnet-overlap", "info")}
