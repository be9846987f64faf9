"""Neighbour entries, IPv6 addresses in limbo, marks, multipath, policy rules: definite only where it is certain."""

from __future__ import annotations

from typing import Any

import pytest

from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.l2.neighbours import unready
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.l3.addresses import unusable_source
from dnet_tui.diagnostics.walk.l3.input_route import admit
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.packet import Packet, Walk, replace
from dnet_tui.inspect.model import (
    Address,
    Link,
    LinkRef,
    Macvlan,
    Namespace,
    Neighbour,
    NextHop,
    PolicyRule,
    Route,
    Snapshot,
)
from dnet_tui.inspect.model.links import Family
from dnet_tui.inspect.model.view import View
from unit.builders.factories import (
    APP1,
    APP2,
    BR_APP,
    HOST,
    LONELY,
    UPLINK,
    docker_like_snapshot,
    route,
    with_link,
    with_namespace,
    with_unread,
)

NOBODYS = "02:00:00:00:00:99"


def space(snapshot: Snapshot, ident: str) -> Namespace:
    return next(ns for ns in snapshot.namespaces if ns.id == ident)


def remembering(state: str, mac: str = NOBODYS, address: str = "10.10.0.2") -> Snapshot:
    entry = Neighbour(ifindex=BR_APP, family="ip", address=address, mac=mac, state=state)
    return with_namespace(docker_like_snapshot(), HOST, neighbours=(entry,))


def from_host(snapshot: Snapshot, dst: str = "10.10.0.2") -> Walk:
    packet = Packet(src="10.10.0.1", dst=dst, proto="tcp", sport=40000, dport=80)
    return walk(View(snapshot), packet, origin=HOST)


@pytest.mark.parametrize(
    ("state", "end"),
    [
        ("PERMANENT", "unreachable"),
        ("NOARP", "unreachable"),
        ("REACHABLE", "unreachable"),
        ("STALE", "unknown"),
        ("DELAY", "unknown"),
        ("PROBE", "unknown"),
        ("FAILED", "delivered"),
        ("INCOMPLETE", "delivered"),
    ],
)
def test_a_wrong_entry_is_definite_for_as_long_as_the_kernel_keeps_it(state: str, end: str) -> None:
    trip = from_host(remembering(state))
    assert trip.end == end
    if end == "unknown":
        assert trip.decided_by is not None
        assert NOBODYS in trip.decided_by.text


def test_asking_anew_does_not_help_where_nobody_has_the_address() -> None:
    assert from_host(remembering("STALE", address="10.10.0.9"), "10.10.0.9").end == "unreachable"


def test_an_entry_may_be_stale_and_right_or_anothers() -> None:
    eth0 = next(link for link in space(docker_like_snapshot(), APP1).links if link.name == "eth0")
    other = next(link for link in space(docker_like_snapshot(), APP2).links if link.name == "eth0")
    assert from_host(remembering("STALE", eth0.mac)).end == "delivered"
    assert from_host(remembering("STALE", other.mac)).end == "unknown"


def limbo(*flags: str) -> Namespace:
    address = Address(ifindex=UPLINK, family="ip6", address="fd00::2", prefixlen=64, flags=flags)
    host = space(docker_like_snapshot(), HOST)
    return space(with_namespace(docker_like_snapshot(), HOST, addresses=(*host.addresses, address)), HOST)


@pytest.mark.parametrize(
    ("flags", "ends"),
    [
        ((), []),
        (("permanent",), []),
        (("tentative",), ["unknown"]),
        (("tentative", "optimistic"), []),
        (("tentative", "dadfailed"), ["dropped"]),
    ],
)
def test_an_ipv6_address_is_used_only_once_it_is_certain(flags: tuple[str, ...], ends: list[str]) -> None:
    assert [end for end, _ in unusable_source(NamespaceIndex(limbo(*flags)), "fd00::2")] == ends


def test_nobody_answers_yet_for_a_tentative_address() -> None:
    for flags, found in ((("tentative",), True), (("tentative", "dadfailed"), False), ((), False)):
        ns = limbo(*flags)
        snapshot = with_namespace(docker_like_snapshot(), HOST, addresses=ns.addresses)
        uplink = next(link for link in ns.links if link.ifindex == UPLINK)
        assert (unready(View(snapshot), ns, uplink, "fd00::2") is not None) is found


