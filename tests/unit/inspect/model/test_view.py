"""Look-ups over a snapshot that say more than what lies under a key."""

from __future__ import annotations

from dnet_tui.inspect.model import Family, NextHop, Route
from dnet_tui.inspect.model.view import View
from unit.builders.factories import BR_APP, DOCKER0, HOST, UPLINK, docker_like_snapshot, with_namespace


def default(ifindex: int, *, family: Family = "ip", table: int = 254, metric: int = 0, kind: str = "unicast") -> Route:
    dst = "0.0.0.0/0" if family == "ip" else "::/0"
    return Route(
        family=family, table=table, type=kind, dst=dst, metric=metric, hops=(NextHop(ifindex=ifindex, gateway="x"),)
    )


def uplinks(*routes: Route, family: Family | None = None) -> list[int]:
    snapshot = with_namespace(docker_like_snapshot(), HOST, routes=routes)
    return [link.ifindex for link in View(snapshot).uplinks(HOST, family)]


def test_the_uplink_is_the_default_routes_link() -> None:
    view = View(docker_like_snapshot())
    assert [link.name for link in view.uplinks(HOST)] == ["eth0"]


def test_main_comes_before_other_tables_and_then_the_metric_decides() -> None:
    routes = default(BR_APP, table=52), default(DOCKER0, metric=200), default(UPLINK, metric=100)
    assert uplinks(*routes) == [UPLINK, DOCKER0, BR_APP]


def test_each_family_has_its_own() -> None:
    routes = default(UPLINK), default(DOCKER0, family="ip6")
    assert uplinks(*routes, family="ip") == [UPLINK]
    assert uplinks(*routes, family="ip6") == [DOCKER0]
    assert uplinks(*routes) == [UPLINK, DOCKER0]


def test_every_leg_of_a_multipath_default_is_an_uplink_once() -> None:
    legs = NextHop(ifindex=UPLINK), NextHop(ifindex=DOCKER0), NextHop(ifindex=UPLINK)
    assert uplinks(Route(family="ip", table=254, type="unicast", dst="0.0.0.0/0", hops=legs)) == [UPLINK, DOCKER0]


def test_what_leads_nowhere_is_no_uplink() -> None:
    plain = Route(family="ip", table=254, type="unicast", dst="10.0.0.0/8", hops=(NextHop(ifindex=UPLINK),))
    assert uplinks(default(UPLINK, kind="unreachable"), plain, default(999)) == []
    assert View(docker_like_snapshot()).uplinks("net:[none]") == ()
