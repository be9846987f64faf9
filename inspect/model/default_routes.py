"""Default routes, and the links they leave by: the one place that says what counts as one.  Pure."""

from __future__ import annotations

from dnet_tui.inspect.model.links import Family, Link
from dnet_tui.inspect.model.routing import Route
from dnet_tui.inspect.model.snapshot import Namespace

MAIN, DEFAULT, LOCAL = 254, 253, 255
"""RT_TABLE_MAIN, RT_TABLE_DEFAULT, RT_TABLE_LOCAL."""

ANYWHERE: dict[Family, str] = {"ip": "0.0.0.0/0", "ip6": "::/0"}
"""Where a default route leads."""


def is_anywhere(cidr: str) -> bool:
    """Whether a CIDR is all of a family's addresses."""
    return cidr in ANYWHERE.values()


def destination(route: Route) -> str:
    """A route's destination as ``ip route`` writes it: ``default``, or its CIDR."""
    return "default" if is_anywhere(route.dst) else route.dst


def default_routes(ns: Namespace, family: Family | None = None, *, table: int | None = None) -> tuple[Route, ...]:
    """The default routes of a namespace, of every type, the preferred first.

    Routes of every table count, those of the main one before others, then by
    metric; a default that only some packets ask for (by a policy rule) is
    still one.  ``family`` and ``table`` ask for one alone.
    """
    found = [
        route
        for route in ns.routes
        if route.dst == ANYWHERE[route.family] and family in (None, route.family) and table in (None, route.table)
    ]
    return tuple(sorted(found, key=lambda route: (route.table != MAIN, route.metric)))


def ways_out(ns: Namespace, family: Family | None = None, *, table: int | None = None) -> tuple[Route, ...]:
    """Those of them that lead somewhere: neither unreachable, nor a black hole."""
    return tuple(route for route in default_routes(ns, family, table=table) if route.type == "unicast")


def uplinks(ns: Namespace, family: Family | None = None) -> tuple[Link, ...]:
    """The links that a namespace's ways out leave by, the preferred first."""
    links = {link.ifindex: link for link in ns.links}
    indexes = dict.fromkeys(hop.ifindex for route in ways_out(ns, family) for hop in route.hops)
    return tuple(links[index] for index in indexes if index is not None and index in links)


def beyond_the_host(ns: Namespace) -> frozenset[str]:
    """The links by which this namespace's guests reach other machines, by name.

    Those that a way out leaves by, and bridges with a physical port: what is
    reached by them are no guests of this host alone.
    """
    names = {link.ifindex: link.name for link in ns.links}
    ports = {link.master for link in ns.links if link.master is not None and not link.kind}
    return frozenset(names[index] for index in {link.ifindex for link in uplinks(ns)} | ports if index in names)
