"""The stages of a frame on a bridge: from a port or from the host, up, or out of a port.  Pure.

Sources: net/bridge/br_input.c, br_forward.c and br_netfilter_hooks.c.
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l2 import neighbours, stacks, topology, vlan_ports
from dnet_tui.diagnostics.walk.l2.frame import Frame
from dnet_tui.diagnostics.walk.l2.stations import is_own
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.l3.input_route import admit
from dnet_tui.diagnostics.walk.packet import Decider, replace
from dnet_tui.diagnostics.walk.stages import mtu
from dnet_tui.diagnostics.walk.stages.bridge_and_netdev_hooks import pass_bridge, pass_device
from dnet_tui.diagnostics.walk.stages.edges import left
from dnet_tui.diagnostics.walk.stages.frames import frame_to, port_to, stop_if_astray
from dnet_tui.diagnostics.walk.stages.hook_traversal import traverse_hook
from dnet_tui.diagnostics.walk.stages.links import above
from dnet_tui.diagnostics.walk.stages.routing_state import choose_way
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.diagnostics.walk.steps import (
    BridgeCallIptables,
    BridgePassOn,
    BridgeReceive,
    BridgeSend,
    BridgeSendFrame,
    LeavePort,
    Next,
    RouteReceived,
    SendFrame,
    TakeFrame,
)
from dnet_tui.inspect.model import Link, Namespace


def bridge_receive(state: WalkState, step: BridgeReceive) -> Next:
    """A frame comes in by a port."""
    ns, bridge, port, frame = step
    state.check(ns, "bridge", topology.port_stop(ns, port))
    state.check(ns, "bridge", topology.down(ns, bridge))
    frame = _into(state, ns, bridge, port, frame)
    state.stations.teach(state.index(ns), bridge, port, state.packet.mac or "", frame.vlan)
    if not frame.mac and not topology.is_for_bridge(state.view, ns, bridge, frame):
        port_to(state, ns, bridge, frame, came_by=port)  # where nobody answers there is no frame
    called = not step.frame.tags and topology.calls_iptables(ns, bridge, state.packet.family)
    pass_bridge(state, ns, "prerouting", port.name, "", part="first" if called else "all")
    up = topology.is_for_bridge(state.view, ns, bridge, frame)
    if up:
        state.doubt(neighbours.contradicted(state.view, ns, bridge, frame, bridge))
    if called:
        return BridgeCallIptables(ns, bridge, port, frame, up)
    if not up:
        return BridgePassOn(ns, bridge, port, frame, called=False)
    frame = _hand_up(state, ns, bridge, port, frame)
    return TakeFrame(ns, bridge, frame)


def bridge_call_iptables(state: WalkState, step: BridgeCallIptables) -> Next:
    """br_netfilter: the frame passes PREROUTING at its port, with the bridge as interface."""
    ns, bridge, port, frame, up = step
    state.enter(ns, iif=bridge.name, physin=port.name)
    dst = state.packet.dst
    traverse_hook(state, ns, "prerouting")
    state.packet = replace(
        state.packet, taken_by=""
    )  # a transparent proxy's socket is lost on the way up (ip_rcv_core)
    pass_bridge(state, ns, "prerouting", port.name, "", part="rest")
    if state.packet.dst != dst and _stays(state, ns, bridge):
        # Redirected to somebody on the same bridge: the frame is bridged there, not routed.
        answer = routing.lookup(state.index(ns), state.packet)
        frame = frame_to(state, ns, bridge, answer.gateway or state.packet.dst)
        state.packet = replace(state.packet, mac=None)  # the frame gets a header made anew, or keeps its sender
        entry = state.stations.port(state.index(ns), bridge, frame.mac, frame.vlan) if frame.mac else None
        if up and entry is not None and is_own(entry):
            mtu.join(state, ns)  # the bridge takes that MAC address for its own: up it goes, and is routed there
            return RouteReceived(ns, bridge)
        copied = up and stacks.is_promiscuous(state.view, ns, bridge)
        return BridgePassOn(ns, bridge, port, frame, called=True, copied=copied)
    if state.packet.dst == dst and not up:
        return BridgePassOn(ns, bridge, port, frame, called=True)
    if state.packet.dst != dst:  # what was translated gets the bridge's MAC address (br_nf_pre_routing_finish)
        state.packet = replace(state.packet, mac_to=bridge.mac.lower() or None)
        if _is_lost_on_the_way(state, ns, bridge):
            mtu.join(state, ns)
            return RouteReceived(ns, bridge)
    frame = _hand_up(state, ns, bridge, port, frame)
    if state.packet.dst == dst and above(state, ns, bridge, frame) is not None:
        return TakeFrame(ns, bridge, frame)
    mtu.join(state, ns)
    return RouteReceived(ns, bridge)


def _into(state: WalkState, ns: Namespace, bridge: Link, port: Link, frame: Frame) -> Frame:
    """The frame inside the bridge, in the VLAN that the port (or the bridge, of what its host sends) puts it into."""
    if vlan_ports.filters(bridge) and not vlan_ports.is_seen(bridge, state.view.ports_of(ns.id, bridge.ifindex)):
        text = f"{bridge.name} filters VLANs, and which its ports carry was not read"
        by = Decider(kind="link", text=text, namespace=ns.id, value="vlan_filtering 1", interface=bridge.name)
        state.stop("unknown", "bridge", by)
    vlan = vlan_ports.vlan_in(bridge, port, frame.tags)
    if vlan is None:
        state.stop("dropped", "bridge", vlan_ports.not_let_in(ns, bridge, port, frame.tags))
    return frame.tagged(*vlan_ports.tags_inside(bridge, frame.tags), vlan=vlan)


def _hand_up(state: WalkState, ns: Namespace, bridge: Link, port: Link, frame: Frame) -> Frame:
    """The bridge gives a frame to its host's IP layer, or to a link above it; returns it as it is there."""
    if not vlan_ports.is_member(bridge, bridge, frame.vlan):
        state.stop("unreachable", "bridge", vlan_ports.not_let_out(ns, bridge, bridge, frame.vlan))
    frame = frame.tagged(*vlan_ports.tags_out(bridge, bridge, frame.vlan, frame.tags))
    pass_bridge(state, ns, "input", port.name, "")
    pass_device(state, ns, bridge, "ingress")
    state.hop(ns, bridge.name, "bridge", "up to the host", note=f"received on port {port.name}")
    return frame


