"""Networks of Podman, and of IPv6: created, used, removed, taken back, on real hosts."""

from __future__ import annotations

import json

import pytest

from dnet_tui.actions.demo.topology import DEMO
from lab.actions.private_etc import own_etc
from lab.actions.test_fix_and_undo import picture, undo
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import OUTSIDE_SERVER, DemoHost, LabHost, python_argv
from lab.machines.podman_host import PodmanHost
from lab.packets.traffic import Probe, Went, expect

SUBNETS = ("--subnet", "10.188.0.0/24", "--subnet", "fd00:88::/64")
VOLATILE = ("id", "created")


def net(host: LabHost, *arguments: str) -> str:
    """Run ``dnet-tui net …`` without asking; returns what it printed."""
    ran = host.dnet("net", *arguments, "--yes")
    assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode()
    return ran.stdout.decode()


def podman_network(host: PodmanHost, name: str) -> dict[str, object]:
    """What Podman says of a network, but what differs each time it is made."""
    (found,) = json.loads(host.run("podman", "network", "inspect", name).stdout)
    return {key: value for key, value in found.items() if key not in VOLATILE}


def podman_networks(host: PodmanHost) -> set[str]:
    return set(host.run("podman", "network", "ls", "--format={{.Name}}").stdout.decode().split())


def test_a_podman_network_is_created_by_podman_and_taken_back(podman_host: PodmanHost) -> None:
    before = podman_networks(podman_host)
    net(podman_host, "create", "side", "--engine", "podman", *SUBNETS, "--mtu", "1400", "--gateway", "10.188.0.9")
    made = podman_network(podman_host, "side")
    assert made["subnets"] == [
        {"subnet": "10.188.0.0/24", "gateway": "10.188.0.9"},
        {"subnet": "fd00:88::/64", "gateway": "fd00:88::1"},
    ]
    assert made["options"] == {"mtu": "1400"}
    assert made["ipv6_enabled"] is True
    undo(podman_host)
    assert podman_networks(podman_host) == before


def test_a_podman_network_removed_is_created_again_by_undo(podman_host: PodmanHost) -> None:
    for arguments in (("--internal",), ("--disable-dns", "--opt=mtu=1300"), ("--ipv6", "--subnet=fd00:89::/64")):
        podman_host.run("podman", "network", "create", "--subnet=10.188.0.0/24", *arguments, "back")
        before = podman_network(podman_host, "back")
        net(podman_host, "rm", "back", "--engine", "podman")
        assert "back" not in podman_networks(podman_host)
        undo(podman_host)
        assert podman_network(podman_host, "back") == before, arguments
        podman_host.run("podman", "network", "rm", "back")


def test_podmans_networks_in_use_and_its_own_are_left_alone(podman_host: PodmanHost) -> None:
    for name, said in (("app", "in use by"), ("podman", "")):
        refused = podman_host.dnet("net", "rm", name, "--engine", "podman", "--yes")
        assert refused.returncode in (1, 2)
        assert said in refused.stderr.decode()
    assert {"app", "podman"} <= podman_networks(podman_host)


def test_a_docker_network_gets_both_families_and_is_taken_back(docker_host: DockerHost) -> None:
    before = picture(docker_host)
    net(docker_host, "create", "side", *SUBNETS, "--gateway", "fd00:88::9")
    (network,) = json.loads(docker_host.docker("network", "inspect", "side"))
    assert network["EnableIPv6"] is True
    assert network["IPAM"]["Config"] == [
        {"Subnet": "10.188.0.0/24", "Gateway": "10.188.0.1"},
        {"Subnet": "fd00:88::/64", "Gateway": "fd00:88::9"},
    ]
    undo(docker_host)
    after = picture(docker_host)
    before.pop("sysctls"), after.pop("sysctls")  # Docker itself turns IPv6 forwarding on, and leaves it on
    assert after == before


def test_a_docker_network_of_both_families_removed_is_created_again_by_undo(docker_host: DockerHost) -> None:
    docker_host.docker("network", "create", "--subnet=10.188.0.0/24", "--ipv6", "--subnet=fd00:88::/64", "back")
    (before,) = json.loads(docker_host.docker("network", "inspect", "back"))
    net(docker_host, "rm", "back")
    undo(docker_host)
    (after,) = json.loads(docker_host.docker("network", "inspect", "back"))
    docker_host.docker("network", "rm", "back")
    for volatile in ("Id", "Created"):
        before.pop(volatile), after.pop(volatile)
    assert after == before


KNOCK = """
import socket, sys, time
for _ in range(20):  # the bridge's address is checked for duplicates first
    with socket.socket(socket.AF_INET6) as knock:
        knock.settimeout(1)
        try:
            knock.connect((sys.argv[1], 9))
        except ConnectionRefusedError:  # nobody listens there, and the answer has found its way back
            sys.exit(0)
        except OSError:
            time.sleep(0.5)
sys.exit(1)
"""


