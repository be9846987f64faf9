"""Traffic control as this kernel has it: what is read of it, and what the walk makes of it beside the kernel."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import Namespace, Snapshot, TrafficFilter
from dnet_tui.inspect.model.view import View
from lab.machines.hosts import DemoHost
from lab.packets.traffic import Probe, Went, went

TARGET = "172.30.1.2"
_AWAY = ("u32", "match", "u32", "0", "0", "action", "mirred", "egress", "redirect", "dev", "lo")


@pytest.fixture
def host() -> Iterator[DemoHost]:
    with DemoHost.start() as made:
        yield made


def tc(host: DemoHost, *words: str) -> bool:
    return host.run("tc", *words, check=False).returncode == 0


def read(host: DemoHost) -> tuple[Snapshot, Namespace]:
    snapshot = host.snapshot()
    return snapshot, next(ns for ns in snapshot.namespaces if ns.kind == "host")


def filters(host: DemoHost) -> list[TrafficFilter]:
    _, ns = read(host)
    veth = next(link.ifindex for link in ns.links if link.name == "veth-web")
    return [item for item in ns.traffic_control if item.ifindex == veth]


def verdict(host: DemoHost) -> str:
    snapshot, ns = read(host)
    packet = Packet(src="172.30.1.1", dst=TARGET, proto="icmp", icmp_type=8)
    return walk(View(snapshot), packet, origin=ns.id).end


def arrives(host: DemoHost) -> bool:
    return went(host, Probe(source="host", to="web", proto="icmp")) is Went.OK


def test_a_filter_is_read_and_its_fate_left_open(host: DemoHost) -> None:
    assert filters(host) == []
    assert (verdict(host), arrives(host)) == ("delivered", True)
    if not tc(host, "qdisc", "add", "dev", "veth-web", "clsact"):
        pytest.fail("this kernel has no clsact")
    assert (verdict(host), arrives(host)) == ("delivered", True), "a place alone does nothing"
    classify = ("u32", "match", "u32", "0", "0", "classid", "1:1")
    assert tc(host, "filter", "add", "dev", "veth-web", "egress", "pref", "5", *classify)
    assert [(item.kind, item.priority, item.actions) for item in filters(host)] == [("u32", 5, ())]
    assert (verdict(host), arrives(host)) == ("delivered", True), "it only classifies"
    assert tc(host, "filter", "add", "dev", "veth-web", "egress", "pref", "3", *_AWAY)
    assert ("u32", 3, ("mirred",)) in [(item.kind, item.priority, item.actions) for item in filters(host)]
    assert (verdict(host), arrives(host)) == ("unknown", False)
    assert tc(host, "filter", "del", "dev", "veth-web", "egress", "pref", "3")
    assert (verdict(host), arrives(host)) == ("delivered", True)


@pytest.mark.parametrize("where", ["xdp", "tcx"])
def test_a_program_is_seen_and_its_fate_left_open(host: DemoHost, where: str) -> None:
    assert arrives(host)
    put = host.run(
        sys.executable, str(Path(__file__).parents[1] / "machines" / "programs.py"), where, "veth-web", check=False
    )
    if put.returncode == 3:
        pytest.skip(f"no {where} programs here: {put.stderr.decode()}")
    assert put.returncode == 0, put.stderr
    snapshot, ns = read(host)
    veth = next(link for link in ns.links if link.name == "veth-web")
    if where == "xdp":
        assert veth.xdp.startswith("generic id ")
    else:
        assert [item.kind for item in filters(host)] == ["tcx"]
    web = next(
        item
        for item in snapshot.namespaces
        if "web" in item.names or any(address.address == TARGET for address in item.addresses)
    )
    packet = Packet(src=TARGET, dst="172.30.1.1", proto="icmp", icmp_type=8)
    assert (walk(View(snapshot), packet, origin=web.id).end, arrives(host)) == ("unknown", False)
