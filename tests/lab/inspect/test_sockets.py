"""Listening sockets, their processes and docker-proxy, compared with what ss(8) and ps(1) say."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from dnet_tui.inspect.model import Snapshot
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost, python_argv

_OPEN = """
import socket, sys, time
def bound(family, kind, address, v6only=None, device=b""):
    sock = socket.socket(family, kind)
    if v6only is not None:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    if device:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
    sock.bind(address)
    if kind == socket.SOCK_STREAM:
        sock.listen()
    return sock
kept = [
    bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 7001)),
    bound(socket.AF_INET6, socket.SOCK_STREAM, ("::", 7002), v6only=0),
    bound(socket.AF_INET6, socket.SOCK_STREAM, ("::", 7003), v6only=1),
    bound(socket.AF_INET6, socket.SOCK_STREAM, ("::1", 7004)),
    bound(socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", 7005), device=b"lo"),
    bound(socket.AF_INET, socket.SOCK_DGRAM, ("0.0.0.0", 7006)),
    bound(socket.AF_INET6, socket.SOCK_DGRAM, ("::", 7007), v6only=1),
]
connected = bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 7008))
connected.connect(("127.0.0.1", 7006))
client = socket.create_connection(("127.0.0.1", 7001))
print("open", flush=True)
sys.stdin.read()
"""
"""Sockets of every kind: some listen, two don't."""


def said_by_ss(text: str) -> set[tuple[str, str, int, int, bool | None, str, tuple[int, ...]]]:
    """``ss -Hlntupe``: protocol, address, port, inode, v6only, device, the processes."""
    found = set()
    for line in text.splitlines():
        netid, _, _, _, local, *_ = line.split()
        address, _, port = local.rpartition(":")
        address, _, device = address.strip("[]").partition("%")
        inode = re.search(r"\bino:(\d+)", line)
        v6only = re.search(r"\bv6only:(\d)", line)
        address = "::" if address == "*" else address
        pids = tuple(sorted({int(pid) for pid in re.findall(r"pid=(\d+)", line)}))
        found.add(
            (
                netid,
                address,
                int(port),
                int(inode[1]) if inode else 0,
                bool(int(v6only[1])) if v6only and ":" in address else None,
                device.strip("]"),
                pids,
            )
        )
    return found


def seen_by_us(snapshot: Snapshot, netns: str) -> dict[int, tuple[str, str, int, int, bool | None, str, int | None]]:
    space = next(item for item in snapshot.namespaces if item.id == netns)
    names = {link.ifindex: link.name for link in space.links}
    return {
        item.inode: (
            item.proto,
            item.address,
            item.port,
            item.inode,
            item.v6only,
            names[item.ifindex] if item.ifindex is not None else "",
            item.pid,
        )
        for item in space.sockets
    }


def compare(host: DemoHost | DockerHost, snapshot: Snapshot, netns: str, prefix: list[str]) -> int:
    theirs = {item[3]: item for item in said_by_ss(host.run(*prefix, "ss", "-Hlntupe").stdout.decode())}
    ours = seen_by_us(snapshot, netns)
    assert {key: item[:6] for key, item in ours.items()} == {key: item[:6] for key, item in theirs.items()}
    for key, item in ours.items():
        assert item[6] in (theirs[key][6] or (None,))
    return len(ours)


def test_sockets_of_every_kind_are_as_ss_says(demo_host: DemoHost) -> None:
    process = demo_host.sandbox.popen(python_argv(_OPEN), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"open\n"
        snapshot = demo_host.snapshot()
        host = next(item for item in snapshot.namespaces if item.kind == "host")
        assert compare(demo_host, snapshot, host.id, []) >= 7
        assert {item.port for item in host.sockets} >= {7001, 7002, 7003, 7004, 7005, 7006, 7007}
        assert 7008 not in {item.port for item in host.sockets}
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def snapshot(docker_host: DockerHost) -> Snapshot:
    return docker_host.snapshot()


def test_every_namespaces_sockets_are_as_ss_says(docker_host: DockerHost, snapshot: Snapshot) -> None:
    host = next(item for item in snapshot.namespaces if item.kind == "host")
    assert compare(docker_host, snapshot, host.id, []) > 0
    for name in ("web", "app1", "db"):
        netns = next(item.netns for item in snapshot.containers if item.name == name)
        assert compare(docker_host, snapshot, netns or "", docker_host.enter(name)) > 0


def test_every_docker_proxy_tells_what_it_forwards(docker_host: DockerHost, snapshot: Snapshot) -> None:
    pids = docker_host.run("pgrep", "-x", "docker-proxy").stdout.split()
    assert sorted(item.pid for item in snapshot.proxies) == sorted(map(int, pids))
    assert len(pids) > 1
    host = next(item for item in snapshot.namespaces if item.kind == "host")
    assert {item.netns for item in snapshot.proxies} == {host.id}
    addresses = {
        place["IPAddress"]: item["Name"].lstrip("/")
        for item in json.loads(docker_host.docker("inspect", *docker_host.docker("ps", "-q").split()))
        for place in item["NetworkSettings"]["Networks"].values()
    }
    forwarded = {
        (addresses[item.container_ip], item.host_ip, item.host_port, item.proto, item.container_port)
        for item in snapshot.proxies
        if ":" not in item.container_ip
    }
    published = {
        (item.name, port.host_ip, port.host_port, port.proto, port.container_port)
        for item in snapshot.containers
        for port in item.published
    }
    assert {item for item in published if ":" not in item[1]} <= forwarded


def test_the_daemons_settings_are_told(snapshot: Snapshot) -> None:
    (engine,) = snapshot.engines
    assert (engine.userland_proxy, engine.iptables, engine.ip_forward, engine.ip_masq) == (True, True, True, True)
