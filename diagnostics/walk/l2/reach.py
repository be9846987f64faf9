"""Who hears what a device sends to everybody: over bridges, VLANs, macvlans, bonds and tunnels.  Pure.

Whatever stands in a frame's way on the way there (a link that is down, a
port that is isolated) is not looked at here: the frame meets it by itself.
"""

from __future__ import annotations

from collections import deque
from typing import Literal, NamedTuple

from dnet_tui.diagnostics.walk.l2 import stacks, tunnels, vlan_ports
from dnet_tui.inspect.model import Link, LinkRef, Namespace, NotSeen, Snapshot, Vxlan
from dnet_tui.inspect.model.view import View

_SILENT = frozenset({"dummy", "ifb", "loopback"})
"""Kinds that throw away what they are given to send."""


_LONGEST = 4000
"""Bridges and tunnels in a row that a frame is followed over; containers may link more."""

_DEEPEST = 8
"""VLANs in each other; so deep may links be stacked (MAX_NEST_DEV, include/linux/netdevice.h)."""

_MOST = 200_000
"""Links that are looked at."""

Place = Literal["", "ingress", "egress"]
"""Where a link's traffic control and chains meet a frame; empty: nowhere."""

_OWN = 0
"""Stands for the port by which the bridge's own host sends."""


class Crossing(NamedTuple):
    """A bridge on the way: by which port a frame comes in (None: its host sends), and by which it leaves (None: up)."""

    ns: Namespace
    bridge: Link
    came_by: Link | None
    port: Link | None
    vlan: int = 0
    """The VLAN in which, on a bridge that filters."""


class Passage(NamedTuple):
    """A tunnel on the way: its near end, where that sends to, and its far end."""

    ns: Namespace
    link: Link
    remote: tunnels.Remote
    far_ns: Namespace
    far: Link


class LowerLink(NamedTuple):
    """A link that a frame passes below another: at which of its two places there, and at which the answer does.

    Between two macvlans what is for everybody goes from one to the other, and an answer is received by the link below
    them first (macvlan_broadcast, dev_forward_skb in macvlan_queue_xmit).
    """

    ns: Namespace
    link: Link
    there: Place
    back: Place


Way = tuple[Crossing | Passage | LowerLink, ...]


class Hearer(NamedTuple):
    """A link whose IP layer hears a frame, and the bridges, tunnels and other links that it passes on its way there."""

    ns: Namespace
    link: Link
    crossings: Way


class Reach(NamedTuple):
    """All that a frame gets to.

    ``edges`` are the links by which it goes out of sight, ``proxies`` the VXLANs that answer questions themselves
    (arp_reduce) and pass none on; ``unseen`` is what wasn't read.
    """

    hearers: tuple[Hearer, ...]
    edges: tuple[tuple[Namespace, Link], ...]
    unseen: NotSeen | None
    proxies: tuple[tuple[Namespace, Link], ...] = ()


