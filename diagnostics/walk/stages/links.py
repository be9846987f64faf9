"""The stages of a frame on links: a device sends it, and what it arrives at takes it.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l2 import stacks, topology, tunnels
from dnet_tui.diagnostics.walk.l2.answering import speaks
from dnet_tui.diagnostics.walk.l2.frame import Frame
from dnet_tui.diagnostics.walk.packet import Decider, replace
from dnet_tui.diagnostics.walk.stages import mtu
from dnet_tui.diagnostics.walk.stages.arp_ndp import Party, own_discovery_stop
from dnet_tui.diagnostics.walk.stages.bridge_and_netdev_hooks import pass_device
from dnet_tui.diagnostics.walk.stages.edges import discarded, goes_out, leaves, left, program_text, to_program
from dnet_tui.diagnostics.walk.stages.frames import frame_to, nobody_takes
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.diagnostics.walk.steps import (
    ArriveAt,
    BridgeReceive,
    BridgeSend,
    BridgeSendFrame,
    Encapsulate,
    Next,
    Receive,
    RouteBelow,
    SendFrame,
    TakeFrame,
    Transmit,
)
from dnet_tui.inspect.model import Link, LinkRef, Namespace, require
from dnet_tui.inspect.model.coverage.sections import lacks_of
from dnet_tui.inspect.model.view import View

_POINT_TO_POINT = frozenset({"tun", "wireguard", "ipip", "sit", "gre", "ip6tnl", "ip6gre", "vti", "vti6", "xfrm"})
"""Kinds that carry IP packets without frames, so that nobody is asked for."""


def transmit(state: WalkState, step: Transmit) -> Next:
    """Out of a device: as a packet where it needs no neighbours, else as a frame to the next hop."""
    ns, out, next_hop = step
    _head(state, ns, out, next_hop)
    pass_device(state, ns, out, "egress")
    if out.kind == "bridge":
        return BridgeSend(ns, out, next_hop)
    if tunnels.is_tunnel(out) and out.kind not in tunnels.FRAMES:
        return Encapsulate(ns, out)
    if stacks.routes_below(out):
        return RouteBelow(ns, out)
    if out.kind in _POINT_TO_POINT or discarded(out):
        return to_program(state, ns, out)
    straight = leaves(ns, out) is not None
    if state.outside and ns.kind == "host" and not tunnels.is_tunnel(out) and not _leads_to_container(state.view, out):
        straight = True
    if straight:
        state.sender = ns, out
        _ask_for(state, ns, out, next_hop)
        entry = topology.remembered(state.index(ns), out, next_hop) if _has_above(state, ns, out) else None
        mac, known = (entry.mac.lower(), entry.state) if entry is not None else ("", "")
        return goes_out(state, ns, out, Frame(next_hop=next_hop, mac=mac, state=known))
    return SendFrame(ns, out, frame_to(state, ns, out, next_hop))


def _head(state: WalkState, ns: Namespace, out: Link, next_hop: str) -> None:
    """Give the packet its frame's header, where a rule of the device may ask for it; nobody has been asked yet."""
    if "netdev" in state.index(ns).rules.families:
        entry = topology.remembered(state.index(ns), out, next_hop)
        mac = out.mac.lower() or (None if speaks(out) else "")
        state.packet = replace(state.packet, mac=mac, mac_to=entry.mac.lower() if entry is not None else None)


def _ask_for(state: WalkState, ns: Namespace, out: Link, next_hop: str) -> None:
    """Stop where the sender's own side keeps it from learning the MAC address of somebody who is out of sight."""
    if speaks(out) and topology.remembered(state.index(ns), out, next_hop) is None:
        why = own_discovery_stop(state, Party(ns, out), next_hop)
        if why is not None:
            state.stop(why[0], "neighbour", why[1])


def _has_above(state: WalkState, ns: Namespace, link: Link) -> bool:
    """Whether links are known to lie on another."""
    return bool(state.view.known_above(stacks.ref_of(ns, link)))