def marked(valid: str) -> Namespace:
    """Back to 198.51.100.0/24 by another device, but for packets with mark 7."""
    host = space(docker_like_snapshot(), HOST)
    rule = PolicyRule(family="ip", priority=100, table=100, mark=7)
    return space(
        with_namespace(
            docker_like_snapshot(),
            HOST,
            policy_rules=(*host.policy_rules, rule),
            routes=(
                *host.routes,
                route("198.51.100.0/24", ifindex=BR_APP),
                route("198.51.100.0/24", ifindex=UPLINK, table=100),
            ),
            sysctls=host.sysctls | {"net.ipv4.conf.eth0.rp_filter": "1", "net.ipv4.conf.eth0.src_valid_mark": valid},
        ),
        HOST,
    )


@pytest.mark.parametrize(("valid", "mark", "refused"), [("0", 7, True), ("1", 7, False), ("1", 0, True)])
def test_the_mark_counts_in_the_reverse_path_only_where_it_is_to(valid: str, mark: int, refused: bool) -> None:
    packet = Packet(src="198.51.100.9", dst="203.0.113.2", proto="udp", iif="eth0", mark=mark)
    ns = marked(valid)
    uplink = next(link for link in ns.links if link.ifindex == UPLINK)
    assert any(stop.stage == "reverse-path" for stop in admit(NamespaceIndex(ns), packet, uplink).stops) is refused


@pytest.mark.parametrize(("every", "own", "stops"), [("0", "0", 1), ("0", "1", 0), ("1", "0", 0)])
def test_a_device_may_forward_ipv6_though_its_host_does_not(every: str, own: str, stops: int) -> None:
    host = space(docker_like_snapshot(), HOST)
    sysctls = {"net.ipv6.conf.all.forwarding": every, "net.ipv6.conf.eth0.force_forwarding": own}
    ns = space(with_namespace(docker_like_snapshot(), HOST, sysctls=host.sysctls | sysctls), HOST)
    uplink = next(link for link in ns.links if link.ifindex == UPLINK)
    packet = Packet(family="ip6", src="2001:db8::9", dst="fd00::2", proto="udp", iif="eth0")
    assert (
        len([stop for stop in admit(NamespaceIndex(ns), packet, uplink).stops if stop.stage == "forwarding"]) == stops
    )


def test_ipv6s_policy_rules_are_evaluated_as_ipv4s() -> None:
    rules = (
        PolicyRule(family="ip", priority=5, table=66),  # IPv4's concerns IPv4 alone
        PolicyRule(family="ip6", priority=10, table=66, src="fd00:1::/64"),
        PolicyRule(family="ip6", priority=20, table=77, mark=3),
        PolicyRule(family="ip6", priority=32766, table=254),
    )

    def default(table: int, ifindex: int) -> Route:
        return route("::/0", ifindex=ifindex, family="ip6", table=table)

    routes = (default(66, 66), default(77, 77), default(254, 54), route("fd09::/16", ifindex=9, family="ip6"))
    ns = space(with_namespace(docker_like_snapshot(), HOST, policy_rules=rules, routes=routes), HOST)

    def out(src: str, mark: int | None = 0, dst: str = "2001:db8::1") -> int | None:
        return routing.lookup(
            NamespaceIndex(ns), Packet(family="ip6", src=src, dst=dst, proto="udp", mark=mark)
        ).ifindex

    assert (out("fd00:1::5"), out("fd00:2::5"), out("fd00:2::5", 3)) == (66, 54, 77)
    assert out("fd00:2::5", dst="fd09::1") == 9
    assert out("fd00:2::5", None) is None, "an unknown mark makes it unknown"


def forked(*hops: NextHop, **more: Any) -> Snapshot:
    """The default route with several next hops."""
    host = space(docker_like_snapshot(), HOST)
    default = Route(family="ip", table=254, type="unicast", dst="0.0.0.0/0", hops=hops)
    rest = tuple(item for item in host.routes if item.dst != "0.0.0.0/0")
    return with_namespace(docker_like_snapshot(), HOST, routes=(default, *rest), **more)


