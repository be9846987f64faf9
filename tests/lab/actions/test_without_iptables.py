"""A host that has nftables and no iptables: networks, ports and routes by tables of dnet-tui's own."""

from __future__ import annotations

import json

import pytest

from lab.actions.private_etc import own_etc
from lab.actions.test_fix_and_undo import undo
from lab.actions.test_publish import publish, refused, shown
from lab.actions.test_routes import FAR, no_other_host, other_host, seen_from
from lab.machines.hosts import OUTSIDE_SERVER, UPLINK_ADDRESS, DemoHost, LabHost
from lab.packets.traffic import Probe, Went, expect


def without_iptables(demo_host: DemoHost) -> None:
    """Take iptables away, and all rules."""
    for program in ("xtables-nft-multi", "xtables-legacy-multi"):
        demo_host.run("mount", "--bind", "/dev/null", f"/usr/sbin/{program}", check=False)
    assert demo_host.run("iptables-nft", "-S", check=False).returncode != 0
    demo_host.run("nft", "flush", "ruleset")


@pytest.fixture
def bare(demo_host: DemoHost) -> DemoHost:
    """The demo host without iptables and without any rule; both families lead to the outside."""
    without_iptables(demo_host)
    return demo_host


def state(host: DemoHost) -> tuple[str, ...]:
    commands = (
        ("nft", "-s", "list", "ruleset"),
        ("ip", "-4", "route", "show", "table", "all"),
        ("ip", "-br", "link"),
        ("ip", "-br", "address", "show", "scope", "global"),
    )
    return (*(host.run(*words).stdout.decode() for words in commands), host.sysctls())


def changed(host: LabHost, *words: str) -> str:
    ran = host.dnet(*words, "--yes")
    assert ran.returncode == 0, ran.stdout.decode() + ran.stderr.decode()
    return ran.stdout.decode()


def settled(host: LabHost, *places: str) -> None:
    """Wait until duplicate address detection is through in these namespaces and on the host."""
    waiting = " ".join(f"ip -n {name} -6 address show tentative;" for name in places) + "ip -6 address show tentative"
    host.run("sh", "-c", f'for i in $(seq 50); do [ -z "$({waiting})" ] && exit 0; sleep 0.1; done; exit 1')


def complaints(host: DemoHost, *names: str) -> list[str]:
    """What the doctor has against these, which dnet-tui made; the rest of the host has lost its rules."""
    found = json.loads(host.dnet("doctor", "--format", "json").stdout)["findings"]
    return [item["summary"] for item in found if any(name in json.dumps(item) for name in names)]


def test_a_port_is_published(bare: DemoHost) -> None:
    before = state(bare)
    said = publish(bare, "api", "9090:80", "--localhost")
    assert "outside → port 9090: arrives at api, and the answer gets back" in said
    wanted = {
        Probe(source, UPLINK_ADDRESS, 9090, answers="api"): Went.OK
        for source in ("outside", "host", "web", "db", "api")
    }
    expect(bare, wanted | {Probe("host", "127.0.0.1", 9090, answers="api"): Went.OK})
    assert shown(bare, 9090) == [("api", "dnet-tui")]
    assert "is published already" in refused(bare, "web", "9090:80")
    during = state(bare)
    changed(bare, "port", "unpublish", "api", "9090")
    expect(bare, {Probe("outside", UPLINK_ADDRESS, 9090, answers="api"): Went.REFUSED})
    undo(bare)
    assert state(bare) == during
    undo(bare)
    assert state(bare) == before


