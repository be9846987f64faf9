"""What Docker's rules do to others, others' rules to Docker, and what only looks like a fault: with real traffic."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from lab.faults.machinery import Argv, commanded, doctor, roots, serious, settled, state
from lab.machines.docker_host import DockerHost
from lab.machines.hosts import OUTSIDE_SERVER, LabHost
from lab.machines.image import HTTPD, IMAGE
from lab.machines.requirements import DOCKER_PROGRAMS, require_lab, require_podman
from lab.packets.plans import EGRESS, FROM_HOST, PUBLISHED
from lab.packets.traffic import Probe, Went, expect
from lab.zoo.engine_hosts import Beside, Legacy, NoRules

OK, TIMEOUT = Went.OK, Went.TIMEOUT
USUAL = {EGRESS: OK, PUBLISHED: OK, FROM_HOST: OK}
PODS = Probe("outside", PUBLISHED.to, 8099, answers="pod1")
SECOND = Probe("outside", "192.0.2.2", 8080, answers="web")
APP = Probe("app1", OUTSIDE_SERVER, 80, answers="internet")


def checks(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["check"], item["severity"]) for item in report["findings"]]


@pytest.mark.docker
@pytest.mark.podman
def test_dockers_policy_that_hits_a_port_of_podmans_is_named_mended_and_taken_back() -> None:
    require_lab(*DOCKER_PROGRAMS, root=True)
    require_podman()
    with Beside.start() as host:
        expect(host, {**USUAL, PODS: TIMEOUT})
        report = doctor(host)
        assert checks(report) == [("drop-hits-others", "error")]
        assert "network pods" in report["findings"][0]["summary"]
        ill = state(host)
        fixed = host.dnet("fix", "drop-hits-others", "--yes")
        assert fixed.returncode == 0, fixed.stderr.decode() + fixed.stdout.decode()
        expect(host, {**USUAL, PODS: OK})
        assert serious(doctor(host)) == []
        undone = host.dnet("undo", "--yes")
        assert undone.returncode == 0, undone.stderr.decode() + undone.stdout.decode()
        assert settled(host, ill) == []
        expect(host, {**USUAL, PODS: TIMEOUT})


_LXD = """table inet lxd {
 chain pstrt.lxdbr0 {
  type nat hook postrouting priority srcnat; policy accept;
  ip saddr 10.158.0.0/24 ip daddr != 10.158.0.0/24 masquerade
 }
 chain fwd.lxdbr0 {
  type filter hook forward priority filter; policy accept;
  ip version 4 oifname "lxdbr0" accept
  ip version 4 iifname "lxdbr0" accept
 }
}
"""
GUEST = Probe("guest", OUTSIDE_SERVER, 80, answers="internet")


@contextmanager
def lxd_guest(host: LabHost) -> Iterator[None]:
    """Put a namespace onto a bridge, and let it out as LXD does."""
    into = ("ip", "-n", "guest")
    inject: list[Argv] = [
        ("ip", "link", "add", "lxdbr0", "type", "bridge"),
        ("ip", "address", "add", "10.158.0.1/24", "dev", "lxdbr0"),
        ("ip", "link", "set", "lxdbr0", "up"),
        ("sysctl", "-q", "-w", "net.ipv4.conf.lxdbr0.forwarding=1"),
        ("ip", "netns", "add", "guest"),
        ("ip", "link", "add", "vguest", "type", "veth", "peer", "name", "eth0", "netns", "guest"),
        ("ip", "link", "set", "vguest", "master", "lxdbr0", "up"),
        (*into, "address", "add", "10.158.0.2/24", "dev", "eth0"),
        (*into, "link", "set", "eth0", "up"),
        (*into, "route", "add", "default", "via", "10.158.0.1"),
    ]
    restore: list[Argv] = [
        ("nft", "delete", "table", "inet", "lxd"),
        ("ip", "netns", "del", "guest"),
        ("ip", "link", "del", "lxdbr0"),
    ]
    with commanded(host, inject, restore):
        host.run("nft", "-f", "-", stdin=_LXD.encode())
        yield


def test_dockers_policy_that_hits_a_guest_whose_manager_lets_it_out(any_docker: DockerHost) -> None:
    host = any_docker
    before = state(host)
    with lxd_guest(host):
        expect(host, {**USUAL, GUEST: TIMEOUT})
        assert roots(doctor(host)) == ["drop-hits-others"]
        fixed = host.dnet("fix", "drop-hits-others", "--yes")
        assert fixed.returncode == 0, fixed.stderr.decode() + fixed.stdout.decode()
        expect(host, {**USUAL, GUEST: OK})
        assert serious(doctor(host)) == []
        undone = host.dnet("undo", "--yes")
        assert undone.returncode == 0, undone.stderr.decode() + undone.stdout.decode()
        expect(host, {**USUAL, GUEST: TIMEOUT})
    assert settled(host, before) == []


@pytest.mark.docker
def test_a_docker_that_may_write_no_rules_is_why_they_are_missing() -> None:
    require_lab(*DOCKER_PROGRAMS, root=True)
    with NoRules.start() as host:
        expect(host, {APP: TIMEOUT, FROM_HOST: OK})
        report = doctor(host)
        assert roots(report) == ["iptables-false"]
        assert {item["caused_by"] for item in serious(report)[1:]} == {"iptables-false"}
        for subnet in ("10.10.0.0/24", "10.20.0.0/24"):
            rule = ("POSTROUTING", "-s", subnet, "-o", "eth0", "-j", "MASQUERADE")
            host.run("iptables-nft", "-w", "-t", "nat", "-A", *rule)
        expect(host, {APP: OK, FROM_HOST: OK})
        assert serious(doctor(host)) == []


@pytest.mark.docker
def test_an_iptables_that_was_turned_to_the_other_backend_under_a_running_docker() -> None:
    require_lab(*DOCKER_PROGRAMS, root=True)
    with Legacy.start() as host:
        assert checks(doctor(host)) == []
        links = ("/run/legacy/iptables", "/run/legacy/ip6tables")
        legacy = [host.run("readlink", link).stdout.decode().strip() for link in links]
        for link in links:
            program = which(f"{Path(link).name}-nft", path=host.environment["PATH"])
            host.run("ln", "-sf", str(program), link)
        names = ("--name=late", "--publish=9099:80", IMAGE, *HTTPD)
        started = host.run("docker", "run", "--detach", *names, check=False)
        assert started.returncode != 0
        assert "No chain/target/match by that name" in started.stderr.decode()
        assert checks(doctor(host)) == [("iptables-shadow", "warning")]
        for link, target in zip(links, legacy, strict=True):
            host.run("ln", "-sf", target, link)
        host.docker("start", "late")
        assert checks(doctor(host)) == []


def test_a_table_that_iptables_refuses_is_told_and_no_fault_while_nothing_fails(docker_host: DockerHost) -> None:
    host = docker_host
    host.run("nft", "insert rule ip filter FORWARD ct state invalid log drop")
    try:
        refused = host.run("iptables-nft", "-w", "-S", check=False)
        assert "is incompatible, use 'nft' tool" in refused.stderr.decode()
        expect(host, USUAL)
        assert checks(doctor(host)) == [("iptables-incompatible", "info")]
    finally:
        listed = host.run("nft", "-a", "list", "chain", "ip", "filter", "FORWARD").stdout.decode()
        found = re.search(r"ct state invalid.*# handle (\d+)", listed)
        assert found is not None
        host.run("nft", "delete", "rule", "ip", "filter", "FORWARD", "handle", found[1])
    assert checks(doctor(host)) == []


@contextmanager
def direct_route(host: LabHost) -> Iterator[None]:
    """Have the outside know the way to the containers of docker0."""
    words = ("172.17.0.0/16", "via", PUBLISHED.to)
    outside = tuple(host.enter("outside"))
    with commanded(host, [(*outside, "ip", "route", "add", *words)], [(*outside, "ip", "route", "del", *words)]):
        yield


def test_what_docker_28_keeps_out_is_by_design_and_told_only_where_it_grew(
    docker28_host: DockerHost, tmp_path: Path
) -> None:
    host = docker28_host
    earlier = tmp_path / "before.json"
    earlier.write_bytes(host.run(*_dnet_words(host)).stdout)
    with direct_route(host):
        expect(host, {Probe("outside", host.addresses["web"], 80, answers="web"): TIMEOUT})
        said = host.dnet("trace", "outside", "web:80").stdout.decode()
        assert "by design: Docker 28" in said
        assert checks(doctor(host)) == []
        report = doctor(host, "--since", str(earlier))
    assert checks(report) == [("direct-blocked", "info")]
    assert report["findings"][0]["subject"]["name"] == "docker0"
    assert [item for item in report["checks"] if item["outcome"] in {"unknown", "crashed"}] == []
    assert report["summary"]["verdict"] == "healthy"


def _dnet_words(host: LabHost) -> list[str]:
    saved = "/tmp/before-of-the-lab.json"
    assert host.dnet("snapshot", "save", saved).returncode == 0
    return ["sh", "-c", f"cat {saved}; rm {saved}"]


_OUTSIDE_KEYS = ("all", "eth0")


_INSIDE = ("10.0.0.0/8", "172.16.0.0/12")
"""Where the engine's containers are."""


