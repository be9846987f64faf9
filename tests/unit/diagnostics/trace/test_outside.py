"""What stands for outside: its address, its link, and that any other address by the same route fares alike."""

from __future__ import annotations

import ipaddress

import msgspec
import pytest

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.context.outside import OUTSIDE, OUTSIDE6
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.matrix import MatrixRequest, matrix
from dnet_tui.diagnostics.trace.outside import arrival
from dnet_tui.diagnostics.trace.trace import Trace, trace
from dnet_tui.inspect.errors import CannotInspectError, UsageError
from dnet_tui.inspect.model import Address, NextHop, Route, Snapshot, Subnet, known_items
from unit.builders.factories import HOST, docker_like_snapshot, with_link, with_namespace, with_sysctl
from unit.diagnostics.checks.cases.rules import insert, with_network, without_default_route

BEYOND = "10.99.0.0/16"


def with_host(snapshot: Snapshot, **changes: object) -> Snapshot:
    return with_namespace(snapshot, HOST, **changes)


def with_address(snapshot: Snapshot, address: str, prefixlen: int, ifindex: int = 2) -> Snapshot:
    host = HostContext(snapshot).view.host
    assert host is not None
    more = Address(ifindex=ifindex, family="ip6" if ":" in address else "ip", address=address, prefixlen=prefixlen)
    return with_host(snapshot, addresses=(*host.addresses, more))


def with_route(
    snapshot: Snapshot, dst: str, gateway: str | None = None, ifindex: int = 2, **more: str | int
) -> Snapshot:
    host = HostContext(snapshot).view.host
    assert host is not None
    hops = (NextHop(ifindex=ifindex, gateway=gateway),)
    route = msgspec.convert({"family": "ip", "table": 254, "type": "unicast", "dst": dst, "hops": hops, **more}, Route)
    return with_host(snapshot, routes=(*host.routes, route))


def test_outside_is_the_documentations_address_where_nothing_knows_it() -> None:
    case = HostContext(docker_like_snapshot())
    assert (case.outside(), case.outside("ip6")) == (OUTSIDE, OUTSIDE6)


@pytest.mark.parametrize(
    "changed",
    [
        with_address(docker_like_snapshot(), "198.51.100.2", 24),
        with_address(docker_like_snapshot(), "198.51.100.77", 32),
        with_route(docker_like_snapshot(), "198.51.100.0/24", "203.0.113.9"),
        with_route(docker_like_snapshot(), "198.51.100.0/24", type="local"),
        with_route(docker_like_snapshot(), "198.0.0.0/8", "203.0.113.9", table=77),
        with_network(docker_like_snapshot(), "app", subnets=(Subnet(cidr="198.51.100.0/24"),)),
        with_address(docker_like_snapshot(), "198.51.100.2", 3),
    ],
)
def test_outside_is_nothing_that_the_host_knows_in_particular(changed: Snapshot) -> None:
    address = ipaddress.ip_address(HostContext(changed).outside())
    assert str(address) != OUTSIDE
    for ns in known_items(changed.namespaces):
        for item in known_items(ns.addresses):
            assert address not in ipaddress.ip_interface(item.cidr).network
        for route in known_items(ns.routes):
            assert route.family != "ip" or route.dst == "0.0.0.0/0" or address not in ipaddress.ip_network(route.dst)


def test_the_halves_of_a_default_route_are_no_route_in_particular() -> None:
    halves = with_route(with_route(docker_like_snapshot(), "0.0.0.0/1", "203.0.113.9"), "128.0.0.0/1", "203.0.113.9")
    assert HostContext(halves).outside() == OUTSIDE


def test_packets_from_outside_come_by_the_link_of_the_route_to_their_source() -> None:
    """Not by the first uplink, whatever their address."""
    snapshot = with_route(docker_like_snapshot(), BEYOND, "10.10.0.9", ifindex=7)
    host = HostContext(snapshot).view.host
    assert host is not None
    plain = next(link for link in host.links if link.name == "eth0")
    second = msgspec.structs.replace(plain, ifindex=7, name="eth1")
    case = HostContext(with_host(snapshot, links=(*(link for link in host.links if link.ifindex != 7), second)))
    assert arrival(case, "10.99.1.1").ifindex == 7
    assert arrival(case, "8.8.8.8").ifindex == plain.ifindex


