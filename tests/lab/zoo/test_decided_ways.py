"""What somebody decided without a rule that drops, on a real Docker host: named, left alone, and told from its twin."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from lab.faults.machinery import differing, doctor, roots, state
from lab.machines.docker_host import DockerHost

_RAW = "iptables -w -t raw {} PREROUTING -i docker0 -j CT {}"
_TABLE = "nft add table ip past"
_CHAIN = "nft 'add chain ip past early { type filter hook prerouting priority -150 ; }'"
_WRITES = "nft add rule ip past early iifname {} ip daddr 192.0.2.0/24 ip daddr set 192.0.2.9"
_GONE = ("nft delete table ip past",)
_BAN = ("iptables -w -N f2b-web", "iptables -w -A f2b-web -s {} -j REJECT", "iptables -w -I DOCKER-USER -j f2b-web")
_UNBAN = ("iptables -w -D DOCKER-USER -j f2b-web", "iptables -w -F f2b-web", "iptables -w -X f2b-web")


@dataclass(frozen=True)
class Way:
    """What is done and undone, what the doctor says of it, and what only looks like it.

    A command whose first word is a container's name with a colon is run in its namespace.
    """

    make: tuple[str, ...]
    undo: tuple[str, ...]
    check: str
    severity: str
    owner: str
    words: str
    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()


def _sysctl(place: str, key: str, on: str, off: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (f"{place}: sysctl -qw {key}={on}",), (f"{place}: sysctl -qw {key}={off}",)


_QUIET = "net.ipv4.icmp_echo_ignore_all"
_QUIET_PING = "net.ipv4.icmp_echo_ignore_broadcasts"

WAYS: dict[str, Way] = {
    "a tracking zone for one direction of a network": Way(
        (_RAW.format("-I", "--zone 5"),),
        (_RAW.format("-D", "--zone 5"),),
        "ct-zone",
        "warning",
        "administrator",
        "where its answers aren't looked for",
        (_RAW.format("-I", "--zone-orig 5"),),
        (_RAW.format("-D", "--zone-orig 5"),),
    ),
    "destinations written over": Way(
        (_TABLE, _CHAIN, _WRITES.format("br-app")),
        _GONE,
        "hijack",
        "info",
        "administrator",
        "for somebody else",
        (_TABLE, _CHAIN, _WRITES.format("eth9")),
        _GONE,
    ),
    "a container that answers no ping": Way(
        *_sysctl("app1", _QUIET, "1", "0"),
        "echo-ignored",
        "info",
        "administrator",
        "app1 answers no ping",
        *_sysctl("app1", _QUIET_PING, "0", "1"),
    ),
    "one address banned by fail2ban": Way(
        tuple(line.format("192.0.2.50") for line in _BAN),
        _UNBAN,
        "policy-drop",
        "info",
        "fail2ban",
        "published ports",
        tuple(line.format("240.0.0.9") for line in _BAN),
        _UNBAN,
    ),
    "a network that a policy rule prohibits": Way(
        ("ip rule add pref 90 iif br-app prohibit",),
        ("ip rule del pref 90 iif br-app prohibit",),
        "blackhole",
        "warning",
        "administrator",
        "is refused",
        ("ip rule add pref 90 iif br-none prohibit",),
        ("ip rule del pref 90 iif br-none prohibit",),
    ),
}


@contextmanager
def _done(host: DockerHost, make: tuple[str, ...], undo: tuple[str, ...]) -> Iterator[None]:
    for line in make:
        _run(host, line)
    try:
        yield
    finally:
        for line in undo:
            _run(host, line)


def _run(host: DockerHost, line: str) -> None:
    place, colon, words = line.partition(": ")
    host.run(*(host.enter(place) if colon else []), *shlex.split(words if colon else line))


@pytest.mark.docker
@pytest.mark.parametrize("name", WAYS)
def test_it_is_named_and_left_alone_and_what_looks_like_it_is_not_said(docker28_host: DockerHost, name: str) -> None:
    way = WAYS[name]
    with _done(docker28_host, way.make, way.undo):
        before = state(docker28_host)
        mine = [item for item in doctor(docker28_host)["findings"] if item["check"] == way.check]
        assert [(item["severity"], item["owner"]["name"]) for item in mine] == [(way.severity, way.owner)]
        assert way.words in mine[0]["summary"]
        fixed = docker28_host.dnet("fix", "--yes")
        assert differing(before, state(docker28_host)) == [], fixed.stdout.decode()
    with _done(docker28_host, way.like, way.unlike):
        assert [item for item in doctor(docker28_host)["findings"] if item["check"] == way.check] == []


@pytest.mark.docker
def test_a_container_without_ipv6_on_a_network_that_has_it_is_named(docker28_host: DockerHost) -> None:
    key = "net.ipv6.conf.all.disable_ipv6"
    try:
        _run(docker28_host, f"six1: sysctl -qw {key}=1")
        before = state(docker28_host)
        mine = [item for item in doctor(docker28_host)["findings"] if item["check"] == "ctr-ipv6-off"]
        assert [(item["severity"], item["affects"][0]["name"]) for item in mine] == [("warning", "six1")]
        docker28_host.dnet("fix", "--yes")
        assert differing(before, state(docker28_host)) == []
        _run(docker28_host, f"app1: sysctl -qw {key}=1")  # its network has no IPv6
        mine = [item for item in doctor(docker28_host)["findings"] if item["check"] == "ctr-ipv6-off"]
        assert [item["affects"][0]["name"] for item in mine] == ["six1"]
    finally:
        _run(docker28_host, f"app1: sysctl -qw {key}=0")
        _run(docker28_host, f"six1: sysctl -qw {key}=0")
        docker28_host.docker("restart", "six1")
    assert [item for item in doctor(docker28_host)["findings"] if item["check"] == "ctr-ipv6-off"] == []


@pytest.mark.docker
def test_a_trace_of_a_ping_says_who_leaves_it_out(docker28_host: DockerHost) -> None:
    asked = ("trace", "app2", "app1", "--proto", "icmp", "--format", "json")
    with _done(docker28_host, *_sysctl("app1", _QUIET, "1", "0")):
        pinged = docker28_host.run(
            *docker28_host.enter("app2"), "ping", "-c1", "-W1", docker28_host.addresses["app1"], check=False
        )
        assert pinged.returncode != 0
        done = docker28_host.dnet(*asked)
        said = json.loads(done.stdout)
        assert done.returncode == 1
        assert _QUIET in json.dumps(said)
    assert docker28_host.dnet(*asked).returncode == 0


@pytest.mark.docker
def test_what_engine_and_administrator_keep_apart_is_left_alone(docker28_host: DockerHost) -> None:
    """A network with icc=false is on the host anyway; beside it an administrator's flag on the ports of another."""
    ports = [_port(docker28_host, name) for name in ("app1", "app2")]
    try:
        for port in ports:
            docker28_host.run("bridge", "link", "set", "dev", port, "isolated", "on")
        before = state(docker28_host)
        report = doctor(docker28_host)
        fixed = docker28_host.dnet("fix", "--yes")
        assert differing(before, state(docker28_host)) == [], fixed.stdout.decode()
        assert "port-isolated" in {item["check"] for item in report["findings"]}
        assert not [item for item in report["findings"] if "quiet" in item["summary"]]
    finally:
        for port in ports:
            docker28_host.run("bridge", "link", "set", "dev", port, "isolated", "off")


