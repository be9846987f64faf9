"""Routes to container subnets of other hosts: both ways by traffic, seen as healthy, taken back whole."""

from __future__ import annotations

import pytest

from lab.actions.test_fix_and_undo import picture, undo
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import UPLINK_ADDRESS, DemoHost, LabHost, python_argv

FAR = "10.99.0.2"


@pytest.fixture
def neighbour(request: pytest.FixtureRequest) -> str:
    """The address of the other host: the lab's outside, which has a container subnet's address too."""
    del request
    return "203.0.113.1"


def other_host(host: LabHost, subnets: tuple[str, ...]) -> None:
    """Make the outside a host with containers: an address in 10.99.0.0/24, and the way back to these subnets."""
    inside = host.enter("outside")
    host.run(*inside, "ip", "address", "add", f"{FAR}/32", "dev", "lo", check=False)
    for subnet in subnets:
        host.run(*inside, "ip", "route", "replace", subnet, "via", UPLINK_ADDRESS)


def no_other_host(host: LabHost, subnets: tuple[str, ...]) -> None:
    inside = host.enter("outside")
    host.run(*inside, "ip", "address", "del", f"{FAR}/32", "dev", "lo")
    for subnet in subnets:
        host.run(*inside, "ip", "route", "del", subnet)


def route(host: LabHost, *arguments: str) -> str:
    ran = host.dnet("route", *arguments, "--yes")
    assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode()
    return ran.stdout.decode()


def check(host: LabHost, container: str, subnets: tuple[str, ...], gateway: str) -> None:
    healthy = host.dnet("doctor").returncode
    other_host(host, subnets)
    before = picture(host), host.run("ip", "route").stdout
    address = host.addresses[container]
    try:
        said = route(host, "add", "10.99.0.0/24", "via", gateway)
        assert f"{container} → {FAR}: arrives as {address}; what comes from there reaches it" in said
        # The other host's containers are reached as who one is, and reach any port here.
        host.run(*host.enter("outside"), *python_argv(_KNOCK), FAR, address)
        assert seen_from(host, container) == address
        assert host.dnet("doctor").returncode == healthy
        during = picture(host), host.run("ip", "route").stdout
        route(host, "rm", "10.99.0.0/24")
        assert b"10.99.0.0" not in host.run("ip", "route").stdout
        undo(host)
        assert (picture(host), host.run("ip", "route").stdout) == during
        undo(host)
        assert (picture(host), host.run("ip", "route").stdout) == before
    finally:
        no_other_host(host, subnets)


def seen_from(host: LabHost, container: str, far: str = FAR) -> str:
    """Whom the other host's container sees when a container of this host connects to it."""
    argv = (*host.enter("outside"), *python_argv(_SEEN), far, *host.enter(container))
    return host.run(*argv, timeout=20).stdout.decode().strip()


_KNOCK = """
import socket, sys
socket.create_connection((sys.argv[2], 80), 3, source_address=(sys.argv[1], 0)).close()
"""

_SEEN = """
import socket, subprocess, sys
far, *enter = sys.argv[1:]
with socket.create_server((far, 7070), family=socket.AF_INET6 if ":" in far else socket.AF_INET) as server:
    server.settimeout(5)
    code = f"import socket; socket.create_connection(('{far}', 7070), 3).close()"
    with subprocess.Popen([*enter, sys.executable, "-c", code]) as client:
        connection, peer = server.accept()
        connection.close()
        client.wait()
print(peer[0])
"""


def test_from_plain_namespaces(demo_host: DemoHost, neighbour: str) -> None:
    check(demo_host, "web", ("172.30.1.0/24", "172.30.2.0/24"), neighbour)


def test_beside_docker(any_docker: DockerHost, neighbour: str) -> None:
    check(any_docker, "app1", ("10.10.0.0/24",), neighbour)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "10.99.0.0/24", "via", "198.51.100.9"), "on no network of this host"),
        (("add", "10.99.0.0/24", "via", UPLINK_ADDRESS), "this host itself"),
        (("add", "172.30.1.0/25", "via", "203.0.113.1"), "overlaps with"),
        (("add", "10.99.0.1/24", "via", "203.0.113.1"), "no route"),
        (("add", "0.0.0.0/0", "via", "203.0.113.1"), "no default routes"),
        (("add", "10.99.0.0/24", "via", "203.0.113.1", "--network", "vault"), "internal"),
        (("add", "10.99.0.0/24", "via", "203.0.113.1", "--network", "gone"), "no bridge network named gone"),
        (("add", "fd00:60::/64", "via", "203.0.113.1"), "different families"),
        (("rm", "10.99.0.0/24"), "has made no route"),
    ],
)
def test_what_is_no_such_route_is_said(demo_host: DemoHost, arguments: tuple[str, ...], words: str) -> None:
    before = picture(demo_host)
    ran = demo_host.dnet("route", *arguments, "--yes")
    assert ran.returncode == 2, ran.stdout.decode()
    assert words in ran.stderr.decode()
    assert picture(demo_host) == before
