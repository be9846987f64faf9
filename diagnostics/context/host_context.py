"""One examination: a snapshot with what is derived from it once and shared by all checks.  Pure.

It answers "who is on which network", "where is outside", and holds the walks
of every flow that the networks' own options ask for.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TypeVar, cast

import msgspec

from dnet_tui.diagnostics.context.outside import WayOutside, outside_address, stand_in
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import (
    Address,
    Container,
    Family,
    Link,
    LinkRef,
    Network,
    NotSeen,
    Snapshot,
    Subnet,
    known_items,
)
from dnet_tui.inspect.model.coverage.sections import lacks_of
from dnet_tui.inspect.model.default_routes import default_routes
from dnet_tui.inspect.model.view import View

_UNUSED = frozenset({"tentative", "dadfailed"})

INFERRED = "inferred"
"""The engine of a network that nobody declared but containers visibly use as their way out."""


class AttachedContainer(msgspec.Struct, frozen=True, kw_only=True):
    """A running container's place on a bridge network: its interface there and its address of one family."""

    container: Container
    namespace: str
    link: LinkRef
    address: str


T = TypeVar("T")
Item = TypeVar("Item")


class HostContext:
    """What the checks look at.  Everything is computed on first use and kept.

    ``unseen`` gathers what was passed over because it was not read (see
    :meth:`noting`).  What is kept brings its own again each time it is asked
    for, so that everybody who rests on it learns of it.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.view = View(snapshot)
        self.unseen: list[NotSeen] = []
        self._facts: dict[object, tuple[object, list[NotSeen]]] = {}

    def once(self, fact: Callable[[HostContext], T]) -> T:
        """What a function (of a module, not a lambda) tells of this case, computed on first use and kept.

        Raises:
            NotSeen: it rests on something that was not read.
        """
        return self.kept(fact, lambda: fact(self))

    def kept(self, key: object, make: Callable[[], T]) -> T:
        """What ``make`` returned the first time, with what it could not see."""
        if key not in self._facts:
            before, self.unseen = self.unseen, []
            try:
                self._facts[key] = make(), self.unseen
            except NotSeen as missing:
                self._facts[key] = missing, self.unseen
            finally:
                self.unseen = before
        found, unseen = self._facts[key]
        self.unseen += unseen
        if isinstance(found, NotSeen):
            raise found.again()
        return cast("T", found)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """One of several things, looked at for itself: where it was not read the others go on, and it is noted."""
        try:
            yield
        except NotSeen as missing:
            self.unseen.append(missing)

    def severally(self, items: Iterable[Item], of: Callable[[Item], Iterable[T]]) -> Iterator[T]:
        """What ``of`` tells of each item; of one that rests on something unread nothing, which is noted."""
        for item in items:
            with self.noting():
                yield from of(item)

    @property
    def networks(self) -> tuple[Network, ...]:
        """The bridge networks of this host, declared and inferred, whose bridge exists."""
        return self.once(HostContext._find_networks)

    def _find_networks(self) -> tuple[Network, ...]:
        host = self.view.host
        if host is None:
            return ()
        declared = [
            network
            for network in known_items(self.snapshot.networks)
            if network.driver == "bridge" and network.bridge and self.view.link_named(host.id, network.bridge)
        ]
        if lacks_of(self.snapshot.networks):
            return tuple(declared)  # a network that nobody told of isn't one that nobody made
        known = {network.bridge for network in declared}
        inferred: list[Network] = []
        for link in self.view.bridges():
            with self.noting():
                found = self._infer(link) if link.name not in known else None
                inferred += [found] if found is not None else []
        return (*declared, *inferred)

    def _infer(self, bridge: Link) -> Network | None:
        """A network that no engine explained: containers take the bridge's address as their default gateway."""
        host = self.view.host
        if host is None:
            return None
        ref = LinkRef(namespace=host.id, ifindex=bridge.ifindex)
        addresses = [address for address in self.view.addresses_of(ref) if address.family == "ip"]
        gateways = {address.address for address in addresses}
        for port in self.view.ports_of(host.id, bridge.ifindex):
            ns = self.view.namespaces.get(port.peer.namespace) if port.peer else None
            leads_here = False
            with self.noting():
                leads_here = ns is not None and any(
                    hop.gateway in gateways for route in default_routes(ns, "ip") for hop in route.hops
                )
            if leads_here:
                return Network(
                    id=f"{INFERRED}:{bridge.name}",
                    name=bridge.name,
                    engine=INFERRED,
                    bridge=bridge.name,
                    subnets=tuple(Subnet(cidr=_subnet(address), gateway=address.address) for address in addresses),
                )
        return None

    def members(self, network: Network, family: Family = "ip") -> tuple[AttachedContainer, ...]:
        """The running containers with an address of ``family`` on the network's bridge.  Joined ones are not repeated.

        Of IPv6 only addresses of global scope count: every interface has a link-local one.
        """
        if all(network.id != known.id for known in self.networks):
            return ()
        return self.kept((network.id, family), lambda: tuple(self._find_members(network, family)))

    def everyone(self, network: Network) -> tuple[AttachedContainer, ...]:
        """The running containers on a network's bridge, each once: by its IPv4 address, or else its IPv6 one."""

        def find() -> tuple[AttachedContainer, ...]:
            four = self.members(network)
            known = {member.link for member in four}
            return (*four, *(member for member in self.members(network, "ip6") if member.link not in known))

        return self.kept((network.id, "everyone"), find)

    def _find_members(self, network: Network, family: Family) -> list[AttachedContainer]:
        host = self.view.host
        bridge = self.view.link_named(host.id, network.bridge) if host else None
        if host is None or bridge is None:
            return []
        found = []
        for port in self.view.ports_of(host.id, bridge.ifindex):
            if port.leads_out_of_sight:
                self.unseen.append(self._who_is_there(host.id, port))
            tenants = self.view.containers_in(port.peer.namespace) if port.peer else ()
            owner = next((item for item in tenants if item.joined is None), tenants[0] if tenants else None)
            if port.peer is None or owner is None:
                continue
            with self.noting():
                address = self._address(port.peer, family)
                if address:
                    member = AttachedContainer(
                        container=owner, namespace=port.peer.namespace, link=port.peer, address=address
                    )
                    found.append(member)
        return found

    def _who_is_there(self, host: str, port: Link) -> NotSeen:
        """A bridge's port leads to somebody who could not be seen: whether they are well can't be told."""
        for lack in lacks_of(self.snapshot.namespaces):
            if lack.scope == host:
                return NotSeen("namespaces", host, lack.reason, lack.hint)
        return NotSeen("namespaces", host, f"{port.name}: {port.peer_note}")

    def _address(self, ref: LinkRef, family: Family) -> str:
        """The first address of a link that is used beyond it."""
        fitting = (item for item in self.view.addresses_of(ref) if item.family == family)
        if family == "ip6":
            fitting = (item for item in fitting if item.scope == "global" and not _UNUSED & set(item.flags))
        return next((item.address for item in fitting), "")

    @cached_property
    def uplinks(self) -> tuple[str, ...]:
        """The host's interfaces that its IPv4 default routes use."""
        return self._ways_out("ip")

    @cached_property
    def uplinks6(self) -> tuple[str, ...]:
        """The host's interfaces that its IPv6 default routes use, where it has a global IPv6 address of its own.

        A host without one has no IPv6 to give, whatever its routes say.
        """
        host = self.view.host
        if host is None or not self._has_ipv6_of_its_own:
            return ()
        return self._ways_out("ip6")

    @cached_property
    def _has_ipv6_of_its_own(self) -> bool:
        host = self.view.host
        bridges = {
            link.ifindex for network in self.networks for link in self.view.bridges() if link.name == network.bridge
        }
        return host is not None and any(
            item.family == "ip6" and item.scope == "global" and item.ifindex not in bridges for item in host.addresses
        )

    def ways_out(self, family: Family) -> tuple[str, ...]:
        """The uplinks of a family."""
        return self.uplinks if family == "ip" else self.uplinks6

    def outside(self, family: Family = "ip") -> str:
        """The address that stands for any host outside: see :mod:`dnet_tui.diagnostics.context.outside`."""
        return self.kept(("outside", family), lambda: outside_address(self.snapshot, family))

    def way_outside(self, family: Family = "ip") -> WayOutside | None:
        """The link that leads outside; one is chosen where no default route says it.  None: nothing looks like one."""
        return self.kept(("way outside", family), lambda: self._way_outside(family))

    def _way_outside(self, family: Family) -> WayOutside | None:
        ways, host = self._ways_out(family), self.view.host
        if ways or host is None:
            return WayOutside(link=ways[0]) if ways else None
        found = stand_in(host, self.networks, self.leads_inside, family)
        return WayOutside(link=found, chosen=True) if found else None

    def leads_inside(self, link: Link) -> bool:
        """Whether a link of the host is a container's veth, or a bridge of a network or with containers on it."""
        host = self.view.host
        if any(network.bridge == link.name for network in self.networks):
            return True
        ends = [link]
        if link.kind == "bridge" and host is not None:
            ends += self.view.ports_of(host.id, link.ifindex)
        return any(item.peer is not None and bool(self.view.containers_in(item.peer.namespace)) for item in ends)

    def _ways_out(self, family: Family) -> tuple[str, ...]:
        host = self.view.host
        if host is None:
            return ()
        return tuple(link.name for link in self.view.uplinks(host.id, family))

    def uplink_address(self, uplink: str, family: Family = "ip") -> str:
        """The first address of an uplink, empty when it has none; of IPv6 a global one."""
        host = self.view.host
        link = self.view.link_named(host.id, uplink) if host else None
        if host is None or link is None:
            return ""
        return self._address(LinkRef(namespace=host.id, ifindex=link.ifindex), family)

    def bridge_address(self, network: Network, family: Family = "ip") -> str:
        """The first address of a network's bridge, empty when it has none; of IPv6 a global one."""
        return self.uplink_address(network.bridge, family)

    def network_of(self, address: str) -> Network | None:
        """The network whose subnet holds an address."""
        return next(
            (net for net in self.networks if any(contains(sub.cidr, address) is True for sub in net.subnets)), None
        )

    def sysctl(self, key: str) -> str | None:
        """A sysctl of the host's namespace; None when it wasn't read."""
        return self.view.host.sysctls.get(key) if self.view.host else None


def family_of(packet: Packet) -> Family:
    """The address family that a packet serves; ARP asks for IPv4."""
    return "ip6" if packet.family == "ip6" else "ip"


def _subnet(address: Address) -> str:
    return str(ipaddress.ip_network(address.cidr, strict=False))
