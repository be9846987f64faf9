"""The stages of a packet that leaves a namespace's IP layer: made there, or forwarded.  Pure.

Sources: net/ipv4/ip_output.c and route.c; ip6_output.c.
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l2 import topology
from dnet_tui.diagnostics.walk.l3.addresses import unusable_source
from dnet_tui.diagnostics.walk.l3.foreign_source import foreign_source
from dnet_tui.diagnostics.walk.l3.routing import switched_on
from dnet_tui.diagnostics.walk.packet import replace
from dnet_tui.diagnostics.walk.stages import hop_limit, mtu
from dnet_tui.diagnostics.walk.stages.bridge_and_netdev_hooks import pass_device
from dnet_tui.diagnostics.walk.stages.hook_traversal import traverse_hook
from dnet_tui.diagnostics.walk.stages.routing_state import output_device, output_route
from dnet_tui.diagnostics.walk.stages.xfrm import check_policies
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.diagnostics.walk.steps import Deliver, Forward, Leave, Next, Send, Transmit
from dnet_tui.inspect.model import Link, Namespace


def send(state: WalkState, step: Send) -> Next:
    """A packet made here: routing, OUTPUT, and by the loopback where it is for oneself."""
    ns = step.ns
    state.made_in = ns.id
    as_another = state.packet.taken_by  # a transparent proxy answers for whom the packet was meant
    state.packet = replace(state.packet, mac="")
    state.enter(ns, iif="")
    for end, by in () if as_another else unusable_source(state.index(ns), state.packet.src):
        state.obstacle(end, "routing", by)
    foreign = None if as_another or state.awaited is None else foreign_source(state.index(ns), state.packet)
    if foreign is not None:
        state.obstacle(*foreign)
    answers = [output_route(state, ns)]
    out = output_device(state, ns, answers[0])
    state.packet = replace(state.packet, oif=out.name)
    hop_limit.set_by_sender(state, ns, out, answers[0])
    mtu.made(state, ns, out, answers[0])
    check_policies(state, ns, "out", out=out, made_here=True)
    port = state.packet.dport

    def rerouted() -> None:
        """OUTPUT changed the destination or the mark: route and policy are looked up anew (ip_route_me_harder)."""
        answers.append(output_route(state, ns))
        check_policies(state, ns, "out", out=output_device(state, ns, answers[-1]))

    traverse_hook(state, ns, "output", rerouted=rerouted)
    answer = answers[-1]
    out = output_device(state, ns, answer)
    if len(answers) == 1 and state.packet.dport != port:
        check_policies(state, ns, "out", out=out)  # asked anew for a new port (nf_xfrm_me_harder)
    state.packet = replace(state.packet, oif=out.name)
    if answer.type != "local":
        return Leave(ns, out, answer, made_here=True)
    traverse_hook(state, ns, "postrouting", next_hop=state.packet.dst)
    mtu.sent(state, ns, out, answer, made_here=True)
    _through_loopback(state, ns, out)
    state.packet = replace(state.packet, iif=out.name, oif="")
    traverse_hook(state, ns, "prerouting", looped=True)
    return Deliver(ns, looped=True)


def _through_loopback(state: WalkState, ns: Namespace, out: Link) -> None:
    """What is for oneself is sent by the loopback, to one's other addresses too: while that is down it is lost."""
    pass_device(state, ns, out, "egress")
    stopped = topology.down(ns, out)
    if stopped is not None:
        state.stop("unreachable", "link", stopped)
    pass_device(state, ns, out, "ingress")


def forward(state: WalkState, step: Forward) -> Next:
    """A packet that is routed on."""
    ns, out, answer = step
    state.packet = replace(state.packet, oif=out.name)
    hop_limit.lower(state, ns)
    mtu.forwarded(state, ns, out, answer)
    check_policies(state, ns, "fwd", came_by=state.index(ns).link(state.packet.iif), out=out)
    check_policies(state, ns, "out", out=out)
    if state.packet.iif == out.name and state.index(ns).rules.marks_what_is_sent and _may_redirect(state, ns, out):
        state.packet = replace(state.packet, ctmark=None)
    traverse_hook(state, ns, "forward")
    return Leave(ns, out, answer)


def _may_redirect(state: WalkState, ns: Namespace, link: Link) -> bool:
    """Whether who sent the packet is told of a shorter way: that ICMP message has the packet's connection.

    Rules of OUTPUT may mark it, before the packet itself comes to FORWARD (ip_forward, ip6_forward).
    """
    return state.packet.family == "ip6" or switched_on(ns, link.name, "send_redirects")


def leave(state: WalkState, step: Leave) -> Next:
    """The last hook, then the device."""
    ns, out, answer, made_here = step
    next_hop = answer.gateway or state.packet.dst
    source = state.packet.src, state.packet.sport
    traverse_hook(state, ns, "postrouting", next_hop=next_hop)
    if (state.packet.src, state.packet.sport) != source:
        check_policies(state, ns, "out", out=out)  # asked anew for a new source
    state.track(ns)
    mtu.sent(state, ns, out, answer, made_here=made_here)
    return Transmit(ns, out, next_hop)
