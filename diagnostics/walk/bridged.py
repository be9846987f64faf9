"""What the host's rules do to a packet that crosses one of its bridges, whoever sent it.  Pure.

For guests whose own namespaces can't be seen (virtual machines behind taps):
who gets the frame is left open, only the hooks between two ports are asked.

Sources: net/bridge/br_netfilter_hooks.c, br_forward.c.
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l2 import topology
from dnet_tui.diagnostics.walk.netfilter.budget import Budget
from dnet_tui.diagnostics.walk.packet import Learned, Obstacle, Packet, replace
from dnet_tui.diagnostics.walk.stages.bridge_and_netdev_hooks import pass_bridge
from dnet_tui.diagnostics.walk.stages.hook_traversal import traverse_hook
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.inspect.model import Link, Namespace
from dnet_tui.inspect.model.view import View


def cross_bridge(
    view: View, ns: Namespace, bridge: Link, came_by: Link, goes_by: Link, packet: Packet
) -> tuple[Obstacle, ...]:
    """All that stands in the way of a packet between two ports of a bridge, in the order met; empty: it passes."""
    state = WalkState(
        view,
        packet,
        outside=False,
        beyond=True,
        answers=(),
        choices=None,
        budget=Budget(),
        awaited=None,
        learned=Learned(),
        fresh=True,
    )
    called = topology.calls_iptables(ns, bridge, packet.family)
    pass_bridge(state, ns, "prerouting", came_by.name, "", part="first" if called else "all")
    if called:
        state.enter(ns, iif=bridge.name, physin=came_by.name)
        traverse_hook(state, ns, "prerouting")
        pass_bridge(state, ns, "prerouting", came_by.name, "", part="rest")
    pass_bridge(state, ns, "forward", came_by.name, goes_by.name, part="first" if called else "all")
    if called:
        state.packet = replace(state.packet, oif=bridge.name, physout=goes_by.name)
        traverse_hook(state, ns, "forward")
        pass_bridge(state, ns, "forward", came_by.name, goes_by.name, part="rest")
    return tuple(state.obstacles)
