"""The stages of what ipvlans of modes l3 and l3s send and receive: routed by the link below.  Pure.

Sources: drivers/net/ipvlan/ipvlan_core.c (ipvlan_xmit_mode_l3,
ipvlan_process_v4_outbound: a route by the link below, then its namespace's
OUTPUT and POSTROUTING), ipvlan_l3s.c (ipvlan_l3_rcv, ipvlan_nf_input: what is
received passes PREROUTING and INPUT of the link below).
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l2 import stacks, topology
from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.packet import Decider, replace
from dnet_tui.diagnostics.walk.stages.bridge_and_netdev_hooks import pass_device
from dnet_tui.diagnostics.walk.stages.edges import goes_out
from dnet_tui.diagnostics.walk.stages.hook_traversal import traverse_hook
from dnet_tui.diagnostics.walk.stages.routing_state import require_usable
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.diagnostics.walk.steps import Deliver, Leave, Next, Receive, RouteBelow
from dnet_tui.inspect.model import Link, Namespace


def route_below(state: WalkState, step: RouteBelow) -> Next:
    """To a sibling directly; else out of the link below, as if its own namespace sent it."""
    ns, link = step
    stopped = topology.down(ns, link)
    if stopped is not None:
        state.stop("unreachable", "link", stopped)
    lower = stacks.below(state.view, link)
    if lower is None:
        return goes_out(state, ns, link)
    found = stacks.owner(state.view, stacks.siblings(state.view, ns, link), state.packet.dst)
    if found is not None and stacks.flag(link) != "vepa":
        if stacks.flag(link) == "private":
            text = next(stacks.switches(link))
            state.stop("dropped", "link", Decider(kind="link", text=text, namespace=ns.id, interface=link.name))
        _need_up(state, *found)
        state.packet = replace(state.packet, mark=0)
        pass_device(state, *found, "ingress")
        return Receive(*found)
    return _as_of_below(state, *lower)


def _as_of_below(state: WalkState, home: Namespace, lower: Link) -> Next:
    """ip_local_out in the namespace of the link below, by a route that leads out of it."""
    state.packet = replace(state.packet, mark=0, mac="")
    state.enter(home, iif="")
    answer = routing.lookup(state.index(home), state.packet, out=lower)
    if answer.type == "none":
        # ip_route_output_key_hash_rcu: where no route fits the device, the destination is taken for near.
        answer = routing.RouteAnswer(type="unicast", ifindex=lower.ifindex, by=answer.by, devices=(lower.ifindex,))
    require_usable(state, answer)
    state.hop(home, lower.name, "routing", answer.by.text)
    loopback = state.index(home).loopback
    out = loopback if answer.type == "local" and loopback is not None else lower
    state.packet = replace(state.packet, oif=out.name)
    traverse_hook(state, home, "output")
    if answer.type != "local":
        return Leave(home, lower, answer, made_here=True)
    traverse_hook(state, home, "postrouting", next_hop=state.packet.dst)
    state.packet = replace(state.packet, iif=out.name, oif="")
    traverse_hook(state, home, "prerouting", looped=True)
    return Deliver(home, looped=True)


def l3s_owner(state: WalkState, ns: Namespace, link: Link) -> tuple[Namespace, Link] | None:
    """The ipvlan of mode l3s above a link that has the packet's destination: it is delivered there, by its sockets."""
    uppers = [item for item in stacks.sharers(state.view, stacks.ref_of(ns, link)) if stacks.mode(item[1]) == "l3s"]
    return stacks.owner(state.view, uppers, state.packet.dst) if uppers else None


def _need_up(state: WalkState, ns: Namespace, link: Link) -> None:
    stopped = topology.down(ns, link)
    if stopped is not None:
        state.stop("unreachable", "link", stopped)
