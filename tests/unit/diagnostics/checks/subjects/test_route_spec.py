"""A route that is taken away and put back has all that it had."""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.checks.subjects.bridge_attachments import route_spec
from dnet_tui.inspect.model import NextHop, Route
from dnet_tui.inspect.model.default_routes import MAIN
from unit.builders.factories import HOST, docker_like_snapshot


def test_the_specification_of_a_route_has_its_metrics_and_realm() -> None:
    host = next(ns for ns in docker_like_snapshot().namespaces if ns.id == HOST)
    link = host.links[-1]
    plain = Route(
        family="ip",
        table=MAIN,
        type="unicast",
        dst="10.10.0.3/32",
        hops=(NextHop(ifindex=link.ifindex, gateway="203.0.113.9"),),
        metric=5,
        protocol="static",
    )
    full = msgspec.structs.replace(plain, mtu=1300, mtu_locked=True, advmss=1000, realm=3)
    for route in (plain, full):
        spec = route_spec(host, route)
        assert spec is not None
        assert spec.route(host) == route
