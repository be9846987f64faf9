"""Starts that really fail: the engine's own words are read, the cause is named, and gone again it is not."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.faults.machinery import commanded, doctor, serious
from lab.machines.docker_engines import newest_docker
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import DemoHost, LabHost, python_argv
from lab.machines.image import HTTPD, IMAGE
from lab.machines.podman_host import PodmanHost
from lab.machines.requirements import DOCKER_PROGRAMS, require_lab
from lab.packets.traffic import Probe, Went, expect

PORT = 9099
_HOLD = """
import socket, sys, time
held = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
time.sleep(120)
"""


@contextmanager
def holding(host: LabHost, port: int) -> Iterator[None]:
    """Have another program listen on a port of the host."""
    holder = host.sandbox.popen([*python_argv(_HOLD), str(port)], stdout=subprocess.PIPE, new_session=True)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.communicate()


def told(host: LabHost) -> list[tuple[str, str]]:
    return [(item["check"], item["severity"]) for item in doctor(host)["findings"]]


def evidence(report: dict[str, Any]) -> str:
    return " ".join(f"{item['source']}: {item['value']}" for item in report["findings"][0]["evidence"])


def test_a_start_that_a_foreign_program_made_fail_is_named_until_the_port_is_free(any_docker: DockerHost) -> None:
    host = any_docker
    published = f"--publish={PORT}:80"
    try:
        with holding(host, PORT):
            names = ("--name=late", "--hostname=late")
            started = host.run("docker", "run", "--detach", *names, published, IMAGE, *HTTPD, check=False)
            assert started.returncode != 0
            report = doctor(host)
            assert [item["check"] for item in serious(report)] == ["port-taken"]
            assert "address already in use" in evidence(report)
            assert "late" in report["findings"][0]["summary"]
        assert told(host) == []
        host.docker("start", "late")
        expect(host, {Probe("outside", "203.0.113.2", PORT, answers="late"): Went.OK})
        assert told(host) == []
    finally:
        host.docker("rm", "--force", "late")


def test_podman_does_not_say_why_a_start_failed_so_a_held_port_is_information(podman_host: PodmanHost) -> None:
    try:
        with holding(podman_host, PORT):
            argv = ("podman", "create", "--name=late", f"--publish={PORT}:80", IMAGE, *HTTPD)
            podman_host.run(*argv)
            assert podman_host.run("podman", "start", "late", check=False).returncode != 0
            assert told(podman_host) == [("port-taken", "info")]
    finally:
        podman_host.podman("rm", "--force", "late")


def test_a_network_that_a_foreign_address_made_fail_is_named_and_the_remedy_helps(any_docker: DockerHost) -> None:
    host = any_docker
    make = ["docker", "network", "create", "--opt=com.docker.network.bridge.name=br-x", "--subnet=10.99.0.0/24"]
    make += ["--gateway=10.99.0.1", "mis"]
    keys = ("net.ipv4.conf.all.promote_secondaries", "net.ipv4.conf.br-x.promote_secondaries")
    before = host.run("sysctl", "-n", keys[0]).stdout.decode().strip()
    inject = [("ip", "link", "add", "br-x", "type", "bridge"), ("ip", "link", "set", "br-x", "up")]
    inject += [("sysctl", "-q", "-w", f"{key}=1") for key in keys]  # as systemd has it
    inject += [("ip", "address", "add", f"10.99.0.{last}/24", "dev", "br-x") for last in (5, 6)]
    restore = [("ip", "link", "del", "br-x"), ("sysctl", "-q", "-w", f"{keys[0]}={before}")]
    with commanded(host, inject, restore):
        assert told(host) == []
        assert b"does not match requested configuration" in host.run(*make, check=False).stderr
        report = doctor(host)
        assert [item["check"] for item in serious(report)] == ["bridge-ip-mismatch"]
        assert "'s log: bridge IPv4 (10.99.0.6)" in evidence(report)
        for step in report["findings"][0]["remedy"]["steps"]:
            host.run(*step)
        assert told(host) == []
        host.run(*make)
        try:
            assert told(host) == []
        finally:
            host.docker("network", "rm", "mis")
    assert told(host) == []


class SmallPools(DockerHost):
    """A Docker host whose daemon has four subnets to give to networks."""

    def write(self, path: str, text: str) -> None:
        settings = '{"bip": "172.17.0.1/16", "default-address-pools": [{"base": "10.201.0.0/22", "size": 24}]}'
        super().write(path, settings if path.endswith("daemon.json") else text)


@pytest.mark.docker
def test_pools_are_told_to_be_used_up_exactly_when_the_next_network_fails() -> None:
    require_lab(*DOCKER_PROGRAMS, root=True)
    with SmallPools.start() as host:
        made = 0
        while host.run("docker", "network", "create", f"small{made}", check=False).returncode == 0:
            made += 1
            assert made < 9
            if made > 2:
                assert (made, told(host)) == (made, [("pool-exhausted", "info")] if made == 4 else [])
        assert made == 4
        host.docker("network", "rm", "small2")
        assert told(host) == []
        with commanded(
            host,
            [("ip", "route", "add", "10.201.2.0/24", "dev", "eth0", "scope", "link")],
            [("ip", "route", "del", "10.201.2.0/24", "dev", "eth0", "scope", "link")],
        ):
            assert told(host) == [("pool-exhausted", "info")]
            assert host.run("docker", "network", "create", "small2", check=False).returncode != 0
        host.docker("network", "create", "small2")


def test_a_link_that_waits_behind_the_uplink_is_a_warning_and_egress_goes_on(demo_host: DemoHost) -> None:
    words = ("default", "dev", "veth-web", "proto", "dhcp", "scope", "link", "metric", "200")
    with commanded(demo_host, [("ip", "route", "add", *words)], [("ip", "route", "del", *words)]):
        expect(demo_host, {Probe("web", "198.51.100.10", 80, answers="internet"): Went.OK})
        assert told(demo_host) == [("link-hijack", "warning")]
    assert told(demo_host) == []


_SPOILT = """
import socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as sock:
    for number in range(40):
        sock.sendto(struct.pack("!HHHH", 4000, 5000 + number, 12, 0xDEAD) + bytes(4), (sys.argv[1], 0))
