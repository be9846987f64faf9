"""The stages of a packet in a tunnel: into an outer packet, and out of it where that was delivered.  Pure.

The outer packet walks by itself: it is routed in the namespace where the
tunnel was made, passes OUTPUT and POSTROUTING there, and whatever else is on
its way.  Where it can't leave, what is inside isn't delivered.

Sources: drivers/net/vxlan/vxlan_core.c (vxlan_xmit_one, encap_bypass_if_local,
vxlan_rcv), net/ipv4/ip_tunnel.c (ip_tunnel_xmit, ip_tunnel_rcv) and
ip_tunnel_core.c (iptunnel_xmit); drivers/net/wireguard/device.c (wg_xmit),
socket.c and receive.c.
"""

from __future__ import annotations

import ipaddress

import msgspec

from dnet_tui.diagnostics.walk.l2 import stacks, topology, tunnels
from dnet_tui.diagnostics.walk.l2.frame import Frame
from dnet_tui.diagnostics.walk.l2.reach import heard_from
from dnet_tui.diagnostics.walk.l2.tunnels import Remote
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.packet import Carried, Decider, replace
from dnet_tui.diagnostics.walk.stages.bridge_and_netdev_hooks import pass_device
from dnet_tui.diagnostics.walk.stages.edges import left
from dnet_tui.diagnostics.walk.stages.outer import learned_remote, outer_packet, with_socket
from dnet_tui.diagnostics.walk.state import WalkState, not_seen
from dnet_tui.diagnostics.walk.steps import ArriveAt, Decapsulate, Encapsulate, Next, Receive, Send
from dnet_tui.inspect.model import Link, LinkRef, Namespace, NotSeen, Vxlan
from dnet_tui.inspect.model.links import WireGuardDevice

_DEEPEST = 4
"""Tunnels within tunnels; the kernel drops what goes round (dev_recursion_level)."""


def encapsulate(state: WalkState, step: Encapsulate) -> Next:
    """Into an outer packet, which is sent by the tunnel's underlay."""
    ns, link, frame = step
    stopped = topology.down(ns, link)
    if stopped is not None:
        state.stop("unreachable", "link", stopped)
    if len(state.carried) >= _DEEPEST:
        state.stop("looped", "tunnel", _by(ns, link, f"{link.name} sends by itself: tunnels lie in each other"))
    try:
        remote, mark = _peer(state, ns, link, frame)
    except NotSeen as missing:
        if not state.awaits_another() or any(tunnels.others(state.view, stacks.ref_of(ns, link))):
            by = not_seen(missing, state.view.label(missing.scope))
            whose = link.name if missing.scope == ns.id else ""
            state.stop("unknown", "tunnel", msgspec.structs.replace(by, interface=whose))
        # Whichever peer it goes to: it isn't what is awaited, and there nobody translates it back.
        return left(state, ns, link, note="to a peer that could not be read")
    home = tunnels.underlay(state.view, ns, link)
    if home is None:
        text = f"the outer packets of {link.name} travel in a namespace that can't be read"
        state.stop("unknown", "tunnel", _by(ns, link, text))
    if ipaddress.ip_address(remote.address).is_multicast:
        state.stop("unknown", "tunnel", _by(ns, link, f"{link.name} sends to the group {remote.address}"))
    short = _bypass(state, ns, link, home, remote, frame)
    if short is not None:
        return short
    outer = with_socket(state, home, outer_packet(state, ns, link, home, remote, mark))
    sender = state.sender
    carried = Carried(
        tunnel=stacks.ref_of(ns, link),
        inner=state.packet,
        where=remote.where,
        address=remote.address,
        port=remote.port,
        vni=remote.vni,
        peer=remote.peer,
        made_in=state.made_in,
        next_hop=frame.next_hop if frame is not None else "",
        mac=frame.mac if frame is not None else "",
        tags=frame.tags if frame is not None else (),
        sender=stacks.ref_of(*sender) if sender is not None else None,
    )
    state.hop(ns, link.name, "tunnel", f"into {link.kind}", note=f"to {remote.where}")
    state.carried.append(carried)
    state.packet = outer
    return Send(home)


