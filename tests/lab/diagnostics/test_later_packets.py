"""Rules that let a handshake pass and stop what follows, on a real dockerd with real data: said, with the rule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dnet_tui.diagnostics.walk.later_packets import DATA
from lab.faults.machinery import doctor, serious
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import UPLINK_ADDRESS, python_argv

_EXCHANGE = """
import socket, sys
sock = socket.socket()
sock.settimeout(1.5)
try:
    sock.connect((sys.argv[1], int(sys.argv[2])))
except OSError:
    sys.exit(1)
head = "GET /hostname HTTP/1.0\\r\\nX-Padding: "
sock.sendall((head + "x" * (int(sys.argv[3]) - len(head) - 4) + "\\r\\n\\r\\n").encode())
try:
    sys.exit(0 if sock.recv(4096) else 2)
except OSError:
    sys.exit(2)
"""
DONE, NOT_CONNECTED, NO_ANSWER = 0, 1, 2
"""How an exchange of real data ends."""

CASES = {
    "its own established packets": "-m conntrack --ctstate ESTABLISHED --ctdir ORIGINAL",
    "all but short packets": "-p tcp -m length --length 61:1500",
    "pushed data": "-p tcp -m tcp --tcp-flags PSH PSH",
    "assured connections": "-p tcp -m conntrack --ctstatus ASSURED",
}


def exchange(host: DockerHost, place: str, address: str, port: int) -> int:
    """How a real connection with data there and back ends."""
    argv = (*python_argv(_EXCHANGE), address, str(port), str(DATA))
    return host.run(*host.enter(place), *argv, check=False).returncode


def traced(host: DockerHost, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a trace, and what it says."""
    result = host.dnet("trace", *words, "--format", "json")
    data: dict[str, Any] = json.loads(result.stdout)
    return result.returncode, data


@contextmanager
def rules(host: DockerHost, place: str, *lines: str) -> Iterator[None]:
    """Rules of iptables in a place, while it lasts; they stand first, in their order."""
    put = [line.split() for line in lines]
    try:
        for chain, *words in reversed(put):
            host.run(*host.enter(place), "iptables-nft", "-I", chain, *words)
        yield
    finally:
        for chain, *words in put:
            host.run(*host.enter(place), "iptables-nft", "-D", chain, *words)


@pytest.mark.parametrize("match", CASES.values(), ids=CASES)
def test_a_rule_that_stops_data_is_named_and_found(docker_host: DockerHost, match: str) -> None:
    target = docker_host.addresses["web"]
    with rules(docker_host, "host", f"FORWARD {match} -j DROP"):
        assert exchange(docker_host, "outside", UPLINK_ADDRESS, 8080) == NO_ANSWER
        code, said = traced(docker_host, "outside", "host:8080")
        assert (code, said["end"], said["answer"]) == (1, "delivered", "returns")
        assert said["verdict"] == "data dropped"
        assert said["decided_by"]["rule"]["chain"] == "FORWARD"
        assert said["decided_by"]["rule"]["number"] == 1
        assert "The handshake passes" in said["summary"]
        (finding,) = serious(doctor(docker_host))
        assert finding["check"] == "drop-before-docker"
        assert any("8080" in str(item) or item["kind"] == "port" for item in finding["affects"])
    assert exchange(docker_host, "outside", UPLINK_ADDRESS, 8080) == DONE
    assert exchange(docker_host, "host", target, 80) == DONE
    assert traced(docker_host, "outside", "host:8080")[0] == 0
    assert serious(doctor(docker_host)) == []


def test_a_container_that_accepts_only_what_opens_a_connection(docker_host: DockerHost) -> None:
    with rules(docker_host, "web", "INPUT -p tcp -m tcp --syn -j ACCEPT", "INPUT -p tcp -j DROP"):
        assert exchange(docker_host, "outside", UPLINK_ADDRESS, 8080) == NO_ANSWER
        code, said = traced(docker_host, "outside", "host:8080")
        assert (code, said["verdict"]) == (1, "data dropped")
        assert said["decided_by"]["namespace"] == "web"
        assert said["decided_by"]["rule"]["number"] == 2
        assert serious(doctor(docker_host))
    assert exchange(docker_host, "outside", UPLINK_ADDRESS, 8080) == DONE


def test_a_rule_that_only_seems_to_stop_data_is_none(docker_host: DockerHost) -> None:
    harmless = (
        "FORWARD -p tcp -m length --length 1000:1500 -m conntrack --ctstate NEW -j DROP",
        "FORWARD -m conntrack --ctstate INVALID -j DROP",
        "FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN,RST -j DROP",
    )
    with rules(docker_host, "host", *harmless):
        assert exchange(docker_host, "outside", UPLINK_ADDRESS, 8080) == DONE
        code, said = traced(docker_host, "outside", "host:8080")
        assert (code, said["verdict"]) == (0, "delivered")
        assert [item["packet"] for item in said["later"]] == ["data", "data of the answer", "acknowledgement"]
        assert serious(doctor(docker_host)) == []


def test_the_answers_data_may_be_what_is_stopped(docker_host: DockerHost) -> None:
    rule = "FORWARD -p tcp -m conntrack --ctdir REPLY -m length --length 100:1500 -j DROP"
    with rules(docker_host, "host", rule):
        assert exchange(docker_host, "outside", UPLINK_ADDRESS, 8080) == NO_ANSWER
        code, said = traced(docker_host, "outside", "host:8080")
        assert (code, said["verdict"]) == (1, "data of the answer dropped")


def test_a_second_datagram_may_be_stopped(docker_host: DockerHost) -> None:
    ping = ("exec", "app1", "ping", "-c", "3", "-W", "1", docker_host.addresses["app2"])
    rule = "FORWARD -p icmp -m conntrack --ctstate ESTABLISHED --ctdir ORIGINAL -j DROP"
    with rules(docker_host, "host", rule):
        assert "3 packets transmitted, 1 packets received" in docker_host.docker(*ping)
        code, found = traced(docker_host, "app1", "app2", "--proto", "icmp")
        assert (code, found["verdict"]) == (1, "second packet dropped")
