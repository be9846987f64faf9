"""Flows that the host's own side sees, on a real dockerd: each breaks, is named with its cause, and heals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from dnet_tui.actions.demo.topology import DEMO
from lab.faults.machinery import doctor, roots, serious
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import UPLINK_ADDRESS, python_argv
from lab.machines.image import HTTPD, IMAGE, SLEEP, run_arguments

_CONNECT = """
import socket, sys
sock = socket.socket()
sock.settimeout(1.5)
try:
    sock.connect((sys.argv[1], int(sys.argv[2])))
except OSError:
    sys.exit(1)
"""

ROUTER = DEMO.outside_address.partition("/")[0]


def reaches(host: DockerHost, place: str, address: str, port: int) -> bool:
    """Whether a TCP connection from a place is taken."""
    return host.run(*host.enter(place), *python_argv(_CONNECT), address, str(port), check=False).returncode == 0


@contextmanager
def done(host: DockerHost, inject: Sequence[str], restore: Sequence[str]) -> Iterator[None]:
    """Run commands, and at the end those that take them back."""
    try:
        for line in inject:
            host.run(*line.split())
        yield
    finally:
        for line in restore:
            host.run(*line.split(), check=False)


def named(host: DockerHost, check: str, severity: str = "") -> list[str]:
    """The summaries of a check's findings."""
    return [
        item["summary"]
        for item in doctor(host)["findings"]
        if item["check"] == check and (not severity or item["severity"] == severity)
    ]


def test_answers_to_the_host_that_its_input_drops_are_one_warning_with_the_port_they_break(
    docker_host: DockerHost,
) -> None:
    rule = "INPUT -i docker0 -j DROP"
    with done(docker_host, [f"iptables-nft -I {rule}"], [f"iptables-nft -D {rule}"]):
        assert not reaches(docker_host, "host", docker_host.addresses["web"], 80)
        report = doctor(docker_host)
        assert roots(report) == ["input-drop"]
        (finding,) = serious(report)
        assert {"host-to-container", "host-to-published", "container-to-host"} <= set(finding["symptoms"])
        assert {"kind": "port", "name": "8080/tcp"} in finding["affects"]
    assert reaches(docker_host, "host", docker_host.addresses["web"], 80)
    assert serious(doctor(docker_host)) == []


def test_a_port_that_input_keeps_containers_from_is_told_and_no_fault(docker_host: DockerHost) -> None:
    rule = "INPUT -i br-app -p tcp --dport 8080 -j REJECT"
    assert reaches(docker_host, "app1", UPLINK_ADDRESS, 8080)
    with done(docker_host, [f"iptables-nft -I {rule}"], [f"iptables-nft -D {rule}"]):
        assert not reaches(docker_host, "app1", UPLINK_ADDRESS, 8080)
        assert len(named(docker_host, "input-drop", "info")) == 1
        assert serious(doctor(docker_host)) == []


def test_the_hosts_answers_that_a_policy_rule_leads_away_are_found_and_the_remedy_helps(
    docker_host: DockerHost,
) -> None:
    inject = [
        f"ip route add default via {ROUTER} dev {DEMO.uplink} table 77",
        f"ip rule add from {UPLINK_ADDRESS} lookup 77 pref 500",
    ]
    with done(docker_host, inject, ["ip rule del pref 500", "ip route flush table 77"]):
        assert not reaches(docker_host, "app1", UPLINK_ADDRESS, 8080)
        assert roots(doctor(docker_host)) == ["policy-route"]
        assert docker_host.dnet("fix", "policy-route", "--yes").returncode == 0
        assert reaches(docker_host, "app1", UPLINK_ADDRESS, 8080)
        assert docker_host.dnet("undo", "--yes").returncode == 0
    assert serious(doctor(docker_host)) == []