def _peer(state: WalkState, ns: Namespace, link: Link, frame: Frame | None) -> tuple[Remote, int | None]:
    """The end that a tunnel sends to, and the mark of the outer packet (None: that of the packet inside)."""
    if tunnels.is_external(link):
        text = f"a program or route chooses where {link.name} sends each packet"
        state.stop("unknown", "tunnel", _by(ns, link, text))
    if link.kind == "wireguard":
        device = tunnels.wireguard(ns, link)
        if device is None:
            state.stop("unknown", "tunnel", _by(ns, link, f"{link.name} is not among the interfaces that were read"))
        return _wireguard_peer(state, ns, link, device), device.mark
    ends = learned_remote(state, ns, link, frame.mac if frame is not None else "")
    if not ends:
        what = f"has no remote for {frame.mac or frame.next_hop}" if frame is not None else "has no remote"
        if link.kind not in tunnels.FRAMES:
            state.stop("unknown", "tunnel", _by(ns, link, f"{link.name} {what}: the packet's destination decides"))
        if isinstance(link.detail, Vxlan) and link.detail.l2miss:
            state.stop("unknown", "tunnel", _by(ns, link, f"{link.name} {what}, and asks a program for it"))
        state.stop("unreachable", "tunnel", _by(ns, link, f"{link.name} {what}"))
    if len(ends) > 1 and frame is not None:
        ends = _those_with_the_owner(state, stacks.ref_of(ns, link), ends, frame) or ends
    chosen = state.choose(len(ends)) if len(ends) > 1 else 0
    if chosen is None:
        text = f"{link.name} sends to {' and '.join(end.where for end in ends)}"
        state.stop("unknown", "tunnel", _by(ns, link, text))
    return ends[chosen], None


def _wireguard_peer(state: WalkState, ns: Namespace, link: Link, device: WireGuardDevice) -> Remote:
    peer = tunnels.allowed_peer(device, state.packet.dst)
    if peer is None:
        text = f"no peer of {link.name} is allowed {state.packet.dst} (allowed-ips)"
        state.stop("rejected" if state.made_in != ns.id else "unreachable", "tunnel", _by(ns, link, text))
    if not peer.endpoint:
        text = f"peer {peer.key} of {link.name} has no endpoint, and none is known of it"
        state.stop("unreachable", "tunnel", _by(ns, link, text))
    return Remote(peer.endpoint, peer.port, 0, peer.key)


def _those_with_the_owner(
    state: WalkState, mine: LinkRef, ends: tuple[Remote, ...], frame: Frame
) -> tuple[Remote, ...]:
    """Of the ends that a flooded frame is sent to, those at which somebody seen takes it."""
    return tuple(
        end
        for end in ends
        if any(_takes(state, space, other, frame) for space, other in tunnels.local_ends(state.view, mine, end))
    )


def _takes(state: WalkState, ns: Namespace, link: Link, frame: Frame) -> bool:
    """Whether somebody behind the other end of a tunnel takes a frame: its own link, or one on the same bridge."""
    return any(frame.is_for(state.index(item.ns), item.link) for item in heard_from(state.view, ns, link, frame.tags))


def _bypass(
    state: WalkState, ns: Namespace, link: Link, home: Namespace, remote: Remote, frame: Frame | None
) -> Next | None:
    """VXLAN's way to an end in the same namespace: without an outer packet."""
    if link.kind != "vxlan" or frame is None or not routing.is_local(state.index(home), remote.address):
        return None
    found = tunnels.taker(state.view, home, stacks.ref_of(ns, link), remote, remote.address)
    if found is None:
        text = f"{remote.address} is this host's own, and it has no other VXLAN {remote.vni} on port {remote.port}"
        state.stop("dropped", "tunnel", _by(ns, link, text))
    state.hop(ns, link.name, "tunnel", f"into {link.kind}", note=f"to {found[1].name}, on the same host")
    _need_up(state, *found)
    return ArriveAt(stacks.ref_of(*found), frame)