def reaches6(host: DemoHost, guest: str, address: str) -> bool:
    return host.run(*host.enter(guest), *python_argv(KNOCK), address, check=False).returncode == 0


def test_a_linux_network_of_both_families_forwards_both_and_undo_removes_it_whole(demo_host: DemoHost) -> None:
    host = demo_host
    host.run("sysctl", "-w", "net.ipv6.conf.all.forwarding=0")
    # Another bridge with a guest of its own stands for the world: it must be reached, masqueraded, and not reach back.
    host.run("ip", "netns", "add", "far")
    host.run("ip", "link", "add", "vfar", "type", "veth", "peer", "name", "eth0", "netns", "far")
    for line in (
        "ip link set vfar up", "ip address add 2001:db8:99::1/64 dev vfar nodad",
        "ip -n far link set eth0 up", "ip -n far address add 2001:db8:99::2/64 dev eth0 nodad",
    ):  # fmt: skip
        host.run(*line.split())
    before = picture(host)
    net(host, "create", "side", "--engine", "linux", *SUBNETS)
    try:
        host.run("ip", "netns", "add", "guest")
        host.run("ip", "link", "add", "vguest", "type", "veth", "peer", "name", "eth0", "netns", "guest")
        for line in (
            "ip link set vguest master br-side up", "ip -n guest link set eth0 up",
            "ip -n guest address add fd00:88::5/64 dev eth0 nodad", "ip -n guest route add default via fd00:88::1",
        ):  # fmt: skip
            host.run(*line.split())
        assert reaches6(host, "guest", "2001:db8:99::2")  # which has no way back but to the host's own address
        doctor = host.dnet("doctor")
        assert doctor.returncode == 0, doctor.stdout.decode()
    finally:
        host.run("ip", "link", "del", "vguest", check=False)
        host.run("ip", "netns", "del", "guest", check=False)
    undo(host)
    assert picture(host) == before
    host.run("ip", "link", "del", "vfar")
    host.run("ip", "netns", "del", "far")


def test_a_linux_network_of_both_families_removed_is_put_back_by_undo(demo_host: DemoHost) -> None:
    net(demo_host, "create", "side", "--engine", "linux", *SUBNETS, "--no-icc")
    made = picture(demo_host)
    net(demo_host, "rm", "side")
    assert "br-side" not in picture(demo_host)["rules"]
    undo(demo_host)
    assert picture(demo_host) == made


@pytest.mark.parametrize("obstacle", ["port", "route"])
def test_a_network_in_use_is_refused_before_anything_is_deleted(demo_host: DemoHost, obstacle: str) -> None:
    net(demo_host, "create", "side", "--engine", "linux", *SUBNETS)
    demo_host.run("ip", "tuntap", "add", "dev", "tap7", "mode", "tap", check=obstacle == "port")
    if obstacle == "port":
        demo_host.run("ip", "link", "set", "tap7", "master", "br-side")
    else:
        demo_host.run("ip", "route", "add", "10.200.0.0/16", "via", "10.188.0.7")
    before = picture(demo_host)
    refused = demo_host.dnet("net", "rm", "side", "--yes")
    said = refused.stderr.decode()
    assert refused.returncode == 1, said
    assert ("in use by tap7" if obstacle == "port" else "lead through br-side") in said
    assert "nothing was changed" in said
    assert picture(demo_host) == before
    assert json.loads(demo_host.dnet("journal", "--format", "json").stdout)[-1]["title"].startswith("create network")


def test_a_network_beside_a_bridged_uplink_reaches_the_outside(demo_host: DemoHost) -> None:
    """On a host of virtual machines the uplink is a port of a bridge, which no network is to be kept apart from."""
    own_etc(demo_host)
    address, gateway = DEMO.uplink_address, DEMO.outside_address.partition("/")[0]
    for words in (
        *("link add lan type bridge", f"address flush dev {DEMO.uplink}", f"link set {DEMO.uplink} master lan"),
        *("link set lan up", f"address add {address} dev lan", f"route add default via {gateway}"),
    ):
        demo_host.run("ip", *words.split())
    said = net(demo_host, "create", "side", "--engine", "linux", "--subnet", "10.33.0.0/24", "--namespace", "guest")
    assert "it isn't kept apart from bridge lan: other machines are reached by it" in said
    web = demo_host.addresses["web"]
    out = Probe("guest", OUTSIDE_SERVER, 80, answers=DEMO.outside)
    expect(demo_host, {out: Went.OK, Probe("guest", web, 80, answers="web"): Went.TIMEOUT})
