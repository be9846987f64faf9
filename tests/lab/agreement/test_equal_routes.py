"""Which of several routes that fit equally well the kernel takes, by what is known of their routers.

The judge is ``ip route get``, which looks up as a packet does, asked several
times: where nothing is certain the kernel goes round.
"""

from __future__ import annotations

import re

import pytest

from dnet_tui.diagnostics.walk.l3.routing import RouteAnswer, lookup
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.packet import Packet
from lab.machines.hosts import DemoHost

NOBODYS = "02:00:00:00:00:99"
FAR, FAR6 = "198.51.100.9", "2001:db8::9"
ONE, TWO, THREE = "172.30.1.91", "172.30.1.92", "172.30.1.93"
SIX_ONE, SIX_TWO, SIX_THREE = "fd00:1::91", "fd00:1::92", "fd00:1::93"
ASKED = 6


def put(host: DemoHost, routes: list[str], states: dict[str, str]) -> None:
    """Set up the web container's routes and neighbour entries."""
    lines = ["ip route del default; ip addr replace fd00:1::2/64 dev eth0 nodad", *(f"ip {line}" for line in routes)]
    for address, state in states.items():
        mac = "" if state == "failed" else f"lladdr {NOBODYS} "
        lines.append(f"ip neigh replace {address} dev eth0 {mac}nud {state}")
    host.run(*host.enter("web"), "sh", "-c", "\n".join(lines))


def said(host: DemoHost, dst: str) -> RouteAnswer:
    """What the walk makes of the container's routes."""
    snapshot = host.snapshot()
    web = next(ns for ns in snapshot.namespaces if "web" in ns.names)
    six = ":" in dst
    packet = Packet(family="ip6" if six else "ip", src="::" if six else "0.0.0.0", dst=dst, proto="tcp")  # noqa: S104
    return lookup(NamespaceIndex(web), packet)


def taken(host: DemoHost, dst: str) -> list[str]:
    """By which routers the kernel sends, one look-up after another."""
    asked = "; ".join([f"ip route get {dst} 2>&1 || true"] * ASKED)
    shown = host.run(*host.enter("web"), "sh", "-c", asked).stdout.decode()
    return re.findall(r"via (\S+)", shown) or re.findall(r"Invalid argument", shown)


@pytest.mark.parametrize(
    "states",
    [
        {},
        {ONE: "reachable"},
        {ONE: "reachable", TWO: "reachable"},
        {ONE: "stale", TWO: "reachable"},
        {ONE: "failed"},
        {ONE: "failed", TWO: "reachable", THREE: "reachable"},
        {ONE: "permanent", TWO: "permanent", THREE: "permanent"},
        {ONE: "failed", TWO: "failed"},
    ],
    ids=lambda states: ",".join(states.values()) or "none",
)
def test_equal_default_routes(demo_host: DemoHost, states: dict[str, str]) -> None:
    put(demo_host, [f"route append default via {router}" for router in (ONE, TWO, THREE)], states)
    answer = said(demo_host, FAR)
    really = taken(demo_host, FAR)
    assert len(really) == ASKED
    assert set(really) <= {way.gateway for way in answer.ways or (answer,)}
    assert len(set(really)) > 1 or not answer.ways or "failed" in states.values(), "it goes round where it may"


@pytest.mark.parametrize(
    "states",
    [
        {},
        {SIX_ONE: "stale"},
        {SIX_ONE: "failed"},
        {SIX_ONE: "failed", SIX_TWO: "failed"},
        {SIX_ONE: "failed", SIX_TWO: "failed", SIX_THREE: "failed"},
    ],
    ids=lambda states: ",".join(states.values()) or "none",
)
@pytest.mark.parametrize("forwards", [False, True])
def test_silent_routers_of_ipv6(demo_host: DemoHost, states: dict[str, str], *, forwards: bool) -> None:
    routes = [
        f"-6 route add 2001:db8::/32 via {SIX_ONE}",
        f"-6 route add default via {SIX_TWO} metric 100",
        f"-6 route add default via {SIX_THREE} metric 200",
    ]
    put(demo_host, routes, states)
    demo_host.run(*demo_host.enter("web"), "sysctl", "-qw", f"net.ipv6.conf.all.forwarding={int(forwards)}")
    answer = said(demo_host, FAR6)
    assert set(taken(demo_host, FAR6)) == {answer.gateway}
    assert bool(answer.provided) == (answer.gateway != SIX_ONE)


@pytest.mark.parametrize("failed", [False, True])
def test_a_blackhole_behind_a_silent_router(demo_host: DemoHost, *, failed: bool) -> None:
    routes = [f"-6 route add 2001:db8::/32 via {SIX_ONE}", "-6 route add blackhole 2001::/16"]
    put(demo_host, routes, {SIX_ONE: "failed"} if failed else {})
    answer = said(demo_host, FAR6)
    assert (answer.type == "blackhole") == failed
    assert set(taken(demo_host, FAR6)) == ({"Invalid argument"} if failed else {SIX_ONE})