def test_a_network_is_created_and_removed(bare: DemoHost) -> None:
    own_etc(bare)
    before = state(bare)
    red = ("net", "create", "red", "--engine", "linux", "--subnet", "10.77.0.0/24", "--subnet", "fd00:77::/64")
    changed(bare, *red, "--namespace", "n1")
    one = state(bare)
    two = ("net", "create", "blue", "--engine", "linux", "--subnet", "10.78.0.0/24", "--subnet", "fd00:78::/64")
    dry = bare.dnet(*two, "--namespace", "n2", "--dry-run").stdout.decode()
    assert "nft" in dry
    assert "iptables" not in dry
    changed(bare, *two, "--namespace", "n2")
    settled(bare, "n1", "n2")
    expect(
        bare,
        {
            Probe("n1", OUTSIDE_SERVER, 80, answers="internet"): Went.OK,  # masqueraded: nobody routes back
            Probe("n2", OUTSIDE_SERVER, 80, answers="internet"): Went.OK,
            Probe("n1", "10.78.0.2", 80, answers="n2"): Went.TIMEOUT,
            Probe("n2", "10.77.0.2", 80, answers="n1"): Went.TIMEOUT,
            Probe("n1", "fd00:78::2", 80, answers="n2", family="ip6"): Went.TIMEOUT,
            Probe("host", "fd00:78::2", 80, answers="n2", family="ip6"): Went.REFUSED,
            Probe("n1", "10.77.0.1", 80, answers="host"): Went.REFUSED,
        },
    )
    assert complaints(bare, "red", "blue", "10.77.0", "10.78.0", "fd00:78") == []
    there = state(bare)
    undo(bare)
    assert state(bare) == one
    changed(bare, *two, "--namespace", "n2")
    changed(bare, "net", "disconnect", "blue", "n2")
    said = changed(bare, "net", "rm", "blue")
    assert "nft delete table ip6 dnet-tui-net-br-blue" in said
    assert "dnet-tui-net-br-blue" not in state(bare)[0]
    undo(bare)
    undo(bare)
    assert state(bare)[0] == there[0]
    undo(bare)
    assert state(bare) == one
    undo(bare)
    assert state(bare) == before


def test_an_internal_network_has_no_way_out(bare: DemoHost) -> None:
    own_etc(bare)
    before = state(bare)
    words = ("net", "create", "shut", "--engine", "linux", "--subnet", "10.79.0.0/24", "--internal", "--no-icc")
    changed(bare, *words, "--namespace", "n1", "--namespace", "n2")
    expect(
        bare,
        {
            Probe("n1", OUTSIDE_SERVER, 80, answers="internet"): Went.UNREACHABLE,
            Probe("n1", "10.79.0.3", 80, answers="n2"): Went.TIMEOUT,
        },
    )
    undo(bare)
    assert state(bare) == before


def test_a_route_keeps_the_sources_beside_a_masquerade(bare: DemoHost) -> None:
    masquerade = 'chain p { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }'
    bare.run("nft", f"add table ip others {{ {masquerade}; }}")
    subnets = ("172.30.1.0/24", "172.30.2.0/24")
    other_host(bare, subnets)
    before = state(bare)
    address = bare.addresses["web"]
    try:
        said = changed(bare, "route", "add", "10.99.0.0/24", "via", "203.0.113.1")
        assert f"web → {FAR}: leaves by eth0 as {address}; what comes from there reaches it" in said.replace(
            "arrives", "leaves by eth0"
        )
        assert seen_from(bare, "web") == address
        assert complaints(bare, "10.99.0") == []
        during = state(bare)
        said = changed(bare, "route", "rm", "10.99.0.0/24")
        assert "nft delete table ip dnet-tui-route-10_99_0_0_24" in said
        undo(bare)
        assert state(bare) == during
        undo(bare)
        assert state(bare) == before
    finally:
        no_other_host(bare, subnets)


def test_a_table_that_drops_what_is_forwarded_is_named(bare: DemoHost) -> None:
    bare.run("nft", "add table inet shut { chain f { type filter hook forward priority filter; policy drop; }; }")
    for words in (
        ("net", "create", "red", "--engine", "linux"),
        ("route", "add", "10.99.0.0/24", "via", "203.0.113.1"),
        ("port", "publish", "api", "9090:80"),
    ):
        said = bare.dnet(*words, "--dry-run").stdout.decode()
        assert "table inet shut decides over forwarded packets too: what it drops stays dropped" in said
