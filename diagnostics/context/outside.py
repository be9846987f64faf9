"""The outside: the address that stands for it, and the link that leads there.  Pure.

The address is one that nothing on the host knows in particular, so that what
is said of it holds for any host beyond: it lies on no connected subnet and on
no container network, is local to no namespace, and goes by the same routes as
most other addresses.  The first of the documentation's that fits is taken
(RFC 5737, RFC 9637), else the first one that fits at all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator

import msgspec

from dnet_tui.inspect.model import Family, Link, Namespace, Network, Snapshot, known_items
from dnet_tui.inspect.model.default_routes import is_anywhere
from dnet_tui.inspect.text.networks import read_network

OUTSIDE = "198.51.100.77"
"""Stands for "somewhere on the internet" (TEST-NET-2, RFC 5737): no rule is written for it in particular."""

OUTSIDE6 = "3fff:198:51:100::77"
"""The same in IPv6 (documentation, RFC 9637): newer than most lists of addresses that firewalls drop."""

_OTHERS = ("203.0.113.77", "192.0.2.77")
_OTHERS6 = ("2001:db8:198:51::77", "3fff:203:0:113::77")
_WIDEST = {4: 2, 6: 4}
"""Prefixes shorter than these bits stand for "everything": tunnels split the default route in halves."""
_BITS = {4: 32, 6: 128}


class WayOutside(msgspec.Struct, frozen=True, kw_only=True):
    """The host's link that leads outside.  ``chosen``: it has no default route, and so this one stands for it."""

    link: str
    chosen: bool = False


class KnownRanges:
    """The ranges that something on the host knows in particular, to be asked whether they hold an address."""

    def __init__(self, cidrs: Iterable[str]) -> None:
        self._found: dict[tuple[int, int], set[int]] = {}
        for cidr in cidrs:
            try:
                net = read_network(cidr)
            except ValueError:
                continue
            rest = _BITS[net.version] - net.prefixlen
            self._found.setdefault((net.version, rest), set()).add(int(net.network_address) >> rest)

    def holds(self, address: str) -> bool:
        """Whether one of them has the address in it."""
        parsed = ipaddress.ip_address(address)
        number = int(parsed)
        return any(
            version == parsed.version and number >> rest in networks
            for (version, rest), networks in self._found.items()
        )


def near_ranges(snapshot: Snapshot) -> Iterator[str]:
    """What is at hand: connected subnets and container networks, and what any namespace takes for its own."""
    for ns in known_items(snapshot.namespaces):
        yield from (item.cidr for item in known_items(ns.addresses))
        yield from (
            route.dst
            for route in known_items(ns.routes)
            if not _is_wide(route.dst) and (route.type != "unicast" or all(not hop.gateway for hop in route.hops))
        )
    for network in known_items(snapshot.networks):
        yield from (subnet.cidr for subnet in network.subnets)


def routed_ranges(snapshot: Snapshot) -> Iterator[str]:
    """What any namespace has a route of its own for, or a policy rule."""
    for ns in known_items(snapshot.namespaces):
        yield from (route.dst for route in known_items(ns.routes) if not _is_wide(route.dst))
        for rule in known_items(ns.policy_rules):
            yield from (cidr for cidr in (rule.src, rule.dst) if cidr and not _is_wide(cidr))


def outside_address(snapshot: Snapshot, family: Family, *, beyond: Iterable[str] = ()) -> str:
    """The address that stands for outside.

    ``beyond`` are ranges behind gateways, of which one is taken where it can
    be: for a host without a default route they are all the outside it knows.
    """
    near = KnownRanges(near_ranges(snapshot))
    for cidr in beyond:
        for address in _inside(cidr):
            if not near.holds(address):
                return address
    routed = KnownRanges(routed_ranges(snapshot))
    first = (OUTSIDE, *_OTHERS) if family == "ip" else (OUTSIDE6, *_OTHERS6)
    for fits in (lambda item: not near.holds(item) and not routed.holds(item), lambda item: not near.holds(item)):
        found = _first(fits, (*first, *_more(family)))
        if found:
            return found
    return first[0]  # a host to which every address is near: there is no outside


def _first(fits: Callable[[str], bool], addresses: Iterable[str]) -> str:
    return next((item for item in addresses if fits(item)), "")


def _more(family: Family) -> Iterator[str]:
    """Addresses all over the public space, for hosts that have routes for the documentation's."""
    if family == "ip6":
        yield from (f"{0x2600 + number:x}:198:51:100::77" for number in range(0, 0x900, 9))
        return
    for second in (51, 179, 243):
        for first in range(198, 0, -3):
            address = f"{first}.{second}.100.77"
            if ipaddress.ip_address(address).is_global:
                yield address


def _inside(cidr: str) -> Iterator[str]:
    """A few addresses of a range, none at its ends."""
    try:
        net = read_network(cidr)
    except ValueError:
        return
    size = net.num_addresses
    for place in dict.fromkeys((77 % size, size // 2 + 1 if size > 2 else 0, size // 3)):
        yield str(net[place])


def _is_wide(cidr: str) -> bool:
    try:
        net = read_network(cidr)
    except ValueError:
        return False
    return is_anywhere(cidr) or net.prefixlen < _WIDEST[net.version]


def beyond_gateways(ns: Namespace, family: Family) -> tuple[tuple[str, int], ...]:
    """The ranges that a namespace reaches by a gateway, with the links that lead there, the widest first."""
    found = [
        (route.dst, hop.ifindex)
        for route in known_items(ns.routes)
        if route.family == family and route.type == "unicast"
        for hop in route.hops
        if hop.gateway and hop.ifindex is not None
    ]
    return tuple(sorted(found, key=lambda item: (_length(item[0]), item)))


def _length(cidr: str) -> int:
    length = cidr.partition("/")[2]
    return int(length) if length.isdecimal() else 0


def stand_in(ns: Namespace, networks: Iterable[Network], inside: Callable[[Link], bool], family: Family) -> str:
    """The uplink of a host without a default route; empty where no link looks like one.

    It has an address, and isn't a container network's bridge or a link to one
    (``inside``).  One by which a gateway is reached comes first, then one that
    works, then the first.
    """
    bridges = {network.bridge for network in networks}
    addressed = {item.ifindex for item in known_items(ns.addresses) if item.family == family and item.scope == "global"}
    gateways = {ifindex for _, ifindex in beyond_gateways(ns, family)}
    fitting = [
        link
        for link in known_items(ns.links)
        if link.ifindex in addressed
        and link.kind != "loopback"
        and link.name != "lo"
        and link.name not in bridges
        and not inside(link)
    ]
    best = min(
        fitting,
        key=lambda link: (
            link.ifindex not in gateways,
            not (link.up and link.carrier is not False),
            bool(link.kind) and link.kind != "veth",
            link.ifindex,
        ),
        default=None,
    )
    return best.name if best is not None else ""
