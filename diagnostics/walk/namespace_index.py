"""What a walk asks a namespace again and again, found once: routes by prefix, addresses, neighbours.  Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import cached_property

from dnet_tui.diagnostics.walk.match.values import numbered
from dnet_tui.inspect.model import Link, Namespace, Neighbour, Route, TrafficFilter

_KEPT_AS = "_known"
_BITS = {"ip": 32, "ip6": 128}
_IDLE = ((0, 255), (32766, 254), (32767, 253))
"""The policy rules that every namespace is born with: priority and table."""

Spans = list[tuple[int, dict[int, list[Route]]]]
"""By prefix length, the longest first: the routes by their network's bits, the preferred first."""


def known(ns: Namespace) -> Known:
    """What is found of a namespace; kept with it, which never changes and whose life it shares."""
    found: Known | None = ns.__dict__.get(_KEPT_AS)
    if found is None:
        found = ns.__dict__[_KEPT_AS] = Known(ns)
    return found


class Known:
    """An index over one namespace.  It adds no fact of its own."""

    def __init__(self, ns: Namespace) -> None:
        # Not the namespace itself, which holds this: the two would keep each other alive.
        self._routes, self._rules = ns.routes, ns.policy_rules
        self._links, self._neighbours, self._filters = ns.links, ns.neighbours, ns.traffic_control
        self._addresses = ns.addresses

    @cached_property
    def addresses(self) -> frozenset[str]:
        """The namespace's own addresses."""
        return frozenset(item.address for item in self._addresses)

    @cached_property
    def names(self) -> dict[int, str]:
        """The links' names by ifindex."""
        return {link.ifindex: link.name for link in self._links}

    @cached_property
    def links(self) -> dict[str, Link]:
        """The links by name."""
        return {link.name: link for link in self._links}

    @cached_property
    def neighbours(self) -> dict[tuple[int, str], Neighbour]:
        """The neighbours by ifindex and address."""
        return {(item.ifindex, item.address): item for item in reversed(self._neighbours)}

    @cached_property
    def filters(self) -> dict[tuple[int, str], list[TrafficFilter]]:
        """The filters of traffic control by ifindex and place, in their order."""
        found: dict[tuple[int, str], list[TrafficFilter]] = {}
        for item in self._filters:
            found.setdefault((item.ifindex, item.place), []).append(item)
        return found

    @cached_property
    def is_customised(self) -> bool:
        """Whether somebody added policy rules or local routes: the kernel then checks every source in full.

        fib4_has_custom_rules and fib_has_custom_local_routes.
        """
        rules = {(rule.priority, rule.table) for rule in self._rules if rule.family == "ip"}
        if not rules <= set(_IDLE):
            return True
        return any(
            route.family == "ip" and route.type == "local" and route.protocol not in {"kernel", ""}
            for route in self._routes
        )

    @cached_property
    def _tables(self) -> dict[tuple[str, int], Spans]:
        found: dict[tuple[str, int], dict[int, dict[int, list[Route]]]] = {}
        for route in self._routes:
            try:
                network = ipaddress.ip_network(route.dst, strict=False)
            except ValueError:
                continue
            bits = int(network.network_address) >> (_BITS[route.family] - network.prefixlen)
            table = found.setdefault((route.family, route.table), {})
            table.setdefault(network.prefixlen, {}).setdefault(bits, []).append(route)
        for table in found.values():
            for by_bits in table.values():
                for routes in by_bits.values():
                    routes.sort(key=lambda route: route.metric)
        return {key: sorted(table.items(), reverse=True, key=lambda item: item[0]) for key, table in found.items()}

    def fitting(self, family: str, table: int, address: str) -> Iterator[tuple[int, Route]]:
        """The routes of a table that fit an address, the best first, with their prefix lengths."""
        version, number = numbered(address)
        if version != (6 if family == "ip6" else 4):
            return
        width = _BITS[family]
        for length, by_bits in self._tables.get((family, table), ()):
            for route in by_bits.get(number >> (width - length), ()):
                yield length, route
