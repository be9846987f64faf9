"""What a walk looks up in one namespace again and again, found once: routes by prefix, addresses, rules.  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from dnet_tui.diagnostics.walk.match.values import numbered
from dnet_tui.diagnostics.walk.netfilter.firewall_index import FirewallIndex
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import (
    Address,
    ConntrackEntry,
    FdbEntry,
    Link,
    Namespace,
    Neighbour,
    NotSeen,
    PolicyRule,
    Route,
    TrafficFilter,
    Vrf,
    known_items,
    require,
)
from dnet_tui.inspect.model.coverage.sections import unless_unasked
from dnet_tui.inspect.model.default_routes import DEFAULT, LOCAL, MAIN
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.networks import read_network

_BITS = {"ip": 32, "ip6": 128}
_BUILTIN_RULES = ((0, LOCAL), (32766, MAIN), (32767, DEFAULT))
"""The policy rules that every namespace is born with: priority and table."""

Spans = list[tuple[int, dict[int, list[Route]]]]
"""By prefix length, the longest first: the routes by their network's bits, the preferred first."""


def index_of(view: View, ns: Namespace) -> NamespaceIndex:
    """The index over a namespace, made once and kept with the view."""
    return view.once(NamespaceIndex, ns)


class NamespaceIndex:
    """An index over one namespace.  It adds no fact of its own."""

    def __init__(self, ns: Namespace) -> None:
        self.ns = ns
        self.answers: dict[tuple[object, ...], Any] = {}
        """The routes that were looked up, by :meth:`route_key`."""
        self.answering: dict[tuple[int, str, str], bool] = {}
        """Whether the namespace answers on a link for an address, by (ifindex, address, who asks)."""
        self.route_answers: dict[int, Any] = {}
        """What each route says, by its identity: it lives as long as its namespace."""

    @cached_property
    def addresses(self) -> frozenset[str]:
        """The namespace's own addresses."""
        return frozenset(item.address for item in self.ns.addresses)

    @cached_property
    def addresses_of(self) -> dict[str, list[Address]]:
        """The same by family, as listed."""
        found: defaultdict[str, list[Address]] = defaultdict(list)
        for item in self.ns.addresses:
            found[item.family].append(item)
        return dict(found)

    @cached_property
    def addresses_on(self) -> dict[tuple[str, int], list[Address]]:
        """The same by family and link."""
        found: defaultdict[tuple[str, int], list[Address]] = defaultdict(list)
        for item in self.ns.addresses:
            found[item.family, item.ifindex].append(item)
        return dict(found)

    @cached_property
    def rules(self) -> FirewallIndex:
        """Its firewall's chains.

        Raises:
            NotSeen: it was not read, or not all of it and nobody knows where what is missing belongs.
        """
        firewall = require(self.ns.firewall)
        if not firewall.marks_its_lacks:
            lack = firewall.lacks[0]
            raise NotSeen("firewall", self.ns.id, lack.reason, lack.hint)
        return FirewallIndex(firewall)

    def tracked(self, packet: Packet, *, answer: bool = False) -> Sequence[ConntrackEntry]:
        """The tracked connections one of whose directions has the tuple of a packet, or of its answer, in any zone.

        Raises:
            NotSeen: they were asked for, and could not be read.
        """
        ends = (packet.src, packet.dst, packet.sport, packet.dport)
        if answer:
            ends = (packet.dst, packet.src, packet.dport, packet.sport)
        return self._tracked.get((packet.family, packet.proto, *ends), ())

    @cached_property
    def _tracked(self) -> dict[tuple[object, ...], list[ConntrackEntry]]:
        found: defaultdict[tuple[object, ...], list[ConntrackEntry]] = defaultdict(list)
        for entry in unless_unasked(self.ns.conntrack):
            ways = {(way.src, way.dst, way.sport, way.dport) for way in (entry.original, entry.reply)}
            for way in ways:
                found[entry.family, entry.proto, *way].append(entry)
        return dict(found)

    @cached_property
    def names(self) -> dict[int, str]:
        """The links' names by ifindex."""
        return {link.ifindex: link.name for link in self.ns.links}

    @cached_property
    def silent_routers(self) -> frozenset[tuple[int, str]]:
        """Routers of IPv6 that didn't answer when last asked, by (ifindex, address), where that counts.

        A namespace that forwards doesn't mind.  What wasn't read is passed over: it only makes a route preferred
        to one that is tried all the same.
        """
        if self.ns.sysctls.get("net.ipv6.conf.all.forwarding", "") != "0":
            return frozenset()
        entries = known_items(self.ns.neighbours)
        return frozenset((item.ifindex, item.address) for item in entries if item.state == "FAILED")

    def link(self, name: str) -> Link | None:
        """The link of a name; None where there certainly is none."""
        found = self._by_name.get(name)
        if found is None:
            require(self.ns.links)
        return found

    @cached_property
    def _by_name(self) -> dict[str, Link]:
        return {link.name: link for link in reversed(known_items(self.ns.links))}

    @cached_property
    def loopback(self) -> Link | None:
        """The link by which a namespace's packets reach itself."""
        return next((link for link in self.ns.links if link.kind == "loopback" or link.name == "lo"), None)

    def vrf_of(self, name: str) -> Link | None:
        """The VRF that a link is in, or is."""
        link = self.link(name) if name else None
        if link is None or link.kind == "vrf":
            return link
        return next((item for item in self.ns.links if item.kind == "vrf" and item.ifindex == link.master), None)

    def vrf_table(self, name: str) -> int | None:
        """The table of the VRF that a link is in; None for a link that is in none."""
        found = self.vrf_of(name)
        return found.detail.table if found is not None and isinstance(found.detail, Vrf) else None

    def bridge_of(self, port: str) -> str:
        """The bridge that a port belongs to; empty for none."""
        link = self.link(port) if port else None
        return self._bridges.get(link.master or 0, "") if link is not None else ""

    @cached_property
    def _bridges(self) -> dict[int, str]:
        return {link.ifindex: link.name for link in reversed(self.ns.links) if link.kind == "bridge"}

    @cached_property
    def neighbours(self) -> dict[tuple[int, str], Neighbour]:
        """The neighbours by ifindex and address."""
        return {(item.ifindex, item.address): item for item in reversed(self.ns.neighbours)}

    @cached_property
    def fdb(self) -> dict[tuple[int, str], FdbEntry]:
        """The bridges' forwarding entries by bridge and MAC address; those of no VLAN come first."""
        entries = sorted(self.ns.fdb, key=lambda item: item.vlan or 0, reverse=True)
        return {(item.master, item.mac.lower()): item for item in entries if item.master is not None}

    @cached_property
    def fdb_of_vlan(self) -> dict[tuple[int, str, int], FdbEntry]:
        """The same by the VLAN as well, for bridges that filter by VLAN."""
        return {
            (item.master, item.mac.lower(), item.vlan): item
            for item in self.ns.fdb
            if item.master is not None and item.vlan
        }

    @cached_property
    def filters(self) -> dict[tuple[int, str], list[TrafficFilter]]:
        """The filters of traffic control by ifindex and place, in their order."""
        found: dict[tuple[int, str], list[TrafficFilter]] = {}
        for item in self.ns.traffic_control:
            found.setdefault((item.ifindex, item.place), []).append(item)
        return found

    @cached_property
    def policy_rules(self) -> dict[str, tuple[PolicyRule, ...]]:
        """Each family's policy rules in the order in which they are asked; where there are none, the built-in ones."""
        found = {}
        for family in ("ip", "ip6"):
            rules = [rule for rule in self.ns.policy_rules if rule.family == family]
            if not rules:
                rules = [PolicyRule(family=family, priority=prio, table=table) for prio, table in _BUILTIN_RULES]
            found[family] = tuple(sorted(rules, key=lambda item: item.priority))
        return found

    @cached_property
    def _asks(self) -> dict[str, tuple[bool, bool, bool, bool]]:
        """Whether a family's policy rules ask for a packet's source, interface, mark, or for its flow's rest."""
        return {
            family: (
                any(rule.src for rule in rules),
                any(rule.iif or rule.l3mdev for rule in rules),
                any(rule.mark is not None for rule in rules),
                any(rule.other for rule in rules),
            )
            for family, rules in self.policy_rules.items()
        }

    def route_key(self, packet: Packet) -> tuple[object, ...]:
        """All of a packet that its route depends on."""
        source, interface, mark, flow = self._asks[packet.family]
        return (
            packet.family,
            packet.dst,
            packet.src if source else None,
            packet.iif if interface or flow else None,
            (packet.mark,) if mark else None,
            (packet.proto, packet.sport, packet.dport, packet.uid) if flow else None,
        )

    @cached_property
    def is_customised(self) -> bool:
        """Whether somebody added policy rules or local routes: the kernel then checks every source in full.

        fib4_has_custom_rules and fib_has_custom_local_routes.
        """
        rules = {(rule.priority, rule.table) for rule in self.ns.policy_rules if rule.family == "ip"}
        if not rules <= set(_BUILTIN_RULES):
            return True
        return any(
            route.family == "ip" and route.type == "local" and route.protocol not in {"kernel", ""}
            for route in self.ns.routes
        )

    @cached_property
    def _tables(self) -> dict[tuple[str, int], Spans]:
        found: dict[tuple[str, int], dict[int, dict[int, list[Route]]]] = {}
        for route in self.ns.routes:
            try:
                network = read_network(route.dst)
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
