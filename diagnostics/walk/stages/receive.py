"""The stages of a packet that a namespace's IP layer receives, to its routing or its socket.  Pure.

Sources: net/ipv4/{ip_input,route}.c; ip6_input.c.
"""

from __future__ import annotations

import ipaddress

from dnet_tui.diagnostics.walk.l3.input_route import admit
from dnet_tui.diagnostics.walk.l3.listener import received
from dnet_tui.diagnostics.walk.stages import mtu
from dnet_tui.diagnostics.walk.stages.bridge_and_netdev_hooks import pass_device
from dnet_tui.diagnostics.walk.stages.hook_traversal import traverse_hook
from dnet_tui.diagnostics.walk.stages.routing_state import choose_way, output_device, require_usable
from dnet_tui.diagnostics.walk.stages.xfrm import check_policies
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.diagnostics.walk.steps import ComeIn, Deliver, Ending, Forward, Next, Receive, RouteReceived


def come_in(state: WalkState, step: ComeIn) -> Next:
    """A packet from outside, by a link."""
    ns, link = step
    mtu.came_in(state, ns, link)
    pass_device(state, ns, link, "ingress")
    return Receive(ns, link)


def receive(state: WalkState, step: Receive) -> Next:
    """PREROUTING."""
    ns, link = step
    state.enter(ns, iif=link.name)
    traverse_hook(state, ns, "prerouting")
    return RouteReceived(ns, link)


def route_received(state: WalkState, step: RouteReceived) -> Next:
    """What follows PREROUTING."""
    ns, link = step
    answer, stops = admit(state.index(ns), state.packet, link, lambda answer: choose_way(state, answer))
    if ipaddress.ip_address(state.packet.dst).is_multicast:
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
    state.hop(ns, state.packet.iif, "local", "delivered")
    if state.answers or state.awaited is not None:
        state.reach(ns)
        return Ending("delivered")  # an answer is awaited
    end, by, state.receiver = received(ns, state.packet)
    return Ending(end, by)