@pytest.mark.parametrize("how", ["removed", "restarted"])
def test_a_sidecar_that_its_partner_left_is_named_and_not_the_new_partner(docker_host: DockerHost, how: str) -> None:
    partner, sidecar = run_arguments("partner", ("--network=app",), HTTPD), ("--network=container:partner",)
    docker_host.docker(*partner)
    docker_host.docker(*run_arguments("left-behind", sidecar, SLEEP))
    try:
        if how == "removed":
            docker_host.docker("rm", "-f", "partner")
            docker_host.docker(*partner)
        else:
            docker_host.docker("restart", "-t", "0", "partner")
        report = doctor(docker_host)
        assert roots(report) == ["sidecar-stranded"]
        assert {"kind": "container", "name": "left-behind"} in serious(report)[0]["affects"]
        word = "recreate" if how == "removed" else "restart"
        assert serious(report)[0]["summary"].startswith(f"{word} left-behind")
        if how == "restarted":
            docker_host.docker("restart", "-t", "0", "left-behind")
            assert serious(doctor(docker_host)) == []
    finally:
        docker_host.docker("rm", "-f", "left-behind", "partner")
    assert serious(doctor(docker_host)) == []


def test_a_network_over_the_hosts_uplink_comes_first_and_the_rest_follows_from_it(docker_host: DockerHost) -> None:
    up = DEMO.uplink
    bridged = [
        "ip link add br1 type bridge",
        "ip link set br1 up",
        f"ip link set {up} master br1",
        f"ip address flush dev {up}",
        f"ip address add {DEMO.uplink_address} dev br1",
        f"ip route add default via {ROUTER} dev br1",
    ]
    plain = [
        "docker rm -f lanc",
        "docker network rm lan",
        f"ip link set {up} nomaster",
        "ip link del br1",
        f"ip address add {DEMO.uplink_address} dev {up}",
        f"ip route add default via {ROUTER} dev {up}",
    ]
    network = f"--subnet=203.0.113.0/24 --gateway={UPLINK_ADDRESS} --ip-range=203.0.113.128/25"
    over = [
        f"docker network create {network} --opt=com.docker.network.bridge.name=br1 lan",
        f"docker run -d --name lanc --network lan {IMAGE} sleep 1000",
    ]
    with done(docker_host, [*bridged, *over], plain):
        assert not reaches(docker_host, "web", DEMO.outside_server, 80)
        report = doctor(docker_host)
        assert serious(report)[0]["check"] == "net-over-uplink"
        assert roots(report) == ["net-over-uplink"]
    assert reaches(docker_host, "web", DEMO.outside_server, 80)


def test_a_probe_that_somebody_else_answers_says_so_and_confirms_no_lack_of_isolation(docker_host: DockerHost) -> None:
    rule = "PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080"
    with done(docker_host, [f"iptables-nft -t nat -I {rule}"], [f"iptables-nft -t nat -D {rule}"]):
        report = doctor(docker_host, "--probe")
        crossed = [item for item in report["probes"] if item["kind"] == "cross-network"]
        assert crossed
        told = [item["answered_by"] for item in crossed if item["answer"] == "answered" and item["answered_by"]]
        assert told
        assert all(item.endswith(":8080") for item in told)
        assert [item for item in report["findings"] if item["check"] == "isolation-missing"] == []
        text = docker_host.dnet("doctor", "--probe").stdout.decode()
        assert "but by host at port 8080" in " ".join(text.split())
        assert "not by gateway" not in " ".join(text.split())


def test_why_names_the_command_by_which_two_containers_meet_and_it_works(docker_host: DockerHost) -> None:
    result = docker_host.dnet("why", "web", "db", "--format", "json")
    assert result.returncode == 1
    answer = json.loads(result.stdout)
    (command,) = answer["fix"]["steps"]
    (undo,) = answer["fix"]["undo"]
    assert (command, undo) == (
        ["docker", "network", "connect", "bridge", "db"],
        ["docker", "network", "disconnect", "bridge", "db"],
    )
    docker_host.run(*command)
    try:
        address = docker_host.docker("inspect", "--format={{.NetworkSettings.Networks.bridge.IPAddress}}", "db")
        assert reaches(docker_host, "web", address, 80)
        assert docker_host.dnet("why", "web", address).returncode == 0
    finally:
        docker_host.run(*undo)
