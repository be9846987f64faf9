"""Containers and plain namespaces, connected to networks and disconnected: shown by traffic, and taken back."""

from __future__ import annotations

import json

import pytest

from lab.actions.private_etc import own_etc
from lab.actions.test_fix_and_undo import picture, undo
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import OUTSIDE_SERVER, DemoHost, LabHost
from lab.machines.podman_host import PodmanHost
from lab.packets.traffic import Probe, Went, expect
from lab.sequences.sequences import difference, portrait


def net(host: LabHost, *arguments: str) -> str:
    ran = host.dnet("net", *arguments, "--yes")
    assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode()
    return ran.stdout.decode()


def addresses(host: LabHost, container: str) -> set[str]:
    rows = json.loads(host.dnet("ls", "containers", "--format", "json").stdout)
    (row,) = [item for item in rows if item["name"] == container]
    found = {cidr.partition("/")[0] for item in row["interfaces"] for cidr in item["addresses"]}
    return {address for address in found if not address.startswith(("fe80:", "127.", "::1"))}


def inside(host: LabHost, namespace: str) -> str:
    shown = (
        host.run("ip", "-n", namespace, "-o", "address").stdout.decode()
        + host.run("ip", "-n", namespace, "route").stdout.decode()
    )
    return "\n".join(sorted(" ".join(line.split()[1:]) for line in shown.splitlines() if "fe80" not in line))


def test_a_plain_namespace_becomes_a_guest_and_is_taken_out(demo_host: DemoHost) -> None:
    demo_host.run("ip", "netns", "add", "guest")
    demo_host.run("ip", "-n", "guest", "link", "set", "lo", "up")
    net(demo_host, "create", "side", "--engine", "linux", "--subnet", "10.33.0.0/24")
    before, empty = picture(demo_host), inside(demo_host, "guest")
    net(demo_host, "connect", "side", "guest", "--ip", "10.33.0.7")
    assert addresses(demo_host, "guest") == {"10.33.0.7"}
    expect(
        demo_host,
        {
            Probe("host", "10.33.0.7", proto="icmp"): Went.OK,
            Probe("guest", OUTSIDE_SERVER, proto="icmp"): Went.OK,
            Probe("guest", "web", proto="icmp"): Went.TIMEOUT,
        },
    )
    assert demo_host.dnet("doctor").returncode == 0
    connected, links = inside(demo_host, "guest"), picture(demo_host)["links"]
    net(demo_host, "disconnect", "side", "guest")
    assert inside(demo_host, "guest") == empty
    assert picture(demo_host) == before
    undo(demo_host)
    assert inside(demo_host, "guest") == connected
    assert picture(demo_host)["links"] == links
    undo(demo_host)
    assert inside(demo_host, "guest") == empty
    assert picture(demo_host) == before


def test_two_guests_get_addresses_of_their_own(demo_host: DemoHost) -> None:
    net(demo_host, "create", "side", "--engine", "linux", "--subnet", "10.33.0.0/24", "--subnet", "fd00:33::/64")
    for name in ("one", "two"):
        demo_host.run("ip", "netns", "add", name)
        net(demo_host, "connect", "side", name)
    demo_host.addresses["two"] = "10.33.0.3"
    assert addresses(demo_host, "one") == {"10.33.0.2", "fd00:33::2"}
    assert addresses(demo_host, "two") == {"10.33.0.3", "fd00:33::3"}
    expect(demo_host, {Probe("one", "two", proto="icmp"): Went.OK})


def test_namespaces_come_with_a_network_and_go_with_it(demo_host: DemoHost) -> None:
    own_etc(demo_host)
    before = picture(demo_host)
    names = ("--namespace", "one", "--namespace", "two")
    subnets = ("--subnet", "10.33.0.0/24", "--subnet", "fd00:33::/64")
    net(demo_host, "create", "side", "--engine", "linux", *subnets, "--mtu", "1400", *names)
    assert addresses(demo_host, "one") == {"10.33.0.2", "fd00:33::2"}
    assert addresses(demo_host, "two") == {"10.33.0.3", "fd00:33::3"}
    net(demo_host, "attach", "side", "three", "--ip", "10.33.0.9")
    assert addresses(demo_host, "three") == {"10.33.0.9", "fd00:33::4"}
    demo_host.addresses["two"] = "10.33.0.3"
    expect(
        demo_host,
        {
            Probe("one", "two", proto="icmp"): Went.OK,
            Probe("three", OUTSIDE_SERVER, proto="icmp"): Went.OK,
            Probe("host", "10.33.0.9", proto="icmp"): Went.OK,
            Probe("one", "web", proto="icmp"): Went.TIMEOUT,
        },
    )
    assert demo_host.run("ip", "netns", "exec", "one", "cat", "/etc/resolv.conf").stdout.endswith(b"192.0.2.53\n")
    assert "mtu 1400" in demo_host.run("ip", "-n", "one", "link", "show", "eth0").stdout.decode()
    assert demo_host.dnet("doctor").returncode == 0
    again = demo_host.dnet("net", "attach", "side", "three", "--yes")
    assert (again.returncode, b"connected to side already" in again.stderr) == (2, True)
    undo(demo_host)
    undo(demo_host)
    assert picture(demo_host) == before
    assert demo_host.run("find", "/etc/netns", check=False).stdout == b""
    assert not {"one", "two", "three"} & set(demo_host.run("ip", "netns").stdout.decode().split())


