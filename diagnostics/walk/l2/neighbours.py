"""Addresses that nobody answers for, or not yet, and neighbour entries that are wrong.  Pure.

Sources: net/core/neighbour.c for an entry's states; net/ipv6/addrconf.c and
ndisc.c for addresses that may not be used.
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l2 import topology
from dnet_tui.diagnostics.walk.l2.answering import silence
from dnet_tui.diagnostics.walk.l2.frame import Frame
from dnet_tui.diagnostics.walk.l3.addresses import tentative
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Decider, End
from dnet_tui.inspect.model import Link, Namespace
from dnet_tui.inspect.model.view import View


def nobody(view: View, ns: Namespace, link: Link, frame: Frame) -> tuple[End, Decider]:
    """Why nobody on a link, or behind a bridge, takes a frame."""
    muted = topology.muted(view, ns, link, frame.next_hop) if not frame.mac else None
    if muted is not None:
        return "unreachable", muted
    quiet = _silence(view, ns, link, frame) if not frame.mac else None
    if quiet is not None:
        return "unreachable", quiet
    late = unready(view, ns, link, frame.next_hop) if not frame.mac else None
    doubt = late or contradicted(view, ns, link, frame, None)
    if doubt is not None:
        return "unknown", doubt
    text = f"no interface on {link.name} has the address {frame.next_hop}"
    if frame.mac:
        text = f"{frame.next_hop} is remembered at {frame.mac}, which no interface on {link.name} has"
    return "unreachable", Decider(kind="neighbour", text=text, namespace=ns.id, value=frame.next_hop)


def _silence(view: View, ns: Namespace, link: Link, frame: Frame) -> Decider | None:
    """Why the owner of an address on a link, or behind its ports, doesn't answer when it is asked for it."""
    ends = [(ns, link)]
    for port in view.ports_of(ns.id, link.ifindex):
        far = view.links.get(port.peer) if port.peer is not None else None
        if port.peer is not None and far is not None and not view.is_stranger(port.peer.namespace, frame.next_hop):
            ends.append((view.namespaces[port.peer.namespace], far))
    found = (silence(index_of(view, space), end, frame.next_hop, frame.asker) for space, end in ends)
    return next((by for by in found if by is not None), None)


def contradicted(view: View, ns: Namespace, bridge: Link, frame: Frame, taker: Link | None) -> Decider | None:
    """The decider when a fading entry leads a frame to ``taker`` on a bridge, and somebody else has the address."""
    if not frame.is_fading:
        return None
    # Of a link without ports only its own addresses: for another's the answer would hardly find back.
    held = any(item.ifindex == bridge.ifindex and item.address == frame.next_hop for item in ns.addresses)
    own = [bridge] if held else []
    owners = [*own, *topology.owner_ports(view, ns, bridge, frame.asked())]
    if not owners or (taker is not None and any(owner.ifindex == taker.ifindex for owner in owners)):
        return None
    return fading(ns, bridge, frame)


def fading(ns: Namespace, link: Link, frame: Frame) -> Decider:
    """The decider for an entry that is wrong now, and will be found so."""
    text = (
        f"{frame.next_hop} is remembered at {frame.mac} ({frame.state}), which isn't its owner's on {link.name}:"
        " lost until the kernel has asked again"
    )
    return Decider(kind="neighbour", text=text, namespace=ns.id, value=frame.next_hop)


def unready(view: View, ns: Namespace, link: Link, address: str) -> Decider | None:
    """The decider when who has an IPv6 address on a link, or behind its ports, may not use it yet."""
    if ":" not in address:
        return None
    far = [
        (view.namespaces[port.peer.namespace], port.peer.ifindex)
        for port in view.ports_of(ns.id, link.ifindex)
        if port.peer is not None and port.peer.namespace in view.namespaces
    ]
    for space, ifindex in ((ns, link.ifindex), *far):
        found = tentative(index_of(view, space), address)
        if found is not None and any(item.ifindex == ifindex and item.address == address for item in space.addresses):
            return found
    return None
