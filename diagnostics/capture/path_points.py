"""The links at which a packet of a walk can be seen, in the order in which it passes them.  Pure.

A packet socket on a link sees what comes in by it before any hook, and what
goes out by it after the last one (net/core/dev.c): a packet that FORWARD drops
is seen at the link it came by and never at the one it would leave by.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Hop, Packet, Walk
from dnet_tui.inspect.model import Container, Family, LinkRef, Namespace, NotSeen, known_items
from dnet_tui.inspect.model.view import View

_STOPPED = frozenset({"drop", "reject"})


def links_passed(view: View, way: Walk) -> tuple[LinkRef, ...]:
    """The links that the packet of a walk passes, each once, in their order."""
    found: dict[LinkRef, None] = {}
    for hop in way.hops:
        for ref in _of_hop(view, hop):
            found.setdefault(ref, None)
    return tuple(found)


def _of_hop(view: View, hop: Hop) -> Iterator[LinkRef]:
    packet = hop.packet
    port, came = _ref(view, hop.namespace, packet.physin), _ref(view, hop.namespace, packet.iif)
    first = port or came
    if first is not None:
        link = view.links.get(first)
        if link is not None and link.peer is not None:
            yield link.peer
        yield first
    bridged = packet.iif and packet.iif == packet.oif  # passes the bridge without going up to it
    # With br_netfilter PREROUTING comes before the bridge itself sees the packet.
    stopped_at_port = port is not None and hop.stage == "prerouting" and hop.verdict in _STOPPED
    if came is not None and not bridged and not stopped_at_port:
        yield came
    leaves = hop.stage == "link" or (hop.stage == "postrouting" and hop.verdict not in _STOPPED)
    if leaves and packet.oif and not bridged:
        out = _ref(view, hop.namespace, packet.oif)
        if out is not None:
            yield out


def _ref(view: View, namespace: str, name: str) -> LinkRef | None:
    link = view.link_named(namespace, name) if name else None
    return LinkRef(namespace=namespace, ifindex=link.ifindex) if link is not None else None


def container_links(case: HostContext, container: Container) -> tuple[LinkRef, ...]:
    """A container's interfaces, the host's ends of them and their bridges, and the uplink its traffic leaves by.

    Raises:
        NotSeen: its links were not read.
    """
    view = case.view
    ns = view.namespaces.get(container.netns or "")
    if ns is None:
        return ()
    found: dict[LinkRef, None] = {}
    for link in ns.links:
        if link.name == "lo":
            continue
        found.setdefault(LinkRef(namespace=ns.id, ifindex=link.ifindex))
        if link.peer is None or (peer := view.links.get(link.peer)) is None:
            continue
        found.setdefault(link.peer)
        if peer.master is not None:
            found.setdefault(LinkRef(namespace=link.peer.namespace, ifindex=peer.master))
    for ref in _way_out(case, ns):
        found.setdefault(ref)
    return tuple(found)


def _way_out(case: HostContext, ns: Namespace) -> tuple[LinkRef, ...]:
    """The links by which its packets to the outside leave, past whatever may stop them."""
    families: tuple[Family, ...] = ("ip", "ip6")
    for family in families:
        source = next(
            (item.address for item in known_items(ns.addresses) if item.family == family and item.scope == "global"), ""
        )
        if not source:
            continue
        packet = Packet(
            family=family, src=source, dst=case.outside(family), proto="tcp", sport=40000, dport=443, tcp_flags=("SYN",)
        )
        try:
            way = walk(case.view, packet, origin=ns.id, outside=True, beyond=True)
        except NotSeen:
            continue
        passed = links_passed(case.view, way)
        host = case.view.host
        if host is not None and passed:
            return tuple(ref for ref in passed if ref.namespace == host.id)[-1:]
    return ()
