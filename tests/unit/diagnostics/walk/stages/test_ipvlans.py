"""Ipvlans of all modes, bonds, and devices that throw away.  Constructed: none is in the kernel that tests run on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import (
    Bond,
    Ipvlan,
    LinkRef,
    Namespace,
    NextHop,
    PolicyRule,
    Route,
    Snapshot,
    Socket,
    Tun,
    TunProgram,
    Vrf,
    known_items,
)
from dnet_tui.inspect.model.firewall import Firewall, Hook, Table
from dnet_tui.inspect.model.view import View
from unit.builders.factories_firewall import chain, verdict
from unit.builders.factories_stacks import HOST, above, device, host_of, sent, space, there_and_back, why

ONE, TWO, FAR = "net:[11]", "net:[12]", "net:[13]"
SHARED = "02:00:00:00:bb:02"


def child(ident: str, number: int, mode: str, flag: str = "bridge", firewall: Firewall | None = None) -> Namespace:
    flags = ("NOARP",) if mode != "l2" else ()
    link = above(2, "eth0", "ipvlan", (HOST, 2), Ipvlan(mode=mode, flag=flag), mac=SHARED, flags=flags)
    routes = ("default via 10.9.0.1 dev 2",) if mode == "l2" else ("default dev 2",)
    more: dict[str, Any] = {"firewall": firewall} if firewall is not None else {}
    return space(ident, link, addresses={2: f"10.9.0.{number}/24"}, routes=routes, **more)


def dropping(hook: Hook, *matches: Any) -> Firewall:
    base = chain("c", [("drop", (*matches, verdict("drop")))], hook=hook, priority=0, type="filter", policy="accept")
    return Firewall(tables=(Table(family="ip", name="own", backend="nftables", chains=(base,)),))


def wired(mode: str, flag: str = "bridge", *, host: Firewall | None = None, one: Firewall | None = None) -> Snapshot:
    """Two ipvlans above the host's eth0, a veth whose other end is a router that knows the way to them."""
    more: dict[str, Any] = {"firewall": host} if host is not None else {}
    return host_of(
        space(HOST, device(2, "eth0", "veth", peer=(FAR, 2), mac=SHARED), addresses={2: "10.9.0.2/24"}, **more),
        child(ONE, 11, mode, flag, one),
        child(TWO, 12, mode, flag),
        space(
            FAR,
            device(2, "eth0", "veth", peer=(HOST, 2)),
            addresses={2: "10.9.0.1/24"},
            routes=("10.9.0.8/29 via 10.9.0.2 dev 2",) if mode != "l2" else (),
        ),
    )


@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_siblings_reach_each_other(mode: str) -> None:
    assert there_and_back(wired(mode), ONE, "10.9.0.11", "10.9.0.12") == ("delivered", TWO, "delivered")


@pytest.mark.parametrize("mode", ["l2", "l3"])
def test_private_siblings_do_not(mode: str) -> None:
    assert sent(wired(mode, "private"), ONE, "10.9.0.11", "10.9.0.12").end in {"dropped", "unreachable"}


@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_the_far_end_of_the_wire_is_reached_and_answers(mode: str) -> None:
    assert there_and_back(wired(mode), ONE, "10.9.0.11", "10.9.0.1") == ("delivered", FAR, "delivered")


@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_what_arrives_is_told_apart_by_its_address(mode: str) -> None:
    assert sent(wired(mode), FAR, "10.9.0.1", "10.9.0.12").last_namespace == TWO
    assert sent(wired(mode), FAR, "10.9.0.1", "10.9.0.2").last_namespace == HOST


def test_in_mode_l2_the_link_below_is_not_found_by_asking() -> None:
    assert sent(wired("l2"), ONE, "10.9.0.11", "10.9.0.2").end == "unreachable"
    assert sent(wired("l2"), HOST, "10.9.0.2", "10.9.0.11").end == "unreachable"


def test_in_mode_l3_the_host_s_own_address_is_routed_to_it() -> None:
    assert sent(wired("l3"), ONE, "10.9.0.11", "10.9.0.2").last_namespace == HOST


@pytest.mark.parametrize(("mode", "end"), [("l2", "delivered"), ("l3", "dropped"), ("l3s", "dropped")])
def test_what_is_sent_meets_output_of_the_host_where_that_routes(mode: str, end: str) -> None:
    assert sent(wired(mode, host=dropping("output")), ONE, "10.9.0.11", "10.9.0.1").end == end


