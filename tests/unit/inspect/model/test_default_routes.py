"""What counts as a default route, and which links are the way out."""

from __future__ import annotations

from dnet_tui.inspect.model import Link, Namespace, NextHop, Route
from dnet_tui.inspect.model.default_routes import default_routes, destination, uplinks, ways_out
from dnet_tui.inspect.model.links import Family


def route(dst: str, ifindex: int, *, metric: int = 0, table: int = 254, kind: str = "unicast") -> Route:
    family: Family = "ip6" if ":" in dst else "ip"
    hops = (NextHop(ifindex=ifindex),)
    return Route(family=family, dst=dst, table=table, type=kind, metric=metric, hops=hops)


def space(*routes: Route) -> Namespace:
    links = tuple(Link(ifindex=number, name=f"eth{number}") for number in range(1, 6))
    return Namespace(id="net:[1]", inode=1, kind="host", links=links, routes=routes)


BUSY = space(
    route("0.0.0.0/0", 5, table=100),
    route("0.0.0.0/0", 2, metric=600),
    route("0.0.0.0/0", 1, metric=100),
    route("0.0.0.0/0", 3, metric=4000, kind="blackhole"),
    route("::/0", 4),
    route("0.0.0.0/1", 3),  # half of the internet is no default
    route("10.0.0.0/8", 3),
)


def test_the_preferred_way_out_is_first_and_a_table_of_its_own_last() -> None:
    assert [link.name for link in uplinks(BUSY, "ip")] == ["eth1", "eth2", "eth5"]
    assert [link.name for link in uplinks(BUSY, "ip6")] == ["eth4"]


def test_a_black_hole_is_a_default_route_and_no_way_out() -> None:
    assert [item.type for item in default_routes(BUSY, "ip", table=254)] == ["unicast", "unicast", "blackhole"]
    assert [item.metric for item in ways_out(BUSY, "ip", table=254)] == [100, 600]


def test_a_link_that_is_not_there_is_no_uplink() -> None:
    assert uplinks(space(route("0.0.0.0/0", 77))) == ()


def test_several_ways_out_by_one_link_are_one_uplink() -> None:
    both = space(route("0.0.0.0/0", 1), route("0.0.0.0/0", 1, metric=9), route("::/0", 1))
    assert [link.name for link in uplinks(both)] == ["eth1"]


def test_a_default_route_is_called_so() -> None:
    assert [destination(item) for item in (route("0.0.0.0/0", 1), route("::/0", 1))] == ["default", "default"]
    assert destination(route("0.0.0.0/1", 1)) == "0.0.0.0/1"
