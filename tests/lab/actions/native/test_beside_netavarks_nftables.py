"""A host without iptables whose Podman writes nftables: networks, ports and routes beside the engine's own table."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lab.actions.private_etc import own_etc
from lab.actions.settled_bridges import bridges_settled
from lab.actions.test_fix_and_undo import undo
from lab.actions.test_publish import publish, shown
from lab.actions.test_routes import no_other_host, other_host, seen_from
from lab.actions.test_without_iptables import settled
from lab.machines.hosts import OUTSIDE_SERVER, UPLINK_ADDRESS
from lab.machines.podman_host import PodmanHost
from lab.packets.traffic import Probe, Went, expect
from lab.sequences.sequences import difference, portrait


@pytest.fixture(scope="module")
def host(native_podman_host: PodmanHost) -> PodmanHost:
    """The host, with an /etc of its own for what namespaces get there."""
    own_etc(native_podman_host)
    bridges_settled(native_podman_host)
    return native_podman_host


def done(host: PodmanHost, *words: str) -> str:
    ran = host.dnet(*words, "--yes")
    assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode()
    return ran.stdout.decode()


def complaints(host: PodmanHost) -> list[str]:
    """What the doctor has against the host; that something is lost at a reboot isn't that."""
    return [item["summary"] for item in json.loads(host.dnet("doctor", "--format", "json").stdout)["findings"]]


def there_and_back(host: PodmanHost, words: tuple[str, ...], sees: Callable[[str], None]) -> None:
    """Make a change, look at it, and take it back: the whole host is as it was, the order of its tables included."""
    before = portrait(host)
    try:
        sees(done(host, *words))
        assert complaints(host) == []
    finally:
        undo(host)
    assert difference(before, portrait(host)) == ""


def test_it_is_netavarks_own_table_and_there_is_no_iptables(host: PodmanHost) -> None:
    assert b"table inet netavark" in host.run("nft", "list", "ruleset").stdout
    assert host.run("iptables-nft", "-S", check=False).returncode != 0


def test_a_plain_network_is_kept_apart_from_podmans(host: PodmanHost) -> None:
    subnets = ("--subnet", "10.77.0.0/24", "--subnet", "fd00:77::/64")

    def sees(_: str) -> None:
        settled(host, "n1")
        expect(
            host,
            {
                Probe("n1", OUTSIDE_SERVER, 80, answers="internet"): Went.OK,
                Probe("n1", host.addresses["app1"], 80, answers="app1"): Went.TIMEOUT,
                Probe("app1", "10.77.0.2", 80, answers="n1"): Went.TIMEOUT,
                Probe("six1", "fd00:77::2", 80, answers="n1", family="ip6"): Went.TIMEOUT,
                Probe("host", "fd00:77::2", 80, answers="n1", family="ip6"): Went.REFUSED,
            },
        )

    there_and_back(host, ("net", "create", "red", "--engine", "linux", *subnets, "--namespace", "n1"), sees)


def test_podman_makes_a_network_and_removes_it(host: PodmanHost) -> None:
    before = portrait(host)
    done(host, "net", "create", "green", "--engine", "podman", "--subnet", "10.78.0.0/24")
    done(host, "net", "connect", "green", "app1", "--engine", "podman")
    assert b"10.78.0.0/24" in host.run("nft", "list", "ruleset").stdout
    undo(host)
    done(host, "net", "rm", "green", "--engine", "podman")
    undo(host)
    assert "green" in host.podman("network", "ls", "--format={{.Name}}").split()
    undo(host)
    assert "green" not in host.podman("network", "ls", "--format={{.Name}}").split()
    assert difference(before, portrait(host)) == ""