def outward(snapshot: Snapshot) -> Walk:
    packet = Packet(src="203.0.113.2", dst="198.51.100.77", proto="tcp", sport=40000, dport=443)
    return walk(View(snapshot), packet, origin=HOST, outside=True)


def test_a_multipath_route_is_definite_where_all_its_ways_end_alike() -> None:
    first = NextHop(ifindex=UPLINK, gateway="203.0.113.1")
    second = NextHop(ifindex=UPLINK, gateway="203.0.113.7")
    inwards = NextHop(ifindex=BR_APP, gateway="10.10.0.99")
    assert outward(forked(first, second)).end == "left"
    assert outward(forked(first, inwards)).end == "unknown"
    dead = NextHop(ifindex=BR_APP, gateway="10.10.0.99", flags=("dead",))
    assert outward(forked(first, dead)).end == "left"


FIRST, SECOND = "203.0.113.1", "203.0.113.7"


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ("", "", [FIRST]),
        ("REACHABLE", "REACHABLE", [FIRST]),
        ("REACHABLE", "STALE", [FIRST]),
        ("STALE", "REACHABLE", [FIRST, SECOND]),
        ("FAILED", "", [SECOND]),
        ("INCOMPLETE", "REACHABLE", [SECOND]),
        ("STALE", "FAILED", [FIRST]),
        ("STALE", "", [FIRST, SECOND]),
        ("PERMANENT", "REACHABLE", [FIRST, SECOND]),
        ("FAILED", "FAILED", [FIRST, SECOND]),
    ],
)
def test_of_equal_default_routes_the_first_living_router_is_taken(first: str, second: str, taken: list[str]) -> None:
    """A router that was heard of lately is passed by if it was taken last: that nobody sees."""
    healthy = space(docker_like_snapshot(), HOST)
    defaults = tuple(route("0.0.0.0/0", ifindex=UPLINK, gateway=gateway) for gateway in (FIRST, SECOND))
    states = ((FIRST, first), (SECOND, second))
    entries = tuple(
        Neighbour(ifindex=UPLINK, family="ip", address=address, mac=NOBODYS, state=state)
        for address, state in states
        if state
    )
    rest = tuple(item for item in healthy.routes if item.dst != "0.0.0.0/0")
    snapshot = with_namespace(docker_like_snapshot(), HOST, routes=(*defaults, *rest), neighbours=entries)
    packet = Packet(src="203.0.113.2", dst="198.51.100.77", proto="tcp")
    found = routing.lookup(NamespaceIndex(space(snapshot, HOST)), packet)
    assert [item.gateway for item in found.ways or (found,)] == taken
    assert (found.type == "unknown") == (len(taken) > 1)
    sent = outward(snapshot)
    assert sent.end == "left", "both end alike"
    rests_on = next((state for address, state in states if [address] == taken), "")
    assert bool(found.provided) == (rests_on == "REACHABLE"), "what is reachable now may not be so when it is sent"
    assert found.provided in [hedge.text for hedge in sent.hedges] or not found.provided


SIXTH, SEVENTH, EIGHTH = "fd00::1", "fd00::2", "fd00::3"


def routed6(states: dict[str, str], *routes: Route, forwarding: str = "0") -> routing.RouteAnswer:
    entries = tuple(
        Neighbour(ifindex=UPLINK, family="ip6", address=address, mac=NOBODYS, state=state)
        for address, state in states.items()
    )
    sysctls = {**space(docker_like_snapshot(), HOST).sysctls, "net.ipv6.conf.all.forwarding": forwarding}
    rules = (PolicyRule(family="ip6", priority=32766, table=254),)
    snapshot = with_namespace(
        docker_like_snapshot(), HOST, routes=routes, neighbours=entries, sysctls=sysctls, policy_rules=rules
    )
    packet = Packet(family="ip6", src="::", dst="2001:db8::9", proto="tcp")
    return routing.lookup(NamespaceIndex(space(snapshot, HOST)), packet)