@contextmanager
def second_uplink(host: LabHost) -> Iterator[None]:
    """Give the host a second line to the internet, and the usual rules for what has its address, containers spared."""
    outside = tuple(host.enter("outside"))
    filtering = [f"net.ipv4.conf.{key}.rp_filter" for key in _OUTSIDE_KEYS]
    values = host.run(*outside, "sysctl", "-n", *filtering).stdout.decode().split()
    inject: list[Argv] = [
        ("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth9", "netns", "internet"),
        ("ip", "address", "add", "192.0.2.2/24", "dev", "eth1"),
        (*outside, "ip", "address", "add", "192.0.2.1/24", "dev", "eth9"),
        ("ip", "link", "set", "eth1", "up"),
        (*outside, "ip", "link", "set", "eth9", "up"),
        (*outside, "ip", "route", "replace", "192.0.2.0/24", "dev", "eth9", "src", OUTSIDE_SERVER),
        ("ip", "route", "add", "default", "via", "192.0.2.1", "dev", "eth1", "table", "100"),
        *(("ip", "rule", "add", "to", inside, "lookup", "main", "pref", "999") for inside in _INSIDE),
        ("ip", "rule", "add", "from", "192.0.2.2", "lookup", "100", "pref", "1000"),
        ("sysctl", "-q", "-w", "net.ipv4.conf.eth1.rp_filter=0"),
    ]
    restore: list[Argv] = [
        ("ip", "rule", "del", "pref", "1000"),
        *(("ip", "rule", "del", "to", inside, "pref", "999") for inside in _INSIDE),
        ("ip", "link", "del", "eth1"),
        *((*outside, "sysctl", "-q", "-w", f"{key}={value}") for key, value in zip(filtering, values, strict=True)),
    ]
    with commanded(host, inject, restore):
        yield