LOST = {
    "the route to a network": (
        ("ip route del 10.10.0.0/24",),
        ("ip route add 10.10.0.0/24 dev br-app proto kernel scope link src 10.10.0.1",),
    ),
    "the rule for the main table": (("ip rule del pref 32766",), ("ip rule add pref 32766 lookup main",)),
}


@pytest.mark.docker
@pytest.mark.parametrize("what", LOST)
def test_a_route_that_the_host_has_lost_is_one_cause_and_comes_back(docker28_host: DockerHost, what: str) -> None:
    whole = state(docker28_host)
    with _done(docker28_host, *LOST[what]):
        assert roots(doctor(docker28_host)) == ["net-route-gone"]
        fixed = docker28_host.dnet("fix", "net-route-gone", "--yes")
        assert fixed.returncode == 0, fixed.stdout.decode()
        assert differing(whole, state(docker28_host)) == []
        docker28_host.dnet("undo", "--yes")
    assert differing(whole, state(docker28_host)) == []


def _port(host: DockerHost, container: str) -> str:
    shown = host.run(*host.enter(container), "ip", "-o", "link", "show", "eth0").stdout.decode()
    index = shown.partition("eth0@if")[2].partition(":")[0]
    links = json.loads(host.run("ip", "-j", "link").stdout)
    return next(str(item["ifname"]) for item in links if str(item["ifindex"]) == index)