def _leads_to_container(view: View, link: Link) -> bool:
    if link.peer is None or view.containers_in(link.peer.namespace):
        return link.peer is not None
    containers = view.snapshot.containers
    if any(not lack.scope for lack in lacks_of(containers)):
        require(containers)  # it may be one of those that no engine named
    return False


def send_frame(state: WalkState, step: SendFrame) -> Next:
    """A device sends a frame; its own hooks it has passed."""
    ns, link, frame = step
    state.cross()
    stopped = topology.down(ns, link)
    if stopped is not None:
        state.stop("unreachable", "link", stopped)
    if link.kind == "bridge":
        return BridgeSendFrame(ns, link, frame)
    if link.kind == "veth" and link.peer is not None:
        return _to_peer(state, step)
    if link.kind in stacks.SHARING:
        return _send_shared(state, step)
    if link.kind == "vlan":
        return _send_down(state, ns, link, step._replace(frame=frame.tagged(*frame.tags, stacks.vid_of(link))))
    if link.kind in stacks.BONDS:
        return _send_by_slave(state, step)
    if link.kind in tunnels.FRAMES:
        return Encapsulate(ns, link, frame)
    if link.kind == "tun" or discarded(link):
        return to_program(state, ns, link)
    return goes_out(state, ns, link, frame)


def _to_peer(state: WalkState, step: SendFrame) -> Next:
    ns, link, frame = step
    far = state.view.links.get(link.peer) if link.peer is not None else None
    if link.peer is None or far is None:
        return goes_out(state, ns, link, frame)
    stopped = topology.down(state.view.namespaces[link.peer.namespace], far)
    if stopped is not None:
        state.stop("unreachable", "link", stopped)
    _scrub(state, ns, link.peer.namespace)
    return ArriveAt(link.peer, frame)


def _scrub(state: WalkState, ns: Namespace, namespace: str) -> None:
    """skb_scrub_packet: what goes to another namespace loses its mark."""
    if namespace != ns.id:
        state.packet = replace(state.packet, mark=0)


def _send_shared(state: WalkState, step: SendFrame) -> Next:
    """macvlan_queue_xmit and ipvlan_xmit_mode_l2: to a sibling by way of the link below, or out by that."""
    ns, link, frame = step
    lower = stacks.below(state.view, link)
    if lower is None:
        return goes_out(state, ns, link, frame)
    switched = not list(stacks.switches(link))
    if link.kind in stacks.MACVLANS:
        for _, other in stacks.siblings(state.view, ns, link) if switched and frame.mac else ():
            if stacks.mode(other) == "bridge" and other.mac.lower() == frame.mac:
                # It is received by the link below first (dev_forward_skb).
                _scrub(state, ns, lower[0].id)
                return ArriveAt(stacks.ref_of(*lower), frame)
        return _send_down(state, ns, link, step)
    if frame.mac and frame.mac == link.mac.lower() and stacks.flag(link) != "vepa":
        found = stacks.owner(state.view, stacks.siblings(state.view, ns, link), state.packet.dst)
        if found is not None and not switched:
            by = Decider(kind="link", text=next(stacks.switches(link)), namespace=ns.id, interface=link.name)
            state.stop("dropped", "link", by)
        _scrub(state, ns, found[0].id if found is not None else lower[0].id)
        return ArriveAt(stacks.ref_of(*(found or lower)), frame)
    return _send_down(state, ns, link, step)


def _send_down(state: WalkState, ns: Namespace, link: Link, step: SendFrame) -> Next:
    lower = stacks.below(state.view, link)
    if lower is None:
        return goes_out(state, ns, link, step.frame)
    pass_device(state, *lower, "egress")
    return SendFrame(*lower, step.frame)