@pytest.mark.parametrize(("mode", "end"), [("l2", "delivered"), ("l3", "delivered"), ("l3s", "dropped")])
@pytest.mark.parametrize("hook", ["prerouting", "input"])
def test_what_is_received_meets_the_host_s_hooks_in_mode_l3s_alone(mode: str, end: str, hook: Hook) -> None:
    assert sent(wired(mode, host=dropping(hook)), FAR, "10.9.0.1", "10.9.0.11").end == end


@pytest.mark.parametrize(("mode", "end"), [("l2", "dropped"), ("l3", "dropped"), ("l3s", "delivered")])
def test_its_own_input_is_passed_by_in_mode_l3s(mode: str, end: str) -> None:
    assert sent(wired(mode, one=dropping("input")), FAR, "10.9.0.1", "10.9.0.11").end == end


@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_its_own_output_is_met_in_every_mode(mode: str) -> None:
    assert sent(wired(mode, one=dropping("output")), ONE, "10.9.0.11", "10.9.0.1").end == "dropped"


# -- bonds ----------------------------------------------------------------------------------------


def bonded(bond: Bond, *, first: bool = True, second: bool = True) -> Snapshot:
    """A bond of two veths, of which each leads to a place of its own with the same address."""
    slaves = [
        device(number, f"eth{number}", "veth", peer=(far, 2), master=9, carrier=carrier, up=carrier)
        for number, far, carrier in ((2, ONE, first), (3, TWO, second))
    ]
    return host_of(
        space(HOST, device(9, "bond0", "bond", detail=bond), *slaves, addresses={9: "10.9.0.2/24"}),
        space(ONE, device(2, "eth0", "veth", peer=(HOST, 2)), addresses={2: "10.9.0.1/24"}),
        space(TWO, device(2, "eth0", "veth", peer=(HOST, 3)), addresses={2: "10.9.0.1/24"}),
    )


@pytest.mark.parametrize(("active", "where"), [(2, ONE), (3, TWO)])
def test_a_bond_of_which_one_is_active_sends_and_receives_by_that(active: int, where: str) -> None:
    snapshot = bonded(Bond(mode="active-backup", active=active))
    assert there_and_back(snapshot, HOST, "10.9.0.2", "10.9.0.1") == ("delivered", where, "delivered")
    other = TWO if where == ONE else ONE
    assert sent(snapshot, other, "10.9.0.1", "10.9.0.2").end in {"dropped", "unreachable"}
    assert sent(snapshot, where, "10.9.0.1", "10.9.0.2").end == "delivered"


def test_a_bond_without_an_active_slave_sends_nothing() -> None:
    found = sent(bonded(Bond(mode="active-backup")), HOST, "10.9.0.2", "10.9.0.1")
    assert (found.end, why(found)) == ("unreachable", "bond0 has no active slave")


def test_a_bond_that_spreads_may_send_by_any_with_carrier() -> None:
    assert sent(bonded(Bond(mode="balance-rr"), second=False), HOST, "10.9.0.2", "10.9.0.1").last_namespace == ONE
    assert sent(bonded(Bond(mode="802.3ad")), HOST, "10.9.0.2", "10.9.0.1").end == "unknown"  # two have the address
    none = sent(bonded(Bond(mode="802.3ad"), first=False, second=False), HOST, "10.9.0.2", "10.9.0.1")
    assert none.end == "unreachable"


# -- VRF ------------------------------------------------------------------------------------------


def with_vrf(*, slave: bool = True) -> Snapshot:
    """A router with two links, both in a VRF or not, whose table alone knows the way on."""
    master = {"master": 9} if slave else {}
    links = (
        device(9, "vrf0", "vrf", detail=Vrf(table=100)),
        device(2, "eth0", "veth", peer=(ONE, 2), **master),
        device(3, "eth1", "veth", peer=(TWO, 2), **master),
    )
    rules = tuple(PolicyRule(family="ip", priority=prio, table=table) for prio, table in ((0, 255), (32766, 254)))
    router = space(
        HOST,
        *links,
        addresses={2: "10.1.0.1/24", 3: "10.2.0.1/24"},
        routes=("10.2.0.0/24 dev 3 table 100", "10.1.0.0/24 dev 2 table 100"),
        rules=(*rules, PolicyRule(family="ip", priority=1000, l3mdev=True)),
    )
    main = tuple(item for item in router.routes if item.table != 254)
    return host_of(
        msgspec.structs.replace(router, routes=main),
        space(ONE, device(2, "eth0", "veth", peer=(HOST, 2)), addresses={2: "10.1.0.2/24"}, routes=_by("10.1.0.1")),
        space(TWO, device(2, "eth0", "veth", peer=(HOST, 3)), addresses={2: "10.2.0.2/24"}, routes=_by("10.2.0.1")),
    )


