"""The stages of a packet on a link: a device sends it, and what it arrives at takes it.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l2 import topology
from dnet_tui.diagnostics.walk.stages import mtu
from dnet_tui.diagnostics.walk.stages.bridge_and_netdev_hooks import pass_device
from dnet_tui.diagnostics.walk.stages.frames import crossed, frame_to, left, nobody_takes
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.diagnostics.walk.steps import ArriveAt, BridgeReceive, BridgeSend, Next, Receive, Transmit
from dnet_tui.inspect.model import Link, LinkRef, require
from dnet_tui.inspect.model.coverage.sections import lacks_of
from dnet_tui.inspect.model.view import View


def transmit(state: WalkState, step: Transmit) -> Next:
    """Out of a device: to a bridge's ports, to a veth's other end, or out of sight."""
    ns, out, next_hop = step
    pass_device(state, ns, out, "egress")
    if out.kind == "bridge":
        return BridgeSend(ns, out, next_hop)
    if state.outside and ns.kind == "host" and not _leads_to_container(state.view, out):
        stopped = topology.down(ns, out)
        if stopped is not None:
            state.stop("unreachable", "link", stopped)
        return left(state, ns, out)
    arrival = topology.cross(state.view, ns, out)
    if arrival.kind == "left":
        state.doubt(topology.stacked_owner(state.view, ns, out, next_hop), "link")
        return left(state, ns, out)
    ref = crossed(state, arrival, ns, out)
    return ArriveAt(ref, frame_to(state, ns, out, next_hop))


def _leads_to_container(view: View, link: Link) -> bool:
    if link.peer is None or view.containers_in(link.peer.namespace):
        return link.peer is not None
    containers = view.snapshot.containers
    if any(not lack.scope for lack in lacks_of(containers)):
        require(containers)  # it may be one of those that no engine named
    return False


def arrive(state: WalkState, step: ArriveAt) -> Next:
    """A frame arrives at a link: a bridge's port, or a device of its own."""
    view, frame = state.view, step.frame
    ns, link = view.namespaces[step.ref.namespace], view.links[step.ref]
    mtu.received(state, ns, link)
    pass_device(state, ns, link, "ingress")
    bridge = view.links.get(LinkRef(namespace=ns.id, ifindex=link.master)) if link.master else None
    if bridge is not None and bridge.kind == "bridge":
        return BridgeReceive(ns, bridge, link, frame)
    if not frame.is_for(state.index(ns), link):
        nobody_takes(state, ns, "link", frame, link)
    return Receive(ns, link)