class _Cache:
    """What was found for one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.found: dict[tuple[LinkRef, tuple[int, ...], str], Reach] = {}
        self.plain: dict[LinkRef, bool] = {}


def reach(view: View, ns: Namespace, link: Link, *, tags: tuple[int, ...] = (), mac: str = "") -> Reach:
    """Who hears a frame that a link sends; ``mac`` (empty: everybody's) tells a VXLAN where to."""
    cache = view.once(_Cache, view.snapshot)
    key = (stacks.ref_of(ns, link), tags, mac)
    found = cache.found.get(key)
    if found is None:
        spread = _Spread(view, mac, link)
        spread.send(ns, link, tags, ())
        spread.run()
        found = cache.found[key] = Reach(
            tuple(spread.hearers), tuple(spread.edges), spread.unseen, tuple(spread.proxies)
        )
    return found


def heard_from(view: View, ns: Namespace, link: Link, tags: tuple[int, ...]) -> tuple[Hearer, ...]:
    """Who hears a frame that arrives at a link."""
    spread = _Spread(view, "", link)
    spread.receive(ns, link, tags, ())
    spread.run()
    return tuple(spread.hearers)


def is_plain_end(view: View, port: Link) -> bool:
    """Whether a port is a veth whose other end is nothing but a device of its namespace."""
    if port.kind != "veth" or port.peer is None:
        return port.kind == "veth"
    far = view.links.get(port.peer)
    return far is None or (far.master is None and not view.known_above(port.peer))


def is_plain(view: View, ns: Namespace, bridge: Link) -> bool:
    """Whether a bridge has only such ports, filters no VLANs and has nothing above it."""
    cache = view.once(_Cache, view.snapshot)
    ref = stacks.ref_of(ns, bridge)
    found = cache.plain.get(ref)
    if found is None:
        try:
            found = not vlan_ports.filters(bridge) and not view.known_above(ref)
            found = found and all(is_plain_end(view, port) for port in view.ports_of(ns.id, bridge.ifindex))
        except NotSeen:
            found = True  # as far as it was seen; who looks closer meets what wasn't
        cache.plain[ref] = found
    return found


class _Step(NamedTuple):
    """A link that sends, or that receives: what is to be looked at next."""

    out: bool
    ns: Namespace
    link: Link
    tags: tuple[int, ...]
    way: Way


class _Spread:
    """A frame on all its ways at once: the shortest to each place is the one that is told of.

    Step by step, not call in call: containers may link as many bridges in a row as they like.
    """

    def __init__(self, view: View, mac: str, first: Link) -> None:
        self.view = view
        self.mac = mac
        self.first = first
        self.hearers: list[Hearer] = []
        self.edges: list[tuple[Namespace, Link]] = []
        self.unseen: NotSeen | None = None
        self.proxies: list[tuple[Namespace, Link]] = []
        self._steps: deque[_Step] = deque()
        self._met: set[tuple[str, int, bool, tuple[int, ...]]] = set()
        self._flooded: dict[tuple[str, int, int, tuple[int, ...]], set[int]] = {}

    def send(self, ns: Namespace, link: Link, tags: tuple[int, ...], way: Way) -> None:
        """A link sends."""
        self._steps.append(_Step(out=True, ns=ns, link=link, tags=tags, way=way))

    def receive(self, ns: Namespace, link: Link, tags: tuple[int, ...], way: Way) -> None:
        """A link receives."""
        self._steps.append(_Step(out=False, ns=ns, link=link, tags=tags, way=way))

    def run(self) -> None:
        """Follow the frame until it gets nowhere new."""
        while self._steps:
            out, ns, link, tags, way = self._steps.popleft()
            key = (ns.id, link.ifindex, out, tags)
            if key in self._met:
                continue
            self._met.add(key)
            if len(way) > _LONGEST or len(tags) > _DEEPEST or len(self._met) > _MOST:
                reason = f"more than {_LONGEST} bridges in a row, {_DEEPEST} VLANs in each other or {_MOST} links"
                self.unseen = self.unseen or NotSeen("links", ns.id, f"{reason} were not followed")
                continue
            try:
                (self._send if out else self._receive)(ns, link, tags, way)
            except NotSeen as missing:
                self.unseen = self.unseen or missing

    def _send(self, ns: Namespace, link: Link, tags: tuple[int, ...], way: Way) -> None:
        view = self.view
        if link.kind == "bridge":
            self._bridge(ns, link, None, tags, way)
        elif link.kind == "veth" and link.peer is not None:
            far = view.links.get(link.peer)
            if far is not None:
                self.receive(view.namespaces[link.peer.namespace], far, tags, way)
        elif link.kind in stacks.ABOVE:
            self._send_down(ns, link, tags, way)
        elif link.kind in stacks.BONDS:
            for slave in stacks.slaves(view, ns, link):
                self.send(ns, slave, tags, (*way, LowerLink(ns, slave, "egress", "ingress")))
        elif link.kind in tunnels.FRAMES:
            self._send_through(ns, link, tags, way)
        elif link.kind not in _SILENT:
            self.edges.append((ns, link))

    def _send_down(self, ns: Namespace, link: Link, tags: tuple[int, ...], way: Way) -> None:
        lower = stacks.below(self.view, link)
        if link.kind == "vlan":
            tags = (*tags, stacks.vid_of(link))
        elif not list(stacks.switches(link)):
            by = (LowerLink(*lower, "", "ingress"),) if lower is not None and link.kind in stacks.MACVLANS else ()
            for space, other in stacks.siblings(self.view, ns, link):
                if link.kind in stacks.IPVLANS or stacks.mode(other) == "bridge":
                    self.receive(space, other, tags, (*way, *by))
        if lower is None:
            self.edges.append((ns, link))
        else:
            self.send(*lower, tags, (*way, LowerLink(*lower, "egress", "ingress")))

    def _send_through(self, ns: Namespace, link: Link, tags: tuple[int, ...], way: Way) -> None:
        if not self.mac and isinstance(link.detail, Vxlan) and link.detail.proxy:
            self.proxies.append((ns, link))
            return
        if tunnels.is_external(link):
            self.edges.append((ns, link))
        for remote in tunnels.remotes(ns, link, self.mac):
            ends = list(tunnels.local_ends(self.view, stacks.ref_of(ns, link), remote))
            for space, other in ends:
                self.receive(space, other, tags, (*way, Passage(ns, link, remote, space, other)))
            if not ends:
                self.edges.append((ns, link))

    def _receive(self, ns: Namespace, link: Link, tags: tuple[int, ...], way: Way) -> None:
        upper = stacks.vlan_above(self.view, stacks.ref_of(ns, link), tags[-1]) if tags else None
        by = LowerLink(ns, link, "ingress", "egress")
        if upper is not None:
            self.receive(*upper, tags[:-1], (*way, by))
            return
        master = self.view.links.get(LinkRef(namespace=ns.id, ifindex=link.master)) if link.master else None
        if master is not None and master.kind == "bridge":
            self._bridge(ns, master, link, tags, way)
            return
        if master is not None and master.kind in stacks.BONDS:
            if not stacks.is_idle_slave(master, link):
                self.receive(ns, master, tags, (*way, by))
            return
        self._hear(ns, link, tags, way)

    def _hear(self, ns: Namespace, link: Link, tags: tuple[int, ...], way: Way) -> None:
        ref = stacks.ref_of(ns, link)
        sender = self.first if self.first.kind in stacks.MACVLANS and self.first.peer == ref else None
        for space, upper in stacks.sharers(self.view, ref):
            if stacks.hears_groups(sender, upper):
                self.receive(space, upper, tags, (*way, LowerLink(ns, link, "ingress", "egress")))
        if not tags and link.kind in stacks.TAPS:
            self.edges.append((ns, link))
        if not tags:
            self.hearers.append(Hearer(ns, link, way))

    def _bridge(self, ns: Namespace, bridge: Link, came_by: Link | None, tags: tuple[int, ...], way: Way) -> None:
        vlan = vlan_ports.vlan_in(bridge, came_by or bridge, tags)
        if vlan is None:
            return
        inner = vlan_ports.tags_inside(bridge, tags)
        # What comes in by a second port goes where the first could not, out of the first: a third finds nothing new.
        came = self._flooded.setdefault((ns.id, bridge.ifindex, vlan, inner), set())
        if len(came - {_OWN}) > 1:
            return
        came.add(came_by.ifindex if came_by else _OWN)
        if came_by is not None and vlan_ports.is_member(bridge, bridge, vlan):
            up = vlan_ports.tags_out(bridge, bridge, vlan, inner)
            self.receive(ns, bridge, up, (*way, Crossing(ns, bridge, came_by, None, vlan)))
        for port in self.view.ports_of(ns.id, bridge.ifindex):
            if (came_by is None or port.ifindex != came_by.ifindex or _hairpin(port)) and vlan_ports.is_member(
                bridge, port, vlan
            ):
                out = vlan_ports.tags_out(bridge, port, vlan, inner)
                self.send(ns, port, out, (*way, Crossing(ns, bridge, came_by, port, vlan)))


def _hairpin(port: Link) -> bool:
    return port.port is not None and port.port.hairpin
