"""Who gets a packet and yet never answers, or never gets it, on a real dockerd: paused, without queue, without lo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.diagnostics.test_later_packets import DONE, NO_ANSWER, NOT_CONNECTED, exchange, traced
from lab.faults.machinery import doctor, roots, serious
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import UPLINK_ADDRESS


@contextmanager
def paused(host: DockerHost, name: str) -> Iterator[None]:
    host.docker("pause", name)
    try:
        yield
    finally:
        host.docker("unpause", name)


def port_of(host: DockerHost, name: str) -> str:
    """The host's end of a container's eth0."""
    links: list[dict[str, Any]] = json.loads(host.run("ip", "-j", "link", "show", "type", "veth").stdout)
    inner: list[dict[str, Any]] = json.loads(host.run(*host.enter(name), "ip", "-j", "link", "show", "eth0").stdout)
    return next(str(item["ifname"]) for item in links if item["ifindex"] == inner[0]["link_index"])


def test_a_paused_container_takes_connections_and_answers_none(docker_host: DockerHost) -> None:
    # Another container in the same namespace runs, but it isn't the one that has the socket.
    with paused(docker_host, "web"):
        assert exchange(docker_host, "outside", UPLINK_ADDRESS, 8080) == NO_ANSWER
        code, said = traced(docker_host, "outside", "host:8080")
        assert (code, said["verdict"], said["end"], said["answer"]) == (1, "paused", "delivered", "returns")
        assert said["why"].startswith("web is paused")
        # By the proxy's own connection as well.
        assert exchange(docker_host, "host", "127.0.0.1", 8081) == NO_ANSWER
        code, said = traced(docker_host, "host", "127.0.0.1:8081")
        assert (code, said["verdict"]) == (1, "paused")
        # The kernel answers echoes all the same.
        assert traced(docker_host, "app1", "host", "--proto", "icmp")[0] == 0
    assert exchange(docker_host, "outside", UPLINK_ADDRESS, 8080) == DONE
    assert traced(docker_host, "outside", "host:8080")[0] == 0


@pytest.mark.parametrize("queue", ["blackhole", "pfifo limit 0", "tbf rate 1mbit burst 10b latency 1ms"])
def test_a_queue_that_takes_nothing_is_named_and_found(docker_host: DockerHost, queue: str) -> None:
    port = port_of(docker_host, "app1")
    try:
        docker_host.run("tc", "qdisc", "replace", "dev", port, "root", *queue.split())
        assert exchange(docker_host, "app2", docker_host.addresses["app1"], 80) == NOT_CONNECTED
        code, said = traced(docker_host, "app2", "app1")
        assert (code, said["verdict"] in {"dropped", "unreachable"}) == (1, True)  # who is there is asked first
        assert said["decided_by"]["text"] == f"qdisc {queue.split(maxsplit=1)[0]} of {port} drops everything"
        assert roots(doctor(docker_host)) == ["tc-drop"]
    finally:
        docker_host.run("tc", "qdisc", "del", "dev", port, "root")
    assert exchange(docker_host, "app2", docker_host.addresses["app1"], 80) == DONE
    assert serious(doctor(docker_host)) == []


def test_a_container_without_loopback_does_not_reach_itself(docker_host: DockerHost) -> None:
    own = docker_host.addresses["app1"]
    enter = docker_host.enter("app1")
    try:
        docker_host.run(*enter, "ip", "link", "set", "lo", "down")
        assert exchange(docker_host, "app1", own, 80) == NOT_CONNECTED
        code, said = traced(docker_host, "app1", own)
        assert (code, said["decided_by"]["text"]) == (1, "lo is down")
        assert traced(docker_host, "app2", "app1")[0] == 0
    finally:
        docker_host.run(*enter, "ip", "link", "set", "lo", "up")
    assert exchange(docker_host, "app1", own, 80) == DONE
    assert traced(docker_host, "app1", own)[0] == 0