def with_second_uplink() -> Snapshot:
    """A host with eth1 beside eth0; FORWARD drops what arrives by eth1."""
    snapshot = insert("-i eth1 -j DROP")
    for key in ("forwarding", "rp_filter"):
        snapshot = with_sysctl(snapshot, f"net.ipv4.conf.eth1.{key}", "1" if key == "forwarding" else "0")
    host = HostContext(snapshot).view.host
    assert host is not None
    plain = next(link for link in host.links if link.name == "eth0")
    bridge = next(link for link in host.links if link.name == "docker0")
    own = msgspec.structs.replace(plain, ifindex=77, name="eth1")
    port = msgspec.structs.replace(plain, ifindex=78, name="eth2", master=bridge.ifindex)
    return with_host(snapshot, links=(*host.links, own, port))


@pytest.mark.parametrize(("interface", "end"), [("", "delivered"), ("eth0", "delivered"), ("eth1", "dropped")])
def test_a_packet_arrives_by_the_interface_that_is_named(interface: str, end: str) -> None:
    case = HostContext(with_second_uplink())
    for source in ("outside", OUTSIDE):
        found = trace(case, find(case, source), find(case, "host"), port=8080, arrives_by=interface)
        assert found.forward.hops[0].interface == (interface or "eth0")
        assert found.forward.end == end


@pytest.mark.parametrize(
    ("source", "interface", "words"),
    [
        ("outside", "eth9", "no interface called 'eth9'"),
        ("outside", "lo", "nothing from outside arrives by the loopback"),
        ("outside", "eth2", "eth2 belongs to bridge docker0"),
        ("web", "eth1", "a packet from web is made on this host"),
        ("host", "eth1", "a packet from host is made on this host"),
    ],
)
def test_an_interface_by_which_nothing_arrives_is_refused(source: str, interface: str, words: str) -> None:
    case = HostContext(with_second_uplink())
    with pytest.raises(UsageError, match=words):
        trace(case, find(case, source), find(case, "app1"), arrives_by=interface)


def test_in_a_matrix_only_what_comes_from_outside_arrives_by_it() -> None:
    case = HostContext(with_second_uplink())
    wish = MatrixRequest(port=8080, arrives_by="eth1")
    found = matrix(case, wish, sources=["web", "outside"], targets=["host"])
    assert [cell.reach for cell in found.cells] == ["yes", "no"]
    with pytest.raises(UsageError, match="eth9"):
        matrix(case, MatrixRequest(arrives_by="eth9"), sources=["web"], targets=["host"])


def without_default(snapshot: Snapshot) -> Snapshot:
    return without_default_route(snapshot, HOST)


def traced(snapshot: Snapshot, source: str, target: str) -> Trace:
    case = HostContext(snapshot)
    return trace(case, find(case, source), find(case, target), port=8080)


def test_without_a_default_route_an_uplink_is_chosen_and_said() -> None:
    found = traced(without_default(docker_like_snapshot()), "outside", "host")
    assert found.forward.hops[0].interface == "eth0"
    assert found.forward.arrives is True
    assert found.assumed == (
        "this host has no default route; eth0 stands for its way outside, 198.51.100.77 for a host there"
    )
    assert found.arrives is False  # nobody knows the way back
    assert traced(docker_like_snapshot(), "outside", "host").assumed == ""


def test_without_a_default_route_outside_is_behind_a_gateway() -> None:
    behind = with_route(without_default(docker_like_snapshot()), BEYOND, "203.0.113.1")
    there, here = traced(behind, "web", "outside"), traced(behind, "outside", "host")
    assert ipaddress.ip_address(there.forward.start.dst) in ipaddress.ip_network(BEYOND)
    assert (there.forward.end, there.forward.exits, there.arrives) == ("left", "eth0", True)
    assert here.arrives is True
    assert there.assumed.startswith("this host has no default route; eth0 stands for")


def test_a_containers_bridge_is_no_way_outside() -> None:
    bare = without_default(with_link(docker_like_snapshot(), HOST, "eth0", ifindex=999))
    with pytest.raises(CannotInspectError, match="no default route and no uplink"):
        traced(bare, "outside", "web")


def test_a_broken_uplink_stands_for_the_way_outside_where_there_is_no_other() -> None:
    found = traced(with_link(without_default(docker_like_snapshot()), HOST, "eth0", up=False), "outside", "host")
    assert "eth0 stands for its way outside" in found.assumed