def six(dst: str, *gateways: str, **more: Any) -> Route:
    hops = tuple(NextHop(ifindex=UPLINK, gateway=gateway) for gateway in gateways)
    return Route(family="ip6", table=254, dst=dst, hops=hops, **{"type": "unicast", **more})


@pytest.mark.parametrize(
    ("states", "taken"),
    [
        ({}, SIXTH),
        ({SIXTH: "STALE"}, SIXTH),
        ({SIXTH: "INCOMPLETE"}, SIXTH),
        ({SIXTH: "FAILED"}, SEVENTH),
        ({SIXTH: "FAILED", SEVENTH: "FAILED"}, EIGHTH),
        ({SIXTH: "FAILED", SEVENTH: "FAILED", EIGHTH: "FAILED"}, SIXTH),
    ],
)
def test_a_silent_router_of_ipv6_is_passed_by_for_any_route_that_fits(states: dict[str, str], taken: str) -> None:
    """By a shorter prefix, too; where none is reachable the best counts as ever."""
    routes = (six("2001:db8::/32", SIXTH), six("::/0", SEVENTH, metric=100), six("::/0", EIGHTH, metric=200))
    found = routed6(states, *routes)
    assert found.gateway == taken
    assert bool(found.provided) == (taken != SIXTH), "they may be heard again"
    assert routed6(states, *routes, forwarding="1").gateway == SIXTH, "a router asks nobody"


def test_what_lies_behind_a_silent_router_of_ipv6() -> None:
    """A blackhole that fits is as good as any; of several next hops those that are silent aren't taken."""
    hole = Route(family="ip6", table=254, type="blackhole", dst="2001:db8::/32")
    assert routed6({SIXTH: "FAILED"}, six("2001:db8::/48", SIXTH), hole).type == "blackhole"
    assert routed6({}, six("2001:db8::/48", SIXTH), hole).gateway == SIXTH
    both = six("::/0", SIXTH, SEVENTH)
    assert [way.gateway for way in routed6({}, both).ways] == [SIXTH, SEVENTH]
    assert routed6({SIXTH: "FAILED"}, both).gateway == SEVENTH
    assert routed6({SIXTH: "FAILED"}, six("::/0", SIXTH)).gateway == SIXTH, "there is no other"


def test_routes_that_are_no_rivals() -> None:
    """Another metric is another rank; another prefix, a route without a router or a socket's own device has none."""
    healthy = space(docker_like_snapshot(), HOST)
    stale = (Neighbour(ifindex=UPLINK, family="ip", address=FIRST, mac=NOBODYS, state="STALE"),)
    rest = tuple(item for item in healthy.routes if item.dst != "0.0.0.0/0")

    def gateway(*routes: Route, dst: str = "198.51.100.77") -> str:
        snapshot = with_namespace(docker_like_snapshot(), HOST, routes=(*routes, *rest), neighbours=stale)
        found = routing.lookup(NamespaceIndex(space(snapshot, HOST)), Packet(src="203.0.113.2", dst=dst, proto="tcp"))
        assert not found.ways
        return found.gateway

    first, second = (route("0.0.0.0/0", ifindex=UPLINK, gateway=item) for item in (FIRST, SECOND))
    later = route("0.0.0.0/0", ifindex=UPLINK, gateway=SECOND, metric=50)
    assert gateway(first, later) == FIRST
    assert gateway(first, route("0.0.0.0/0", ifindex=UPLINK)) == FIRST
    narrow = [route("198.51.100.0/24", ifindex=UPLINK, gateway=item) for item in (FIRST, SECOND)]
    assert gateway(*narrow, second) == FIRST


