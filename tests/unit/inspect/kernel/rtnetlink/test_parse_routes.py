"""Routes and policy rules, from a real host's rtnetlink dump."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from dnet_tui.inspect.kernel.netlink import attribute
from dnet_tui.inspect.kernel.rtnetlink.parse_routes import parse_routes, parse_rules
from dnet_tui.inspect.model import NextHop, PolicyRule, Route

RAW = json.loads((Path(__file__).parents[3] / "data" / "inspect_rtnl_host.json").read_text())
ROUTE_BODIES = [bytes.fromhex(item) for item in RAW["routes"]]
ROUTES = parse_routes(ROUTE_BODIES)
RULES = parse_rules([bytes.fromhex(item) for item in RAW["rules"]])


def routes_to(dst: str) -> list[Route]:
    return [route for route in ROUTES if route.dst == dst]


def test_a_default_route_has_gateway_metric_and_protocol() -> None:
    assert routes_to("0.0.0.0/0") == [
        Route(
            family="ip",
            table=254,
            type="unicast",
            dst="0.0.0.0/0",
            hops=(NextHop(ifindex=4, gateway="198.51.100.1"),),
            metric=100,
            protocol="static",
        )
    ]
    assert [(route.hops, route.metric) for route in routes_to("::/0")] == [
        ((NextHop(ifindex=4, gateway="2001:db8::1"),), 50)
    ]


def test_a_multipath_route_has_every_leg_with_its_weight() -> None:
    (route,) = routes_to("203.0.113.0/24")
    assert route.hops == (
        NextHop(ifindex=4, gateway="198.51.100.3", weight=3),
        NextHop(ifindex=4, gateway="198.51.100.4", weight=1),
    )


def test_a_table_above_255_is_told_whole() -> None:
    (route,) = routes_to("203.0.113.128/25")
    assert (route.table, route.type, route.hops) == (1000, "blackhole", ())


def test_types_that_end_a_packets_way_are_named() -> None:
    assert [(route.type, route.metric) for route in routes_to("10.99.0.0/16")] == [("unreachable", 4278198272)]


def test_a_gateway_of_the_other_family_is_read() -> None:
    (route,) = routes_to("203.0.113.7/32")
    assert route.hops == (NextHop(ifindex=4, gateway="2001:db8::1", flags=("onlink",)),)


def test_the_preferred_source_is_kept() -> None:
    assert [route.source for route in routes_to("10.10.0.0/24")] == ["10.10.0.1"]


def test_selectors_that_are_not_modelled_are_never_dropped() -> None:
    assert [route.other for route in routes_to("203.0.113.9/32")] == [("tos 0x10",)]
    assert [route.other for route in routes_to("2001:db8:1::/48")] == [("from 2001:db8::/64",)]
    assert all(not route.other for route in routes_to("0.0.0.0/0"))


def test_a_cached_exception_is_no_route() -> None:
    body = bytearray(ROUTE_BODIES[0])
    assert parse_routes([bytes(body)])
    struct.pack_into("=I", body, 8, 0x200)
    assert parse_routes([bytes(body)]) == ()


def rule_at(priority: int, family: str = "ip") -> PolicyRule:
    (rule,) = (rule for rule in RULES if rule.priority == priority and rule.family == family)
    return rule


def test_the_three_rules_of_every_kernel() -> None:
    assert [(rule_at(priority).action, rule_at(priority).table) for priority in (0, 32766, 32767)] == [
        ("lookup", 255),
        ("lookup", 254),
        ("lookup", 253),
    ]


def test_a_rule_has_its_selectors() -> None:
    assert rule_at(100) == PolicyRule(
        family="ip", priority=100, table=1000, src="10.10.0.0/24", iif="br0", mark=0x10, mask=0xFF
    )
    assert rule_at(90) == PolicyRule(
        family="ip", priority=90, table=254, dst="203.0.113.0/24", invert=True, suppress_prefixlength=0
    )
    assert rule_at(120) == PolicyRule(family="ip", priority=120, action="prohibit", src="198.51.100.77/32")
    assert rule_at(300, "ip6") == PolicyRule(family="ip6", priority=300, table=200, src="2001:db8:5::/48")


def test_a_rule_says_what_of_it_is_not_modelled() -> None:
    assert rule_at(110).other == ("ipproto 6", "dport 80-90")
    assert (rule_at(95).action, rule_at(95).oif, rule_at(95).other) == ("goto", "up0", ("goto 120",))


def test_the_bits_of_a_port_are_told_where_not_all_count() -> None:
    """Since Linux 6.15 every rule with a single port has a mask (FRA_SPORT_MASK, FRA_DPORT_MASK)."""
    header = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 0, 0, 8, 0)
    single, several = (attribute(24, struct.pack("=HH", *ports)) for ports in ((80, 80), (80, 90)))
    whole, some, none = (attribute(29, struct.pack("=H", mask)) for mask in (0xFFFF, 0xFF, 0))
    bodies = (single, single + whole, single + some, several + none, attribute(23, struct.pack("=HH", 7, 7)) + whole)
    found = [rule.other for body in bodies for rule in parse_rules([header + body])]
    assert found == [
        ("dport 80",),
        ("dport 80",),
        ("dport 80/0x00ff",),
        ("dport 80-90",),
        ("sport 7", "attribute 29 0xffff"),
    ]


def test_a_selector_from_a_newer_kernel_makes_the_rule_undecidable() -> None:
    header = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 0, 0, 1, 0)
    attribute = struct.pack("=HHI", 8, 77, 5)
    (rule,) = parse_rules([header + attribute])
    assert rule.other == ("attribute 77 0x05000000",)


def test_a_routes_mtu_preference_and_nexthop_object_are_told() -> None:
    metrics = attribute(2, struct.pack("=I", 1400)) + attribute(1, struct.pack("=I", 1 << 2))
    metrics += attribute(8, struct.pack("=I", 1360))
    header = struct.pack("=BBBBBBBBI", 10, 0, 0, 0, 254, 3, 0, 1, 0)
    extra = attribute(8, metrics) + attribute(20, b"\1") + attribute(30, struct.pack("=I", 12))
    (route,) = parse_routes([header + attribute(4, struct.pack("=I", 4)) + extra])
    assert (route.mtu, route.mtu_locked, route.advmss) == (1400, True, 1360)
    assert (route.preference, route.nexthop_id, route.dst) == ("high", 12, "::/0")
    assert route.other == ()


def test_a_plain_route_has_none_of_these() -> None:
    (route,) = routes_to("203.0.113.0/24")
    assert (route.mtu, route.mtu_locked, route.advmss, route.preference, route.nexthop_id) == (
        None,
        False,
        None,
        "",
        None,
    )


def test_the_same_message_is_the_same_route_and_another_is_not() -> None:
    changed = bytearray(ROUTE_BODIES[0])
    changed[7] = 7  # the type: unreachable
    first, again, other = parse_routes([ROUTE_BODIES[0], bytes(ROUTE_BODIES[0]), bytes(changed)])
    assert first == again
    assert first != other
