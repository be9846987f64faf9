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


INSIDE = (
    "address add 172.30.1.77/24 dev eth0 metric 77 noprefixroute label eth0:odd",
    "address add 172.30.1.78/32 dev eth0 valid_lft 3000 preferred_lft 1500",
    "address add 10.45.0.1 peer 10.45.0.2/32 dev eth0",
    "address add fd00:45::1/64 dev eth0 nodad",
    "route add 10.61.0.0/24 dev eth0 metric 50",
    "route add 10.62.0.0/24 via 192.0.2.9 dev eth0 onlink",
    "route add 10.63.0.0/24 via 172.30.1.1 mtu lock 1300 advmss 1200 src 172.30.1.77",
    "route add default via 172.30.1.1 table 77",
    "route add unreachable 10.64.0.0/24",
    "-6 route add fd00:61::/64 via fd00:45::9 metric 33 pref high",
    "rule add from 172.30.1.77 lookup 77",
    "rule add iif eth0 lookup 78",
    "link set dev eth0 txqueuelen 55 gso_max_size 30000 gso_max_segs 9",
)


def test_what_is_inside_is_put_back_to_the_last_setting(demo_host: DemoHost) -> None:
    port = _port_of(demo_host, "api")
    demo_host.run("ip", "link", "set", "dev", port, "txqueuelen", "77", "gso_max_size", "40000")
    for line in INSIDE:
        demo_host.run("ip", "-n", "api", *line.split())
    before, rules = portrait(demo_host), demo_host.run("ip", "-n", "api", "rule").stdout
    plan = demo_host.dnet("net", "disconnect", "front", "api", "--dry-run").stdout.decode()
    assert "the time that 172.30.1.78 has left stands still until undo puts it back" in plan
    net(demo_host, "disconnect", "front", "api")
    assert difference(before, portrait(demo_host)) != ""
    undo(demo_host)
    assert difference(before, portrait(demo_host)) == ""
    assert demo_host.run("ip", "-n", "api", "rule").stdout == rules
    (link,) = json.loads(demo_host.run("ip", "-n", "api", "-j", "address", "show", "dev", "eth0").stdout)
    (left,) = [item for item in link["addr_info"] if item["local"] == "172.30.1.78"]
    assert 2800 < left["valid_life_time"] <= 3000
    assert 1300 < left["preferred_life_time"] <= 1500


def test_a_route_that_could_not_be_put_back_is_said_before(demo_host: DemoHost) -> None:
    hops = "nexthop via 172.30.1.8 dev eth0 nexthop via 172.30.1.9 dev eth0"
    demo_host.run("ip", "-n", "api", "route", "add", "10.65.0.0/24", *hops.split())
    plan = demo_host.dnet("net", "disconnect", "front", "api", "--dry-run").stdout.decode()
    assert "undo does not put back routes with several ways or conditions: 10.65.0.0/24" in plan


def test_a_queue_inside_keeps_a_pair_connected(demo_host: DemoHost) -> None:
    demo_host.run("tc", "-n", "api", "qdisc", "add", "dev", "eth0", "root", "handle", "7:", "pfifo", "limit", "9")
    before = portrait(demo_host)
    ran = demo_host.dnet("net", "disconnect", "front", "api", "--yes")
    assert ran.returncode == 1
    assert b"eth0 in api has a queueing discipline or filters (tc), which undo could not put back" in ran.stderr
    assert b"(nothing was changed)" in ran.stderr
    assert portrait(demo_host) == before