@pytest.mark.parametrize(
    ("family", "switch", "used"),
    [
        ("ip", "ipv4.conf.all", False),
        ("ip", "ipv4.conf.eth0", False),
        ("ip", "ipv6.conf.eth0", True),
        ("ip6", "ipv6.conf.eth0", False),
        ("ip6", "ipv6.conf.all", True),
        ("ip6", "ipv4.conf.all", True),
        ("ip6", "ipv4.conf.eth0", True),
    ],
)
def test_each_family_has_its_own_switch_for_routes_without_carrier(family: Family, switch: str, used: bool) -> None:
    """Of IPv6 the device's own decides: a write to ``all`` reaches every device, which may be set otherwise later."""
    healthy = docker_like_snapshot()
    address, whole = ("198.51.100.77", "198.51.100.0/24") if family == "ip" else ("2001:db8:9::1", "2001:db8:9::/64")
    down = NextHop(ifindex=UPLINK, gateway="", flags=("linkdown",))
    only = Route(family=family, table=254, type="unicast", dst=whole, hops=(down,))
    rules = (PolicyRule(family=family, priority=32766, table=254),)
    sysctls = {f"net.{switch}.ignore_routes_with_linkdown": "1"}
    host = space(with_namespace(healthy, HOST, routes=(only,), policy_rules=rules, sysctls=sysctls), HOST)
    found = routing.lookup(NamespaceIndex(host), Packet(family=family, src="", dst=address, proto="udp"))
    assert found.type == ("unicast" if used else "none")


def test_a_host_does_not_reach_the_macvlan_above_its_own_uplink() -> None:
    healthy = docker_like_snapshot()
    app = space(healthy, APP1)
    upper = Link(
        ifindex=90,
        name="mv0",
        kind="macvlan",
        up=True,
        peer=LinkRef(namespace=HOST, ifindex=UPLINK),
        detail=Macvlan(mode="bridge"),
    )
    address = Address(ifindex=90, family="ip", address="203.0.113.50", prefixlen=24)
    stacked = with_namespace(healthy, APP1, links=(*app.links, upper), addresses=(*app.addresses, address))
    packet = Packet(src="203.0.113.2", dst="203.0.113.50", proto="udp", dport=9)
    found = walk(View(stacked), packet, origin=HOST)
    assert found.end == "unreachable"
    assert found.decided_by is not None
    assert "a macvlan above eth0, which eth0 itself doesn't reach" in found.decided_by.text
    other = walk(View(stacked), replace(packet, dst="203.0.113.51"), origin=HOST)
    assert other.end == "left"  # a neighbour out there
    assert walk(View(healthy), packet, origin=HOST).end == "left"
    through = with_link(healthy, HOST, "eth0", kind="macvlan")
    found = walk(View(through), packet, origin=HOST)
    assert (found.end, found.left_note) == ("left", "into a namespace that can't be read")


def test_what_may_lie_on_the_uplink_counts_only_where_it_may_be_the_next_hop() -> None:
    healthy = docker_like_snapshot()
    packet = Packet(src="203.0.113.2", dst="203.0.113.50", proto="udp", dport=9)
    blind = with_unread(healthy, LONELY, "links")
    assert walk(View(blind), packet, origin=HOST).end == "left"
    address = Address(ifindex=90, family="ip", address="203.0.113.50", prefixlen=24)
    for may in (with_namespace(blind, LONELY, addresses=(address,)), with_unread(blind, LONELY, "addresses")):
        found = walk(View(may), packet, origin=HOST)
        assert (found.end, found.decided_by and found.decided_by.value) == ("unknown", "links")


def test_a_mac_address_that_was_set_may_be_that_of_anything_on_the_uplink() -> None:
    uplink = LinkRef(namespace=HOST, ifindex=UPLINK)
    upper = Link(ifindex=90, name="mv0", kind="macvlan", up=True, peer=uplink, detail=Macvlan(mode="bridge"))
    stacked = with_namespace(docker_like_snapshot(), APP1, links=(*space(docker_like_snapshot(), APP1).links, upper))
    blind = with_unread(stacked, LONELY, "links")
    packet = Packet(src="203.0.113.2", dst="203.0.113.50", proto="udp", dport=9)
    for state, end in (("REACHABLE", "left"), ("PERMANENT", "unknown")):
        entry = Neighbour(ifindex=UPLINK, family="ip", address="203.0.113.50", mac="02:00:00:00:00:50", state=state)
        entries = (*space(blind, HOST).neighbours, entry)
        found = walk(View(with_namespace(blind, HOST, neighbours=entries)), packet, origin=HOST)
        assert found.end == end
