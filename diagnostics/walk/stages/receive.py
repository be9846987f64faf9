"""The stages of a packet that a namespace's IP layer receives, to its routing or its socket.  Pure.

Sources: net/ipv4/{ip_input,route}.c; ip6_input.c.
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l2 import topology
from dnet_tui.diagnostics.walk.l2.answering import speaks
from dnet_tui.diagnostics.walk.l2.frame import Frame
from dnet_tui.diagnostics.walk.l2.stacks import MACVLANS, ref_of
from dnet_tui.diagnostics.walk.l3.input_route import admit
from dnet_tui.diagnostics.walk.l3.listener import received
from dnet_tui.diagnostics.walk.l3.namespace_context import MAC_LENGTH
from dnet_tui.diagnostics.walk.match.values import is_multicast
from dnet_tui.diagnostics.walk.packet import Decider, replace
from dnet_tui.diagnostics.walk.stages import mtu
from dnet_tui.diagnostics.walk.stages.bridge_and_netdev_hooks import pass_device
from dnet_tui.diagnostics.walk.stages.hook_traversal import traverse_hook
from dnet_tui.diagnostics.walk.stages.ipvlan import l3s_owner
from dnet_tui.diagnostics.walk.stages.links import above
from dnet_tui.diagnostics.walk.stages.routing_state import choose_way, output_device, require_usable
from dnet_tui.diagnostics.walk.stages.xfrm import check_policies
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.diagnostics.walk.steps import (
    ArriveAt,
    ComeIn,
    Decapsulate,
    Deliver,
    Ending,
    Forward,
    Next,
    Receive,
    RouteReceived,
)
from dnet_tui.inspect.model import Link, LinkRef, Namespace


def come_in(state: WalkState, step: ComeIn) -> Next:
    """A packet from outside, by a link: for a link above it, where that one is meant."""
    ns, link, to = step
    mtu.came_in(state, ns, link)
    frame = Frame(next_hop=state.packet.dst, mac=_meant_for(state, ns, link, to))
    _unwrap(state, link, frame)
    pass_device(state, ns, link, "ingress")
    upper = None if state.carried or link.master is not None else above(state, ns, link, frame)
    if upper is None:
        return Receive(ns, link)
    stopped = topology.down(*upper)
    if stopped is not None:
        state.stop("unreachable", "link", stopped)
    return ArriveAt(LinkRef(namespace=upper[0].id, ifindex=upper[1].ifindex), frame)


def _unwrap(state: WalkState, link: Link, frame: Frame) -> None:
    """For whom the frame was that the packet came in, unless a bridge takes it; who sent it isn't known."""
    if not speaks(link) and len(link.mac) != MAC_LENGTH:
        state.packet = replace(state.packet, mac="")
    elif link.master is None:
        state.packet = replace(state.packet, mac_to=frame.mac or link.mac.lower() or None)


def _meant_for(state: WalkState, ns: Namespace, link: Link, to: LinkRef | None) -> str:
    """The MAC address that a frame from outside is sent to, where it is known to be another than the link's own."""
    if to is None or to.namespace == ns.id:
        return ""
    known = state.view.links.get(to)
    return known.mac.lower() if known is not None and known.kind in MACVLANS and known.peer == ref_of(ns, link) else ""


def receive(state: WalkState, step: Receive) -> Next:
    """PREROUTING: of a link in a VRF once more, as if the VRF's device had received it (vrf_l3_rcv)."""
    ns, link = step
    state.enter(ns, iif=link.name)
    traverse_hook(state, ns, "prerouting")
    vrf = state.index(ns).vrf_of(link.name) if link.master is not None else None
    if vrf is not None:
        state.packet = replace(state.packet, iif=vrf.name)
        traverse_hook(state, ns, "prerouting", looped=True)
        link = vrf
    return RouteReceived(ns, link)


def route_received(state: WalkState, step: RouteReceived) -> Next:
    """What follows PREROUTING."""
    ns, link = step
    owner = l3s_owner(state, ns, link)
    if owner is not None:
        return _deliver_above(state, ns, *owner)
    answer, stops = admit(state.index(ns), state.packet, link, lambda answer: choose_way(state, answer))
    if is_multicast(state.packet.dst):
        require_usable(state, answer)
    for stop in stops:
        state.obstacle(stop.end, stop.stage, stop.by)
    require_usable(state, answer)
    state.hop(ns, link.name, "routing", answer.by.text)
    if answer.type == "local":
        return Deliver(ns)
    return Forward(ns, output_device(state, ns, answer), answer)


def deliver(state: WalkState, step: Deliver) -> Next:
    """INPUT, and who takes the packet."""
    ns = step.ns
    traverse_hook(state, ns, "input", looped=step.looped)
    if not step.looped:
        check_policies(state, ns, "in", came_by=state.index(ns).link(state.packet.iif))
    state.track(ns)
    if state.ends_at_delivery:
        return Ending("delivered")
    if state.carried:
        return Decapsulate(ns)
    state.hop(ns, state.packet.iif, "local", "delivered")
    if state.known.is_answer or state.awaited is not None:
        state.reach(ns)
        return Ending("delivered")  # an answer is awaited
    end, by, state.receiver = received(ns, state.packet)
    if end == "refused" and ns.role == "load-balancer":
        text = f"{state.view.label(ns.id)} leads it on to a service by IPVS, which is not followed"
        state.stop("unknown", "local", Decider(kind="gap", text=text, namespace=ns.id))
    return Ending(end, by)


def _deliver_above(state: WalkState, ns: Namespace, space: Namespace, link: Link) -> Next:
    """INPUT of the link below, then the sockets of the ipvlan's namespace."""
    traverse_hook(state, ns, "input")
    state.track(ns)
    state.namespace = space.id
    state.packet = replace(state.packet, iif=link.name)
    state.hop(space, link.name, "local", "delivered")
    if state.known.is_answer or state.awaited is not None:
        state.reach(space)
        return Ending("delivered")
    end, by, state.receiver = received(space, state.packet)
    return Ending(end, by)