def decapsulate(state: WalkState, step: Decapsulate) -> Next:
    """Out of the outer packet, at the tunnel that it is for."""
    home = step.ns
    carried, outer = state.carried.pop(), state.packet
    link = state.view.links[carried.tunnel]
    if carried.to is not None:
        there = state.view.links[carried.to]
        space = state.view.namespaces[carried.to.namespace]
        under = tunnels.underlay(state.view, space, there)
        found = (space, there) if under is not None and under.id == home.id else None
    else:
        remote = Remote(carried.address, carried.port, carried.vni, carried.peer)
        found = tunnels.taker(state.view, home, carried.tunnel, remote, outer.src)
    if found is None and home.id == _home_of(state, carried):
        text = f"what {link.name} sends is led back to this host, and to itself"
        state.stop("unknown", "tunnel", Decider(kind="link", text=text, namespace=home.id, value=link.kind))
    if found is None:
        text = f"no {link.kind} at {outer.dst} takes what {link.name} sends"
        state.stop("dropped", "tunnel", Decider(kind="link", text=text, namespace=home.id, value=link.kind))
    _need_up(state, *found)
    ns, there = found
    if link.kind == "wireguard":
        _check_source(state, ns, there, carried)
    state.made_in = carried.made_in
    state.packet = replace(carried.inner, mark=outer.mark if ns.id == home.id else 0)
    state.hop(ns, there.name, "tunnel", f"out of {there.kind}", note=f"from {outer.src}")
    if isinstance(there.detail, Vxlan) and there.detail.learning and state.packet.mac:
        state.stations.teach_remote(ns.id, there.ifindex, state.packet.mac, outer.src)
    if there.kind in tunnels.FRAMES:
        return ArriveAt(stacks.ref_of(ns, there), _frame(state, carried))
    pass_device(state, ns, there, "ingress")
    return Receive(ns, there)


def _home_of(state: WalkState, carried: Carried) -> str:
    """The namespace that a tunnel's outer packets are sent from."""
    space = state.view.namespaces[carried.tunnel.namespace]
    home = tunnels.underlay(state.view, space, state.view.links[carried.tunnel])
    return home.id if home is not None and carried.to is None else ""


def _frame(state: WalkState, carried: Carried) -> Frame:
    """The frame that was inside."""
    if carried.answers is not None:
        mac = state.view.links[carried.answers].mac.lower()
        state.packet = replace(state.packet, mac=None, mac_to=mac or None)
        return Frame(next_hop=carried.next_hop, mac=mac, tags=carried.tags)
    mac = state.view.links[carried.sender].mac.lower() if carried.sender is not None else ""
    state.packet = replace(state.packet, mac=mac or None, mac_to=carried.mac or None)
    return Frame(next_hop=carried.next_hop, mac=carried.mac, tags=carried.tags)


def _check_source(state: WalkState, ns: Namespace, link: Link, carried: Carried) -> None:
    """WireGuard takes a source from the peer alone that it is allowed for."""
    device = tunnels.wireguard(ns, link)
    if device is None:
        return
    if carried.to is not None:
        if tunnels.allowed_peer(device, carried.inner.src) is not None:
            return
        text = f"no peer of {link.name} is allowed {carried.inner.src} (allowed-ips)"
        state.stop("dropped", "tunnel", _by(ns, link, text))
    sender = tunnels.wireguard(state.view.namespaces[carried.tunnel.namespace], state.view.links[carried.tunnel])
    key = sender.key if sender is not None else ""
    peer = tunnels.allowed_peer(device, carried.inner.src)
    if peer is None or peer.key != key:
        known = any(item.key == key for item in device.peers)
        text = f"{link.name} of {state.view.label(ns.id)} doesn't know peer {key}"
        if known:
            text = f"{link.name} of {state.view.label(ns.id)} doesn't allow peer {key} the source {carried.inner.src}"
        state.stop("dropped", "tunnel", _by(ns, link, text))


def _need_up(state: WalkState, ns: Namespace, link: Link) -> None:
    if not link.up:
        stopped = topology.down(ns, link)
        if stopped is not None:
            state.stop("unreachable", "link", stopped)


def _by(ns: Namespace, link: Link, text: str) -> Decider:
    return Decider(kind="link", text=text, namespace=ns.id, value=link.kind, interface=link.name)