def _stays(state: WalkState, ns: Namespace, bridge: Link) -> bool:
    """Whether a frame that DNAT rewrote leaves by its own bridge again (br_nf_pre_routing_finish).

    IPv6 asks only later whether it may forward (ip6_forward), so there that doesn't matter here.
    """
    answer, stops = admit(state.index(ns), state.packet, bridge, lambda answer: choose_way(state, answer))
    if state.packet.family == "ip6":
        stops = tuple(stop for stop in stops if stop.stage != "forwarding")
    return not stops and answer.type == "unicast" and answer.ifindex == bridge.ifindex


def _is_lost_on_the_way(state: WalkState, ns: Namespace, bridge: Link) -> bool:
    """Whether a frame that DNAT rewrote isn't routed: it is thrown away before the bridge hands it up.

    By the validation of its source and a martian destination (ip_route_input), in IPv6 by any route that is none.
    """
    answer, stops = admit(state.index(ns), state.packet, bridge, lambda answer: choose_way(state, answer))
    if state.packet.family == "ip6":
        return answer.type not in {"unicast", "local", "unknown"}
    return any(stop.stage != "forwarding" and stop.end == "dropped" for stop in stops)


def bridge_pass_on(state: WalkState, step: BridgePassOn) -> Next:
    """From one port to another."""
    ns, bridge, came_by, frame, called, copied = step
    port = port_to(state, ns, bridge, frame, came_by=came_by)
    if port is None:
        return left(state, ns, bridge)
    stops = topology.delivery_stop(ns, came_by, port), topology.port_stop(ns, port)
    if copied:
        state.doubt(_routes_its_copy(ns, bridge), "bridge")
    for stop in stops:
        state.check(ns, "bridge", stop)
    # What leaves with a tag isn't IP to br_netfilter, and it looks on only at what it saw come in.
    called = called and not vlan_ports.tags_out(bridge, port, frame.vlan, frame.tags)
    pass_bridge(state, ns, "forward", came_by.name, port.name, part="first" if called else "all")
    if called:
        state.packet = replace(state.packet, oif=bridge.name, physout=port.name)
        traverse_hook(state, ns, "forward")
        pass_bridge(state, ns, "forward", came_by.name, port.name, part="rest")
    pass_bridge(state, ns, "postrouting", "", port.name)
    if called:
        traverse_hook(state, ns, "postrouting", next_hop=frame.next_hop)
        state.track(ns)
    return LeavePort(ns, bridge, port, frame, called=called)


def _routes_its_copy(ns: Namespace, bridge: Link) -> Decider:
    """What was redirected came for the host, and a promiscuous bridge hands up a copy (br_handle_frame_finish).

    The host routes that, since Linux 6.8 without its connection (br_nf_local_in).
    """
    text = f"{bridge.name} is promiscuous: its host gets a copy of what was redirected, and may route it"
    return Decider(kind="link", text=text, namespace=ns.id, value="PROMISC", interface=bridge.name)


def bridge_send(state: WalkState, step: BridgeSend) -> Next:
    """A packet of this host's IP layer."""
    ns, bridge, next_hop = step
    state.check(ns, "bridge", topology.down(ns, bridge))
    return BridgeSendFrame(ns, bridge, frame_to(state, ns, bridge, next_hop))


def bridge_send_frame(state: WalkState, step: BridgeSendFrame) -> Next:
    """A frame of its host: its own, or of a link above it."""
    ns, bridge, frame = step
    frame = _into(state, ns, bridge, bridge, frame)
    port = port_to(state, ns, bridge, frame)
    if port is None:
        return left(state, ns, bridge)
    state.check(ns, "bridge", topology.port_stop(ns, port))
    pass_bridge(state, ns, "output", "", port.name)
    pass_bridge(state, ns, "postrouting", "", port.name)
    return LeavePort(ns, bridge, port, frame)


def leave_port(state: WalkState, step: LeavePort) -> Next:
    """Out of a port, to what is at its other end."""
    ns, bridge, port, frame, called = step
    mtu.out_of_port(state, ns, bridge, port, called=called, kernel=state.view.snapshot.host.kernel)
    pass_device(state, ns, port, "egress")
    stop_if_astray(state, ns, bridge, port, frame)
    state.hop(ns, bridge.name, "bridge", f"out of port {port.name}")
    return SendFrame(ns, port, frame.tagged(*vlan_ports.tags_out(bridge, port, frame.vlan, frame.tags)))
