"""Addresses that nobody answers for, or not yet, and neighbour entries that are wrong.  Pure.

Sources: net/core/neighbour.c for an entry's states; net/ipv6/addrconf.c and
ndisc.c for addresses that may not be used.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.walk.l2 import topology
from dnet_tui.diagnostics.walk.l2.topology import Frame
from dnet_tui.diagnostics.walk.namespace_index import known
from dnet_tui.diagnostics.walk.packet import Decider, End
from dnet_tui.inspect.model import Link, Namespace
from dnet_tui.inspect.model.view import View


def nobody(view: View, ns: Namespace, link: Link, frame: Frame) -> tuple[End, Decider]:
    """Why nobody on a link, or behind a bridge, takes a frame."""
    muted = topology.muted(view, ns, link, frame.next_hop) if not frame.mac else None
    if muted is not None:
        return "unreachable", muted
    late = unready(view, ns, link, frame.next_hop) if not frame.mac else None
    doubt = late or contradicted(view, ns, link, frame, None)
    if doubt is not None:
        return "unknown", doubt
    text = f"nobody on {link.name} has the address {frame.next_hop}"
    if frame.mac:
        text = f"{frame.next_hop} is remembered at {frame.mac}, which nobody on {link.name} has"
    return "unreachable", Decider(kind="neighbour", text=text, namespace=ns.id, value=frame.next_hop)


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
        found = tentative(space, address)
        if found is not None and any(item.ifindex == ifindex and item.address == address for item in space.addresses):
            return found
    return None


def tentative(ns: Namespace, address: str) -> Decider | None:
    """The decider when a namespace's IPv6 address is still being looked for elsewhere: not usable yet."""
    item = next((item for item in ns.addresses if item.address == address), None) if ":" in address else None
    if item is None or topology.is_usable(item) or "dadfailed" in item.flags:
        return None
    name = known(ns).names.get(item.ifindex, "")
    text = f"{address} is tentative: not used until nobody else is found to have it"
    return Decider(kind="link", text=text, namespace=ns.id, value="tentative", interface=name)


def failed(ns: Namespace, address: str) -> Decider | None:
    """The decider when a namespace gave up its IPv6 address because somebody else has it."""
    item = next((item for item in ns.addresses if item.address == address), None) if ":" in address else None
    if item is None or "dadfailed" not in item.flags:
        return None
    text = f"{address} failed duplicate address detection: somebody else has it"
    name = known(ns).names.get(item.ifindex, "")
    return Decider(kind="link", text=text, namespace=ns.id, value="dadfailed", interface=name)


def unusable_source(ns: Namespace, address: str) -> Iterator[tuple[End, Decider]]:
    """Why nobody sends from an address of ``ns`` (ipv6_chk_addr, ipv6_dev_get_saddr)."""
    late, gone = tentative(ns, address), failed(ns, address)
    if late is not None:
        yield "unknown", late
    if gone is not None:
        yield "dropped", gone