"""


def test_wrong_checksums_are_counted_by_the_receiver_and_a_warning_only_while_they_grow(demo_host: DemoHost) -> None:
    def spoil() -> None:
        demo_host.run(*python_argv(_SPOILT), demo_host.addresses["web"])

    def since_then() -> list[tuple[str, str]]:
        report = doctor(demo_host, "--since", "/run/one.json")
        return [(item["check"], item["severity"]) for item in report["findings"]]

    assert told(demo_host) == []
    spoil()
    assert told(demo_host) == [("csum-offload", "info")]
    assert demo_host.dnet("snapshot", "save", "/run/one.json").returncode == 0
    assert since_then() == []
    spoil()
    assert since_then() == [("csum-offload", "warning")]


def test_a_bridge_that_is_really_full_is_named_and_has_room_again(docker_host: DockerHost) -> None:
    host = docker_host
    host.docker("network", "create", "--subnet=10.98.0.0/24", "--opt=com.docker.network.bridge.name=br-full", "full")
    pairs = [(f"a{number}", f"b{number}") for number in range(512)]
    # Both ends of a pair are ports, and stay down: nothing can go round in a loop.  The last one finds no place.
    lines = [f"link add {one} type veth peer name {two}" for one, two in pairs]
    lines += [f"link set {end} master br-full" for pair in pairs for end in pair][:1023]
    run = ("docker", "run", "--detach", "--name=late", "--network=full", IMAGE, *HTTPD)
    try:
        host.run("ip", "-batch", "-", stdin="\n".join(lines).encode())
        assert b"exchange full" in host.run(*run, check=False).stderr
        report = doctor(host)
        assert [(item["check"], item["severity"]) for item in serious(report)] == [("exchange-full", "error")]
        assert "late" in report["findings"][0]["summary"]
        host.run("ip", "-batch", "-", stdin="\n".join(f"link del {one}" for one, _ in pairs[:40]).encode())
        host.docker("start", "late")
        assert told(host) == []
    finally:
        host.docker("rm", "--force", "late")
        host.run(
            "ip", "-force", "-batch", "-", stdin="\n".join(f"link del {one}" for one, _ in pairs).encode(), check=False
        )
        host.docker("network", "rm", "full")
    assert told(host) == []


_SHIM = """#!/bin/sh
case "$*" in
*"-t raw"*)
    if [ -e /run/lacking ]; then
        echo "iptables v1.8.7 (legacy): can't initialize iptables table \\`raw': Table does not exist" >&2
        exit 3
    fi ;;
esac
exec /usr/sbin/iptables "$@"
"""


class LackingHost(DockerHost):
    """A Docker host whose iptables, once ``/run/lacking`` is there, says what it says on a kernel without table raw."""

    def _start_daemon(self) -> None:
        self.run("mkdir", "/run/shim")
        self.write("/run/shim/iptables", _SHIM)
        self.run("chmod", "755", "/run/shim/iptables")
        self.environment["PATH"] = f"/run/shim:{self.environment['PATH']}"
        super()._start_daemon()


@pytest.mark.docker
def test_what_docker_28_says_of_a_kernel_without_the_table_raw_is_understood_with_iptables_words_put_in() -> None:
    require_lab(*DOCKER_PROGRAMS, root=True)
    with LackingHost.start(newest_docker()) as host:
        before = told(host)
        assert "no-raw-table" not in {check for check, _ in before}
        host.run("touch", "/run/lacking")
        start = ("docker", "run", "--detach", "--name=late", "--publish=127.0.0.1:9099:80", IMAGE, *HTTPD)
        assert b"can't initialize iptables table" in host.run(*start, check=False).stderr
        assert "no-raw-table" not in {check for check, _ in told(host)}, "the table is there: another start may go well"
        host.run("iptables-nft", "-t", "raw", "-F")
        host.run("nft", "delete", "table", "ip", "raw")
        report = doctor(host)
        found = serious(report)[0]
        assert found["check"] == "no-raw-table"
        assert (found["severity"], "late" in found["summary"]) == ("error", True)
