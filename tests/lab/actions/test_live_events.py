"""The host tells that it changed, and the app shows it: on a real Docker, without anybody asking."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost
from lab.machines.image import IMAGE, SLEEP
from lab.machines.podman_host import PodmanHost
from lab.packets.listening import Listener, app_on, listening

PATIENCE = 20.0
"""Seconds a change may take to be noticed before the test gives up; a quiet machine takes a quarter of one."""

BY_HAND = (
    ("links", "ip link add extra type bridge"),
    ("addresses", "ip address add 198.51.100.1/24 dev extra"),
    ("links", "ip link set extra up"),
    ("routes", "ip route add blackhole 198.51.100.128/25"),
    ("policy-rules", "ip rule add from 198.51.100.7 lookup 7"),
    ("policy-rules", "ip rule del from 198.51.100.7 lookup 7"),
    ("routes", "ip route del blackhole 198.51.100.128/25"),
    ("neighbours", "ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:09 dev extra nud permanent"),
    ("links", "ip link del extra"),
    ("firewall", "iptables-nft -I FORWARD -s 198.51.100.7 -j DROP"),
    ("firewall", "iptables-nft -D FORWARD -s 198.51.100.7 -j DROP"),
    ("firewall", "nft add table inet extra"),
    ("firewall", "nft delete table inet extra"),
    ("sysctls", "sysctl -w net.ipv4.conf.docker0.rp_filter=2"),
    ("sysctls", "sysctl -w net.ipv4.conf.docker0.rp_filter=0"),
)
"""What an administrator does, and the section that must be looked at again."""

A_LOOK = 10
"""Clock ticks: less than any look at the host costs, and several times what waiting does."""


@pytest.fixture(scope="module")
def _listener(docker_host: DockerHost) -> Iterator[Listener]:
    with listening(docker_host) as listener:
        yield listener


@pytest.fixture
def heard(_listener: Listener) -> Listener:
    _listener.settle()
    return _listener


def test_everything_can_be_listened_to(heard: Listener) -> None:
    assert heard.notes == {}


def test_a_container_that_starts_and_ends_is_noticed(docker_host: DockerHost, heard: Listener) -> None:
    docker_host.docker("run", "--detach", "--name=fresh", "--stop-timeout=0", IMAGE, *SLEEP)
    name = "fresh"
    try:
        assert {"containers", "links"} <= heard.hears({"containers", "links"}, PATIENCE)
        heard.settle(4.0)  # until its IPv6 addresses are no longer tentative either
        docker_host.docker("rename", "fresh", "fresher")
        name = "fresher"
        assert heard.sections(PATIENCE) == {"containers"}
    finally:
        docker_host.docker("rm", "--force", name)
    assert {"containers", "links"} <= heard.hears({"containers", "links"}, PATIENCE)


def test_a_network_that_is_made_and_removed_is_noticed(docker_host: DockerHost, heard: Listener) -> None:
    docker_host.docker("network", "create", "fresh")
    try:
        assert {"networks", "links", "firewall"} <= heard.hears({"networks", "links", "firewall"}, PATIENCE)
        heard.settle()
    finally:
        docker_host.docker("network", "rm", "fresh")
    assert {"networks", "links", "firewall"} <= heard.hears({"networks", "links", "firewall"}, PATIENCE)


def test_what_is_changed_by_hand_is_noticed(docker_host: DockerHost, heard: Listener) -> None:
    for section, command in BY_HAND:
        docker_host.run(*command.split())
        assert section in heard.hears({section}, PATIENCE), command
        heard.settle(0.6)


def test_what_is_changed_inside_a_container_is_noticed_as_its_own(docker_host: DockerHost, heard: Listener) -> None:
    inside = docker_host.enter("web")
    for command in ("ip link set eth0 mtu 1400", "ip link set eth0 mtu 1500"):
        docker_host.run(*inside, *command.split())
        assert max(heard.numbers(PATIENCE)) >= 0, command
        heard.settle(0.6)


def test_looking_traffic_and_captures_are_no_news(docker_host: DockerHost, heard: Listener) -> None:
    docker_host.snapshot()
    docker_host.run("iptables-nft-save")
    docker_host.docker("exec", "web", "/bin/echo")
    docker_host.run(*docker_host.enter("web"), "busybox", "ping", "-c", "2", "172.17.0.1")
    docker_host.run("timeout", "0.5", "tcpdump", "-i", "docker0", "-w", "/dev/null", check=False)

    assert heard.sections(2.0) == set()


def test_waiting_costs_nothing(docker_host: DockerHost) -> None:
    with listening(docker_host) as listener:
        listener.settle(3.0)
        assert listener.cpu_time() < 0.1


def test_the_app_shows_a_new_container_by_itself_and_rests_afterwards(docker_host: DockerHost) -> None:
    with app_on(docker_host, "--readonly") as terminal:
        assert b"docker0" in terminal.written(30.0, until=b"docker0")
        terminal.settle()
        docker_host.docker("run", "--detach", "--name=newcomer", "--stop-timeout=0", IMAGE, *SLEEP)
        try:
            assert b"newcomer" in terminal.written(20.0, until=b"newcomer")
            terminal.settle()
            before = terminal.cpu_ticks()
            assert terminal.written(3.0) == b""
            assert terminal.cpu_ticks() - before < A_LOOK
        finally:
            docker_host.docker("rm", "--force", "newcomer")
        assert terminal.written(5.0) != b""
        assert terminal.quit() == 0


@pytest.mark.parametrize("options", [("--no-live",), ()])
def test_a_frozen_app_and_one_that_is_not_live_write_nothing(docker_host: DockerHost, options: tuple[str, ...]) -> None:
    with app_on(docker_host, "--readonly", *options) as terminal:
        terminal.written(30.0, until=b"docker0")
        terminal.settle()
        if not options:
            terminal.type(b" ")
            terminal.settle()
        docker_host.run("ip", "link", "add", "unseen0", "type", "bridge")
        try:
            assert terminal.written(3.0) == b""
            terminal.type(b"r" if options else b" ")
            assert b"unseen0" in terminal.written(20.0, until=b"unseen0")
        finally:
            docker_host.run("ip", "link", "del", "unseen0")


def test_podmans_service_tells_of_its_containers(podman_service_host: PodmanHost) -> None:
    with listening(podman_service_host) as listener:
        assert listener.notes == {}
        podman_service_host.podman("rename", "web", "renamed")
        try:
            assert "containers" in listener.hears({"containers"}, PATIENCE)
        finally:
            podman_service_host.podman("rename", "renamed", "web")


def test_on_a_host_without_an_engine_the_kernel_tells_enough(demo_host: DemoHost) -> None:
    with listening(demo_host) as listener:
        assert listener.notes == {}
        demo_host.run("ip", "link", "set", "veth-web", "down")
        assert "links" in listener.hears({"links"}, PATIENCE)
