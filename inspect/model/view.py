"""Look-ups over a snapshot: an index that every reader of a snapshot shares.  Pure.

A :class:`View` is made once per snapshot and answers by id or name in
constant time.  It adds no fact of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, TypeVar

from dnet_tui.inspect.model import Address, Container, Family, Link, LinkRef, Namespace, Network, Snapshot
from dnet_tui.inspect.model.default_routes import uplinks
from dnet_tui.inspect.model.gaps import Gap

_SINGLE = ("/32", "/128")

K = TypeVar("K")
T = TypeVar("T")


class View:
    """An index over one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._kept: dict[tuple[object, int], tuple[object, Any]] = {}

    def once(self, make: Callable[[K], T], thing: K) -> T:
        """What ``make`` (a class, or a function of a module) makes of a part of the snapshot, made on first use.

        This is where readers keep what they derive: the parts themselves are
        plain values.  A part is told by its identity, and lives as long as this.
        """
        key = (make, id(thing))
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = (thing, make(thing))
        found: T = kept[1]
        return found

    @cached_property
    def namespaces(self) -> dict[str, Namespace]:
        """Every namespace by its id."""
        return {ns.id: ns for ns in self.snapshot.namespaces}

    @cached_property
    def host(self) -> Namespace | None:
        """The host's own namespace; None in a snapshot that lacks it."""
        return next((ns for ns in self.snapshot.namespaces if ns.kind == "host"), None)

    @cached_property
    def links(self) -> dict[LinkRef, Link]:
        """Every link by its id."""
        return {
            LinkRef(namespace=ns.id, ifindex=link.ifindex): link for ns in self.snapshot.namespaces for link in ns.links
        }

    @cached_property
    def networks(self) -> dict[str, Network]:
        """Every network by its id."""
        return {network.id: network for network in self.snapshot.networks}

    @cached_property
    def containers(self) -> dict[str, Container]:
        """Every container by its id."""
        return {container.id: container for container in self.snapshot.containers}

    @cached_property
    def _tenants(self) -> dict[str, tuple[Container, ...]]:
        found: defaultdict[str, list[Container]] = defaultdict(list)
        for container in self.snapshot.containers:
            if container.netns is not None:
                found[container.netns].append(container)
        return {key: tuple(value) for key, value in found.items()}

    def containers_in(self, namespace: str) -> tuple[Container, ...]:
        """The containers that use a namespace: several when some joined another's."""
        return self._tenants.get(namespace, ())

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Link]:
        return {(ns.id, link.name): link for ns in self.snapshot.namespaces for link in ns.links}

    def link_named(self, namespace: str, name: str) -> Link | None:
        """The link of that name in a namespace."""
        return self._by_name.get((namespace, name))

    @cached_property
    def _addresses(self) -> dict[LinkRef, tuple[Address, ...]]:
        found: defaultdict[LinkRef, list[Address]] = defaultdict(list)
        for ns in self.snapshot.namespaces:
            for address in ns.addresses:
                found[LinkRef(namespace=ns.id, ifindex=address.ifindex)].append(address)
        return {key: tuple(value) for key, value in found.items()}

    def addresses_of(self, ref: LinkRef) -> tuple[Address, ...]:
        """The addresses on a link."""
        return self._addresses.get(ref, ())

    def bridges(self) -> Iterator[Link]:
        """The bridges of the host, in the kernel's order."""
        if self.host is not None:
            yield from (link for link in self.host.links if link.kind == "bridge")

    @cached_property
    def _own(self) -> dict[str, tuple[frozenset[str], bool]]:
        """The single addresses that each namespace takes for its own, and whether it takes whole ranges too."""
        found = {}
        for ns in self.snapshot.namespaces:
            local = [route.dst for route in ns.routes if route.type == "local" and route.dst != "127.0.0.0/8"]
            single = {dst.partition("/")[0] for dst in local if dst.endswith(_SINGLE) or "/" not in dst}
            wide = any("/" in dst and not dst.endswith(_SINGLE) for dst in local)
            found[ns.id] = (frozenset({item.address for item in ns.addresses} | single), wide)
        return found

    def is_stranger(self, namespace: str, address: str) -> bool:
        """Whether a namespace certainly has nothing to do with an address; False where it takes a closer look.

        The loopback range is left out: nobody asks for it on a link.
        """
        own, wide = self._own[namespace]
        return not wide and address not in own

    def ports_of(self, namespace: str, bridge: int) -> tuple[Link, ...]:
        """The links whose master is ``bridge``."""
        return self._ports.get((namespace, bridge), ())

    @cached_property
    def _ports(self) -> dict[tuple[str, int], tuple[Link, ...]]:
        found: defaultdict[tuple[str, int], list[Link]] = defaultdict(list)
        for ns in self.snapshot.namespaces:
            for link in ns.links:
                if link.master is not None:
                    found[ns.id, link.master].append(link)
        return {key: tuple(links) for key, links in found.items()}

    @cached_property
    def _stacked(self) -> dict[LinkRef, tuple[LinkRef, ...]]:
        found: defaultdict[LinkRef, list[LinkRef]] = defaultdict(list)
        for ref, link in self.links.items():
            if link.peer is not None and link.kind not in {"veth", "netkit"}:
                found[link.peer].append(ref)
        return {key: tuple(refs) for key, refs in found.items()}

    def stacked_on(self, ref: LinkRef) -> tuple[LinkRef, ...]:
        """The links that lie on top of a link, in any namespace: macvlan, ipvlan, vlan, tunnels."""
        return self._stacked.get(ref, ())

    def uplinks(self, namespace: str, family: Family | None = None) -> tuple[Link, ...]:
        """The links that a default route of a namespace leaves by, the preferred first; of one family, or of any."""
        ns = self.namespaces.get(namespace)
        return uplinks(ns, family) if ns is not None else ()

    @cached_property
    def _by_bridge(self) -> dict[str, Network]:
        return {network.bridge: network for network in self.snapshot.networks if network.bridge}

    def network_of_bridge(self, name: str) -> Network | None:
        """The network whose bridge has this name on the host."""
        return self._by_bridge.get(name)

    def label(self, namespace: str) -> str:
        """What to call a namespace: its container's name, its ``ip netns`` name, ``host`` or its id."""
        ns = self.namespaces.get(namespace)
        if ns is not None and ns.kind == "host":
            return "host"
        tenants = self.containers_in(namespace)
        if tenants:
            owner = next((item for item in tenants if item.joined is None), tenants[0])
            return owner.name
        if ns is not None and ns.names:
            return ns.names[0]
        return namespace

    def gaps(self, section: str, scope: str = "") -> tuple[Gap, ...]:
        """The gaps of a section that concern ``scope``, or the whole host."""
        return tuple(gap for gap in self.snapshot.gaps if gap.section == section and gap.scope in ("", scope))
