"""Look-ups over a snapshot: an index that every reader of a snapshot shares.  Pure.

A :class:`View` is made once per snapshot and answers by id or name in
constant time.  It adds no fact of its own.

What is asked of one namespace raises NotSeen where that section of that
namespace was not read, and of no other: one unread namespace says nothing of
the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

from dnet_tui.inspect.model import Address, Container, Family, Link, LinkRef, Namespace, Network, Snapshot
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.coverage.sections import (
    Partial,
    Section,
    Unread,
    known_items,
    lacks_of,
    require,
    with_items,
)
from dnet_tui.inspect.model.default_routes import uplinks
from dnet_tui.inspect.model.links import PAIRS, TUNNELS

_SINGLE = ("/32", "/128")

INGRESS = "ingress"
"""The overlay network by which a swarm's published ports come in; its load balancer is also their way in."""

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


class ByNamespace(Generic[K, V]):
    """An index over all namespaces.  A key of one that was not read (in full) raises NotSeen, unless it is there."""

    def __init__(
        self, found: Mapping[K, V], home: Callable[[K], str], unseen: Mapping[str, Unread | Partial[Any]]
    ) -> None:
        self._found, self._home, self._unseen = found, home, unseen

    def get(self, key: K) -> V | None:
        """The value; None where there certainly is none."""
        found = self._found.get(key)
        if found is None and self._unseen:
            section = self._unseen.get(self._home(key))
            if section is not None:
                raise section.not_seen()
        return found

    def __getitem__(self, key: K) -> V:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: K) -> bool:
        return self.get(key) is not None

    def items(self) -> Iterable[tuple[K, V]]:
        """All that is there, whatever may be missing."""
        return self._found.items()

    def values(self) -> Iterable[V]:
        """The same without the keys."""
        return self._found.values()


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
        return {ns.id: ns for ns in known_items(self.snapshot.namespaces)}

    @cached_property
    def host(self) -> Namespace | None:
        """The host's own namespace; None in a snapshot that lacks it."""
        return next((ns for ns in known_items(self.snapshot.namespaces) if ns.kind == "host"), None)

    def _index(self, field: str, found: Mapping[K, V], home: Callable[[K], str]) -> ByNamespace[K, V]:
        sections = ((ns.id, getattr(ns, field)) for ns in self.namespaces.values())
        return ByNamespace(found, home, {ident: item for ident, item in sections if isinstance(item, Unread | Partial)})

    @cached_property
    def links(self) -> ByNamespace[LinkRef, Link]:
        """Every link by its id."""
        found = {
            LinkRef(namespace=ns.id, ifindex=link.ifindex): link
            for ns in self.namespaces.values()
            for link in known_items(ns.links)
        }
        return self._index("links", found, lambda ref: ref.namespace)

    @cached_property
    def networks(self) -> dict[str, Network]:
        """Every network by its id."""
        return {network.id: network for network in known_items(self.snapshot.networks)}

    @cached_property
    def containers(self) -> dict[str, Container]:
        """Every container by its id."""
        return {container.id: container for container in known_items(self.snapshot.containers)}

    @cached_property
    def _tenants(self) -> dict[str, tuple[Container, ...]]:
        found: defaultdict[str, list[Container]] = defaultdict(list)
        for container in known_items(self.snapshot.containers):
            if container.netns is not None:
                found[container.netns].append(container)
        return {key: tuple(value) for key, value in found.items()}

    def containers_in(self, namespace: str) -> tuple[Container, ...]:
        """The containers that use a namespace: several when some joined another's."""
        return self._tenants.get(namespace, ())

    @cached_property
    def _by_name(self) -> ByNamespace[tuple[str, str], Link]:
        found = {(ns.id, link.name): link for ns in self.namespaces.values() for link in known_items(ns.links)}
        return self._index("links", found, lambda key: key[0])

    def link_named(self, namespace: str, name: str) -> Link | None:
        """The link of that name in a namespace."""
        return self._by_name.get((namespace, name))

    @cached_property
    def _addresses(self) -> dict[LinkRef, tuple[Address, ...]]:
        found: defaultdict[LinkRef, list[Address]] = defaultdict(list)
        for ns in self.namespaces.values():
            for address in known_items(ns.addresses):
                found[LinkRef(namespace=ns.id, ifindex=address.ifindex)].append(address)
        return {key: tuple(value) for key, value in found.items()}

    def addresses_of(self, ref: LinkRef) -> Section[Address]:
        """The addresses on a link."""
        ns = self.namespaces.get(ref.namespace)
        return with_items(ns.addresses if ns is not None else (), self._addresses.get(ref, ()))

    def bridges(self) -> Iterator[Link]:
        """The bridges of the host, in the kernel's order."""
        if self.host is not None:
            yield from (link for link in self.host.links if link.kind == "bridge")

    @cached_property
    def _own(self) -> dict[str, tuple[frozenset[str], bool]]:
        """The single addresses that each namespace takes for its own, and whether it takes whole ranges too."""
        found = {}
        for ns in self.namespaces.values():
            if lacks_of(ns.addresses):
                continue
            # Without its routes it is taken to answer for its addresses alone.
            own = (route.dst for route in known_items(ns.routes) if route.type == "local")
            local = [dst for dst in own if dst != "127.0.0.0/8"]
            single = {dst.partition("/")[0] for dst in local if dst.endswith(_SINGLE) or "/" not in dst}
            wide = any("/" in dst and not dst.endswith(_SINGLE) for dst in local)
            found[ns.id] = (frozenset({item.address for item in ns.addresses} | single), wide)
        return found

    def is_stranger(self, namespace: str, address: str) -> bool:
        """Whether a namespace certainly has nothing to do with an address; False where it takes a closer look.

        The loopback range is left out: nobody asks for it on a link.
        """
        own, wide = self._own.get(namespace, (frozenset(), True))
        return not wide and address not in own

    def ports_of(self, namespace: str, bridge: int) -> tuple[Link, ...]:
        """The links whose master is ``bridge``."""
        ns = self.namespaces.get(namespace)
        if ns is not None:
            require(ns.links)
        return self._ports.get((namespace, bridge), ())

    @cached_property
    def _ports(self) -> dict[tuple[str, int], tuple[Link, ...]]:
        found: defaultdict[tuple[str, int], list[Link]] = defaultdict(list)
        for ns in self.namespaces.values():
            for link in known_items(ns.links):
                if link.master is not None:
                    found[ns.id, link.master].append(link)
        return {key: tuple(links) for key, links in found.items()}

    @cached_property
    def _stacked(self) -> dict[LinkRef, tuple[LinkRef, ...]]:
        found: defaultdict[LinkRef, list[LinkRef]] = defaultdict(list)
        for ref, link in self.links.items():
            if link.peer is not None and link.kind not in PAIRS | TUNNELS:
                found[link.peer].append(ref)
        return {key: tuple(refs) for key, refs in found.items()}

    def stacked_on(self, ref: LinkRef, *, having: str | None = None) -> tuple[LinkRef, ...]:
        """The links that lie on top of a link, in any namespace: macvlan, ipvlan, vlan.

        A namespace whose links weren't read may have one, unless a veth shows by its other end how it is connected.
        Who looks for the one ``having`` an address isn't kept from it by a namespace that certainly doesn't have it.

        Raises:
            NotSeen: the links of such a namespace were not read.
        """
        for ns, links in self._of_unread_links:
            if ns != ref.namespace and (having is None or not self.is_stranger(ns, having)):
                raise links.not_seen()
        return self._stacked.get(ref, ())

    @cached_property
    def _of_unread_links(self) -> tuple[tuple[str, Unread], ...]:
        """The namespaces whose links weren't read, and that no veth shows to be connected."""
        return tuple(
            (ns.id, ns.links)
            for ns in self.namespaces.values()
            if isinstance(ns.links, Unread) and ns.id not in self._reached_by_veth
        )

    def known_above(self, ref: LinkRef) -> tuple[LinkRef, ...]:
        """The same of those that were seen, for telling what becomes of a frame if there are no others."""
        return self._stacked.get(ref, ())

    @cached_property
    def _reached_by_veth(self) -> frozenset[str]:
        """The namespaces that a veth seen elsewhere leads into."""
        return frozenset(link.peer.namespace for link in self.links.values() if link.peer is not None)

    def uplinks(self, namespace: str, family: Family | None = None) -> tuple[Link, ...]:
        """The links that a default route of a namespace leaves by, the preferred first; of one family, or of any."""
        ns = self.namespaces.get(namespace)
        return uplinks(ns, family) if ns is not None else ()

    @cached_property
    def _by_bridge(self) -> dict[str, Network]:
        return {network.bridge: network for network in known_items(self.snapshot.networks) if network.bridge}

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
        if ns is not None and ns.role:
            return self._title(ns)
        if ns is not None and ns.names:
            return ns.names[0]
        return namespace

    def _title(self, ns: Namespace) -> str:
        """What to call a namespace that an engine made for a network."""
        network = self.networks.get(ns.serves)
        name = network.name if network is not None else ns.serves
        if ns.role == "network":
            return f"overlay network {name}"
        return "ingress sandbox" if name == INGRESS else f"load balancer of {name}"

    def network_at(self, namespace: str, bridge: str) -> Network | None:
        """The network of a bridge, wherever it is: the host's by its name, an overlay's by its namespace."""
        ns = self.namespaces.get(namespace)
        if ns is not None and ns.role == "network":
            return self.networks.get(ns.serves)
        return self.network_of_bridge(bridge) if ns is None or ns.kind == "host" else None

    def insides(self) -> tuple[Namespace, ...]:
        """The namespaces that are the inside of a network."""
        return tuple(ns for ns in self.namespaces.values() if ns.role == "network")

    def gaps(self, section: str, scope: str = "") -> tuple[Gap, ...]:
        """The gaps of a section that concern ``scope``, or the whole host: for telling, not for deciding."""
        return tuple(gap for gap in self.all_gaps if gap.section == section and gap.scope in ("", scope))

    @cached_property
    def all_gaps(self) -> tuple[Gap, ...]:
        """Everything that could not be read."""
        return self.snapshot.gaps