@pytest.mark.parametrize("localhost", [False, True])
def test_a_port_in_ipv4(host: PodmanHost, *, localhost: bool) -> None:
    def sees(said: str) -> None:
        assert "outside → port 9090: arrives at app1, and the answer gets back" in said
        sources = ("outside", "host", "app2", "web", "app1")
        wanted = {Probe(name, UPLINK_ADDRESS, 9090, answers="app1"): Went.OK for name in sources}
        own = Probe("host", "127.0.0.1", 9090, answers="app1")
        expect(host, wanted | {own: Went.OK if localhost else Went.REFUSED})
        assert shown(host, 9090) == [("app1", "dnet-tui")]

    words = ("port", "publish", "app1", "9090:80", *(("--localhost",) if localhost else ()))
    there_and_back(host, words, sees)
    expect(host, {Probe("outside", UPLINK_ADDRESS, 9090, answers="app1"): Went.REFUSED})


def test_a_port_in_both_families(host: PodmanHost) -> None:
    gateway = json.loads(host.podman("network", "inspect", "six"))[0]["subnets"]
    six = next(item["gateway"] for item in gateway if ":" in item["gateway"])

    def sees(_: str) -> None:
        wanted = {Probe(name, six, 9090, family="ip6", answers="six2"): Went.OK for name in ("six1", "six2", "host")}
        expect(host, wanted | {Probe("host", UPLINK_ADDRESS, 9090, answers="six2"): Went.OK})

    there_and_back(host, ("port", "publish", "six2", "9090:80"), sees)


def test_a_port_that_is_unpublished_and_put_back_stands_last_which_is_said(host: PodmanHost) -> None:
    before = portrait(host)
    publish(host, "app1", "9090:80")
    publish(host, "app2", "9091:80")
    said = host.dnet("port", "unpublish", "app1", "9090", "--dry-run").stdout.decode()
    assert "put back by undo its tables are listed last" in said
    assert "after ip dnet-tui-port-9091-tcp" in said
    assert "listed last" not in host.dnet("port", "unpublish", "app2", "9091", "--dry-run").stdout.decode()
    during = portrait(host)
    done(host, "port", "unpublish", "app1", "9090")
    undo(host)
    assert difference(during, portrait(host)) == "nft: in another order"
    expect(
        host, {Probe("outside", UPLINK_ADDRESS, port, answers=f"app{port - 9089}"): Went.OK for port in (9090, 9091)}
    )
    undo(host)
    undo(host)
    assert difference(before, portrait(host)) == ""


def test_a_route_keeps_the_sources_though_netavark_masquerades(host: PodmanHost) -> None:
    subnets = ("10.88.0.0/16", "10.110.0.0/24")
    other_host(host, subnets)

    def sees(_: str) -> None:
        for name in ("web", "app1"):
            assert seen_from(host, name) == host.addresses[name]

    try:
        there_and_back(host, ("route", "add", "10.99.0.0/24", "via", "203.0.113.1"), sees)
    finally:
        no_other_host(host, subnets)


FAR6, SIX, UPLINK6, NEXT6 = "fd00:99::2", "fd00:170::/64", "2001:db8:1::2", "2001:db8:1::1"


def test_a_route_of_ipv6_keeps_the_sources(host: PodmanHost) -> None:
    outside = host.enter("outside")
    before = portrait(host)
    host.run("ip", "address", "add", f"{UPLINK6}/64", "dev", "eth0", "nodad")
    for words in (("address", "add", f"{NEXT6}/64", "dev", "eth0", "nodad"), ("address", "add", FAR6, "dev", "lo")):
        host.run(*outside, "ip", *words)
    host.run(*outside, "ip", "route", "add", SIX, "via", UPLINK6)

    def sees(_: str) -> None:
        assert seen_from(host, "six1", FAR6) == host.addresses6["six1"]

    try:
        there_and_back(host, ("route", "add", "fd00:99::/64", "via", NEXT6), sees)
    finally:
        host.run("ip", "address", "del", f"{UPLINK6}/64", "dev", "eth0")
        host.run(*outside, "ip", "route", "del", SIX)
        host.run(*outside, "ip", "address", "del", f"{NEXT6}/64", "dev", "eth0")
        host.run(*outside, "ip", "address", "del", f"{FAR6}/128", "dev", "lo")
    assert difference(before, portrait(host)) == ""