def _send_by_slave(state: WalkState, step: SendFrame) -> Next:
    ns, bond, frame = step
    slaves = stacks.slaves(state.view, ns, bond)
    if not slaves:
        state.stop("unreachable", "link", stacks.no_slave(ns, bond))
    chosen = state.choose(len(slaves)) if len(slaves) > 1 else 0
    if chosen is None:
        names = " or ".join(slave.name for slave in slaves)
        by = Decider(kind="link", text=f"{bond.name} sends it by {names}", namespace=ns.id, interface=bond.name)
        state.stop("unknown", "link", by)
    pass_device(state, ns, slaves[chosen], "egress")
    return SendFrame(ns, slaves[chosen], frame)


def arrive(state: WalkState, step: ArriveAt) -> Next:
    """A frame arrives at a link: a bridge's port, one that others lie on, or a device of its own."""
    view, frame = state.view, step.frame
    state.cross()
    ns, link = view.namespaces[step.ref.namespace], view.links[step.ref]
    mtu.received(state, ns, link)
    pass_device(state, ns, link, "ingress")
    return TakeFrame(ns, link, frame)


def take_frame(state: WalkState, step: TakeFrame) -> Next:
    """Who takes what a link received: a VLAN's device, a bridge or bond, a link above it, or its own IP layer."""
    ns, link, frame = step
    view = state.view
    upper = above(state, ns, link, frame)
    if upper is not None:
        stopped = topology.down(*upper)
        if stopped is not None:
            state.stop("unreachable", "link", stopped)
        rest = frame.tags[:-1] if upper[1].kind == "vlan" else frame.tags
        return ArriveAt(stacks.ref_of(*upper), frame.tagged(*rest))
    master = view.links.get(LinkRef(namespace=ns.id, ifindex=link.master)) if link.master else None
    if master is not None and master.kind == "bridge":
        return BridgeReceive(ns, master, link, frame)
    if master is not None and master.kind in stacks.BONDS:
        if stacks.is_idle_slave(master, link):
            text = f"{master.name} takes nothing that comes in by {link.name}, which isn't its active slave"
            state.stop("dropped", "link", Decider(kind="link", text=text, namespace=ns.id, interface=link.name))
        return ArriveAt(stacks.ref_of(ns, master), frame)
    if frame.tags:
        text = f"nothing takes frames of VLAN {frame.tags[-1]} that arrive at {link.name}"
        state.stop("unreachable", "link", Decider(kind="link", text=text, namespace=ns.id, interface=link.name))
    if not _is_own(state, step):
        nobody_takes(state, ns, "link", frame, link)
    if link.kind in stacks.TAPS and not any(item.ifindex == link.ifindex for item in ns.addresses):
        return left(state, ns, link, note=f"to {program_text(state, ns, link)}")
    return Receive(ns, link)


def _is_own(state: WalkState, step: TakeFrame) -> bool:
    """Whether a link's IP layer takes a frame; an ipvlan is given what is for its address."""
    ns, link, frame = step
    if link.kind in stacks.IPVLANS:
        return stacks.owner(state.view, ((ns, link),), state.packet.dst) is not None or frame.mac == link.mac.lower()
    return frame.is_for(state.index(ns), link)


def above(state: WalkState, ns: Namespace, link: Link, frame: Frame) -> tuple[Namespace, Link] | None:
    """The link above another that takes a frame in its place."""
    view, ref = state.view, stacks.ref_of(ns, link)
    if frame.tags:
        return stacks.vlan_above(view, ref, frame.tags[-1])
    uppers = stacks.sharers(view, ref)
    if not uppers or (link.master is not None and link.kind != "bridge"):
        return None
    if uppers[0][1].kind in stacks.IPVLANS:
        found = stacks.owner(view, uppers, state.packet.dst)
        return found if found is not None and stacks.mode(found[1]) != "l3s" else None
    through = [item for item in uppers if stacks.mode(item[1]) == "passthru"]
    if through:
        return through[0]
    if not frame.mac and frame.is_for(state.index(ns), link):
        return None  # the link below answers for all addresses here, and sooner than those above it
    # One that is down answers no question.
    answering = (item for item in uppers if frame.mac or item[1].up)
    return next((item for item in answering if frame.is_for(state.index(item[0]), item[1])), None)