def test_docker_connects_its_containers(any_docker: DockerHost) -> None:
    any_docker.docker("network", "create", "--subnet=10.34.0.0/24", "extra")
    try:
        ran = any_docker.dnet("net", "connect", "extra", "app1", "--ip", "10.34.0.77", "--alias", "friend", "--yes")
        assert ran.returncode == 0, ran.stderr.decode()
        assert "10.34.0.77" in addresses(any_docker, "app1")
        assert any_docker.dnet("net", "connect", "extra", "app1", "--yes").returncode == 2
        net(any_docker, "disconnect", "extra", "app1")
        undo(any_docker)
        assert "10.34.0.77" in addresses(any_docker, "app1")
        undo(any_docker)
        assert "10.34.0.77" not in addresses(any_docker, "app1")
    finally:
        any_docker.docker("network", "rm", "extra")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("connect", "front", "web"), "connected to front already"),
        (("connect", "front", "gone"), "no container named gone"),
        (("connect", "gone", "web"), "no network named gone"),
        (("connect", "back", "web", "--ip", "10.1.1.1"), "outside of back"),
        (("connect", "back", "web", "--ip", "172.30.2.2"), "is taken"),
        (("connect", "back", "web", "--alias", "x"), "has no names"),
        (("disconnect", "back", "web"), "not connected to back"),
    ],
)
def test_what_does_not_fit_is_said(demo_host: DemoHost, arguments: tuple[str, ...], words: str) -> None:
    before = picture(demo_host)
    ran = demo_host.dnet("net", *arguments, "--yes")
    assert ran.returncode == 2, ran.stdout.decode()
    assert words in ran.stderr.decode()
    assert picture(demo_host) == before


def test_podman_connects_its_containers(podman_host: PodmanHost) -> None:
    podman_host.podman("network", "create", "--subnet=10.35.0.0/24", "extra")
    try:
        before = addresses(podman_host, "app1")
        net(podman_host, "connect", "extra", "app1", "--engine", "podman")
        assert any(item.startswith("10.35.0.") for item in addresses(podman_host, "app1"))
        undo(podman_host)
        assert addresses(podman_host, "app1") == before
    finally:
        podman_host.podman("network", "rm", "-f", "extra")


def test_a_pair_is_put_back_with_what_was_set_on_it(demo_host: DemoHost) -> None:
    name = _port_of(demo_host, "api")
    demo_host.run("ip", "link", "set", "dev", name, "alias", 'of "api"; x', "group", "7")
    demo_host.run("bridge", "link", "set", "dev", name, "hairpin", "on", "isolated", "on", "flood", "off")
    demo_host.run("ip", "-n", "api", "link", "set", "dev", "eth0", "alias", "inside", "group", "8")
    before = portrait(demo_host)
    net(demo_host, "disconnect", "front", "api")
    undo(demo_host)
    assert difference(before, portrait(demo_host)) == ""


def test_a_queue_that_could_not_be_put_back_keeps_a_pair_connected(demo_host: DemoHost) -> None:
    name = _port_of(demo_host, "api")
    demo_host.run("tc", "qdisc", "add", "dev", name, "root", "handle", "7:", "pfifo", "limit", "9")
    before = portrait(demo_host)
    ran = demo_host.dnet("net", "disconnect", "front", "api", "--yes")
    assert ran.returncode == 1
    assert b"which undo could not put back (nothing was changed)" in ran.stderr
    assert portrait(demo_host) == before


def _port_of(host: LabHost, container: str) -> str:
    """The bridge's end of a container's pair."""
    links = json.loads(host.run(*host.enter(container), "ip", "-j", "link", "show", "eth0").stdout)
    mine = json.loads(host.run("ip", "-j", "link").stdout)
    return next(str(link["ifname"]) for link in mine if link["ifindex"] == links[0]["link_index"])