def _by(gateway: str) -> tuple[str, ...]:
    return (f"default via {gateway} dev 2",)


def test_what_a_vrf_s_link_receives_is_routed_by_its_table() -> None:
    assert there_and_back(with_vrf(), ONE, "10.1.0.2", "10.2.0.2") == ("delivered", TWO, "delivered")
    assert sent(with_vrf(slave=False), ONE, "10.1.0.2", "10.2.0.2").end == "no-route"


@pytest.mark.parametrize(
    ("bound", "accepts", "end"),
    [
        (None, "0", "refused"),
        (None, "1", "delivered"),
        (9, "0", "delivered"),  # to the VRF
        (3, "0", "refused"),  # to a link that isn't in it
    ],
)
def test_who_hears_what_came_by_a_vrf(bound: int | None, accepts: str, end: str) -> None:
    snapshot = with_vrf()
    host = next(ns for ns in known_items(snapshot.namespaces) if ns.id == HOST)
    links = tuple(msgspec.structs.replace(item, master=None) if item.name == "eth1" else item for item in host.links)
    listening = Socket(proto="tcp", address="0.0.0.0", port=80, ifindex=bound)  # noqa: S104 - of a host that is made up
    local = Route(family="ip", dst="10.1.0.1/32", type="local", table=100, hops=(NextHop(ifindex=2),))
    changed = msgspec.structs.replace(
        host,
        links=links,
        sockets=(listening,),
        routes=(*known_items(host.routes), local),
        sysctls={**host.sysctls, "net.ipv4.tcp_l3mdev_accept": accepts},
    )
    others = tuple(ns for ns in known_items(snapshot.namespaces) if ns.id != HOST)
    found = sent(msgspec.structs.replace(snapshot, namespaces=(changed, *others)), ONE, "10.1.0.2", "10.1.0.1")
    assert found.end == end


# -- others ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["dummy", "ifb"])
def test_some_devices_throw_all_away(kind: str) -> None:
    snapshot = host_of(space(HOST, device(2, "d0", kind), addresses={2: "10.9.0.2/24"}))
    found = sent(snapshot, HOST, "10.9.0.2", "10.9.0.1")
    assert (found.end, why(found)) == ("dropped", f"d0 is a {kind} device, which throws away what it is given")


def test_a_tun_device_leads_to_its_program() -> None:
    tun = device(2, "tun0", "tun", detail=Tun(type="tun"), flags=("NOARP", "POINTOPOINT"))
    program = TunProgram(netns=HOST, link="tun0", pid=77, name="openvpn")
    snapshot = host_of(space(HOST, tun, addresses={2: "10.8.0.2/24"}), tun_programs=(program,))
    found = sent(snapshot, HOST, "10.8.0.2", "10.8.0.1")
    assert (found.end, found.exits, found.left_note) == ("left", "tun0", "to process openvpn (77)")
    dead = host_of(
        space(HOST, msgspec.structs.replace(tun, carrier=False, operstate="DOWN"), addresses={2: "10.8.0.2/24"})
    )
    assert sent(dead, HOST, "10.8.0.2", "10.8.0.1").end == "unreachable"


def test_a_way_out_into_a_namespace_that_cannot_be_read_is_told_as_such() -> None:
    note = "its peer is in a namespace that could not be seen: interface 7"
    veth = device(2, "veth7", "veth", peer_note=note)
    snapshot = host_of(space(HOST, veth, addresses={2: "10.9.0.2/24"}, routes=_by("10.9.0.1")))
    found = sent(snapshot, HOST, "10.9.0.2", "198.51.100.1")
    assert (found.end, found.left_note) == ("left", "into a namespace that can't be read")
    aside = host_of(space(HOST, veth, addresses={2: "10.9.0.2/24"}))
    assert sent(aside, HOST, "10.9.0.2", "10.9.0.1").end == "unknown"  # perhaps a container that can't be read


def test_what_arrives_for_an_ipvlan_of_l3s_is_delivered_above() -> None:
    packet = Packet(src="10.9.0.1", dst="10.9.0.11", proto="tcp", sport=40000, dport=80, tcp_flags=("SYN",))
    found = walk(View(wired("l3s")), packet, origin=HOST, arriving=LinkRef(namespace=HOST, ifindex=2))
    assert (found.end, found.last_namespace) == ("delivered", ONE)
