"""A namespace as the matches of its rules see it: routes, interfaces, IPsec.  Three-valued and pure.

Sources: the kernel's nft_fib_ipv4.c and nft_fib_ipv6.c, ipt_rpfilter.c and
ip6t_rpfilter.c, ``__inet_dev_addr_type`` (fib_frontend.c), nft_meta.c.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime

import msgspec

from dnet_tui.diagnostics.walk.l3 import routing, socket_match
from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.values import contains
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex, index_of
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model import Link, Namespace, Tun, Unread
from dnet_tui.inspect.model.coverage.sections import Partial
from dnet_tui.inspect.model.filter_state import RecentAddress
from dnet_tui.inspect.model.view import View

MAC_LENGTH = 17
"""Characters of an Ethernet address; other links have shorter ones, or longer."""
_ETHERNET = frozenset(
    {"", "bridge", "veth", "vlan", "macvlan", "macvtap", "bond", "vxlan", "geneve", "dummy", "ifb", "team"}
)


def match_context(view: View, ns: Namespace) -> NamespaceMatchContext:
    """What the rules of a namespace may ask of it, made once and kept with the view."""
    found = view.once(NamespaceMatchContext, index_of(view, ns))
    found.taken_at = ns.read_at or view.snapshot.taken_at
    return found


class NamespaceMatchContext(MatchContext):
    """What one namespace tells."""

    def __init__(self, index: NamespaceIndex) -> None:
        self.index = index
        self.ns = index.ns
        self.namespace = index.ns.id
        self.taken_at = ""
        """When this was read, as the snapshot has it."""

    def address_type(self, address: str) -> str:
        """As the local table has it."""
        return routing.address_type(self.index, address)

    def type_on(self, address: str, device: str) -> str:
        """LOCAL only if the local route leads by that device."""
        kind = self.address_type(address)
        if kind != "LOCAL":
            return kind
        link = self._link(device)
        index = link.ifindex if link is not None else None
        if any((item.address, item.ifindex) == (address, index) for item in self.ns.addresses):
            return kind
        if ":" in address or not any(item.address == address for item in self.ns.addresses):
            return ""  # a local route of another make, or IPv6's own way of looking
        return "UNICAST"

    def route(self, packet: Packet, flags: tuple[str, ...]) -> Truth:
        """``fib saddr . iif oif exists``."""
        found = self._route_devices(packet, flags)
        return None if found is None else bool(found)

    def route_device(self, packet: Packet, flags: tuple[str, ...]) -> str | None:
        """``fib daddr oifname``."""
        found = self._route_devices(packet, flags)
        if found is None or len(found) > 1:
            return None
        return next((link.name for link in self.ns.links if link.ifindex in found), "")

    def _route_devices(self, packet: Packet, flags: tuple[str, ...]) -> tuple[int, ...] | None:
        """The devices that the look-up finds: those of the route, or the one that is asked for if it has it."""
        wanted = self._link(packet.iif if "iif" in flags else packet.oif) if {"iif", "oif"} & set(flags) else None
        came_by = self._link(packet.iif)
        if came_by is not None and came_by.kind == "loopback" and not packet.oif:
            return (came_by.ifindex,)  # nft_fib_can_skip
        back = "saddr" in flags
        address = packet.src if back else packet.dst
        if {"iif", "oif"} & set(flags) and wanted is None:
            return None
        parsed = ipaddress.ip_address(address)
        if parsed.is_link_local and parsed.version == 6:
            return self._link_local(wanted or came_by)
        if parsed.is_unspecified or parsed.is_multicast:
            return None
        entering = packet.oif if back and "iif" in flags and packet.oif and packet.iif else ""
        other = packet.dst if back else packet.src
        asked = msgspec.structs.replace(
            packet, dst=address, src=other, iif=entering, mark=packet.mark if "mark" in flags else 0
        )
        answer = routing.lookup(self.index, asked)
        return self._devices(answer, address, wanted)

    def _link_local(self, link: Link | None) -> tuple[int, ...] | None:
        """fe80::/64 is on every device: the look-up is bound to the one that counts (RT6_LOOKUP_F_IFACE)."""
        if link is None:
            return None
        there = any(
            route.family == "ip6"
            and route.type == "unicast"
            and route.dst == "fe80::/64"
            and hop.ifindex == link.ifindex
            for route in self.ns.routes
            for hop in route.hops
        )
        return (link.ifindex,) if there else None

    def passes_rpfilter(self, packet: Packet, flags: tuple[str, ...]) -> Truth:
        """``rpfilter_mt``: the source's route leads out by where the packet came in."""
        link = self._link(packet.iif)
        if link is None:
            return None
        if link.kind == "loopback":
            return True
        parsed = ipaddress.ip_address(packet.src)
        if parsed.is_unspecified or (parsed.version == 6 and parsed.is_link_local):
            return None
        mark = packet.mark if "mark" in flags else 0
        asked = msgspec.structs.replace(packet, dst=packet.src, src=packet.dst, iif="", mark=mark)
        answer = routing.lookup(self.index, asked)
        if answer.type == "local":
            if "local" not in flags:
                return False
            return True if "loose" in flags else None
        found = self._devices(answer, packet.src, None if "loose" in flags else link)
        return None if found is None else bool(found)

    def group(self, device: str) -> int | None:
        """``IFLA_GROUP``."""
        link = self._link(device)
        return link.group if link is not None else None

    def kind(self, device: str) -> str | None:
        """``IFLA_INFO_KIND``; the loopback has none."""
        link = self._link(device)
        if link is None:
            return None
        return "" if link.kind == "loopback" else link.kind

    def hardware(self, device: str) -> str | None:
        """``ARPHRD_*`` as nft names it, where what is known of the link tells it."""
        link = self._link(device)
        if link is None:
            return None
        if link.kind == "loopback":
            return "loopback"
        if link.kind == "tun" and isinstance(link.detail, Tun):
            return {"tun": "none", "tap": "ether"}.get(link.detail.type)
        # A tunnel that carries IP has an address of its own length, or none.
        ethernet = link.kind in _ETHERNET and len(link.mac) == MAC_LENGTH
        return "ether" if ethernet else None

    def realm(self, packet: Packet) -> int | None:  # noqa: ARG002  only that there are none is told
        """0 where no route has a realm; what several of them add up to isn't modelled."""
        routes = (*self.ns.routes, *self.ns.policy_rules)
        return None if any(item.realm for item in routes) else 0

    def socket(self, packet: Packet, *, bound: bool, transparent: bool) -> Truth:
        """``socket_match``, for the first packet of a connection."""
        return socket_match.has_socket(self.ns, packet, bound=bound, transparent=transparent)

    def proxy(self, packet: Packet, address: str, port: int) -> Truth:
        """``nf_tproxy_get_sock``."""
        return socket_match.has_proxy(self.ns, packet, address, port)

    def first_address(self, packet: Packet) -> str:
        """``nf_tproxy_laddr4``, ``nf_tproxy_laddr6``: the receiving device's, else where the packet goes."""
        link = self._link(packet.iif)
        own = (
            item.address
            for item in self.ns.addresses
            if link is not None and (item.ifindex, item.family) == (link.ifindex, packet.family)
        )
        return next(own, packet.dst)

    def is_read(self, queue: int) -> Truth:
        """``nfnetlink_queue``'s list."""
        return None if isinstance(self.ns.queues, Unread | Partial) else queue in self.ns.queues

    def recent(self, name: str) -> tuple[RecentAddress, ...] | None:
        """The list as it was when the snapshot was taken."""
        if isinstance(self.ns.recent, Unread | Partial):
            return None
        return tuple(item for item in self.ns.recent if item.list == name)

    @property
    def now(self) -> float | None:
        """When the namespace was read."""
        try:
            return datetime.fromisoformat(self.taken_at).timestamp()
        except ValueError:
            return None

    @property
    def uses_ipsec(self) -> bool | None:
        """Whether there are policies at all."""
        policies = self.ns.xfrm_policies
        return None if isinstance(policies, Unread) else policies > 0

    def _link(self, device: str) -> Link | None:
        return self.index.link(device) if device else None

    def _devices(self, answer: routing.RouteAnswer, address: str, wanted: Link | None) -> tuple[int, ...] | None:
        """The devices of a route that was found, or of them just the wanted one; empty where there is no such route."""
        if answer.type == "unknown":
            return None  # several next hops, or a policy rule that can't be decided
        if answer.type != "unicast":
            return ()
        if wanted is None:
            return answer.devices
        if wanted.ifindex in answer.devices:
            return (wanted.ifindex,)
        return None if ":" in address and self._equally_near(address, wanted.ifindex) else ()

    def _equally_near(self, address: str, ifindex: int) -> bool:
        """Whether a device has a route that is as specific as the best: of such, IPv6 may take the one asked for."""
        fitting = [route for route in self.ns.routes if route.family == "ip6" and contains(route.dst, address)]
        best = max((prefix_length(route.dst) for route in fitting), default=0)
        return any(
            hop.ifindex == ifindex for route in fitting if prefix_length(route.dst) == best for hop in route.hops
        )


def prefix_length(cidr: str) -> int:
    """The length of a network's prefix."""
    return int(cidr.rpartition("/")[2] or 0)