@pytest.mark.parametrize(("filters", "severity"), [("here", "error"), ("at the provider's", "warning")])
def test_answers_of_a_second_uplinks_port_that_leave_by_the_first(
    docker_host: DockerHost, filters: str, severity: str
) -> None:
    host = docker_host
    before = state(host)
    with second_uplink(host):
        if filters == "here":
            host.run("sysctl", "-q", "-w", "net.ipv4.conf.eth1.rp_filter=1")
        else:
            expect(host, {SECOND: OK})
            for key in (*_OUTSIDE_KEYS, "eth9"):
                host.run(*host.enter("outside"), "sysctl", "-q", "-w", f"net.ipv4.conf.{key}.rp_filter=1")
        expect(host, {**USUAL, SECOND: TIMEOUT})
        report = doctor(host)
        assert checks(report) == [("rpf-source-routing", severity)]
        remedy = report["findings"][0]["remedy"]
        for step in remedy["steps"]:
            host.run(*step)
        expect(host, {**USUAL, SECOND: OK})
        assert checks(doctor(host)) == []
        for step in remedy["undo"]:
            host.run(*step)
        expect(host, {**USUAL, SECOND: TIMEOUT})
        assert checks(doctor(host)) == [("rpf-source-routing", severity)]
    assert [item for item in settled(host, before) if not item.startswith(("rules", "tables"))] == []
    expect(host, USUAL)
