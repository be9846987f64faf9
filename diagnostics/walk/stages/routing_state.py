"""The routes of a walked packet: which one it takes, whether that is of use, and by which device it leaves.  Pure.

Source: ``__mkroute_output`` and ``ip_route_output_key_hash_rcu`` (net/ipv4/route.c).
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.l3.routing import RouteAnswer
from dnet_tui.diagnostics.walk.match.values import is_loopback, is_multicast
from dnet_tui.diagnostics.walk.packet import Decider, End, Hedge, replace
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.inspect.model import Link, LinkRef, Namespace

_ROUTE_ENDS: dict[str, End] = {"unknown": "unknown", "blackhole": "dropped"}


def output_route(state: WalkState, ns: Namespace) -> RouteAnswer:
    """The route of a packet made in a namespace."""
    answer = choose_way(state, routing.lookup(state.index(ns), replace(state.packet, iif=""), vrf=state.vrf))
    require_usable(state, answer)
    if answer.type == "unicast" and is_loopback(state.packet.src):
        out = output_device(state, ns, answer)
        # __mkroute_output: a loopback address stays on the loopback, unless route_localnet lets it out.
        if not routing.switched_on(ns, out.name, "route_localnet"):
            key = f"net.ipv4.conf.{routing.sysctl_name(out.name)}.route_localnet"
            state.stop("dropped", "routing", Decider(kind="sysctl", text=key, value="0", namespace=ns.id))
    state.hop(ns, state.packet.iif, "routing", answer.by.text)
    return answer


def choose_way(state: WalkState, answer: RouteAnswer) -> RouteAnswer:
    """One of a multipath route's ways: by its hash a flow may get any (fib_select_multipath)."""
    if answer.provided:
        state.hedges.append(Hedge(text=answer.provided, namespace=state.namespace))
    chosen = state.choose(len(answer.ways)) if answer.ways else None
    return answer if chosen is None else answer.ways[chosen]


def require_usable(state: WalkState, answer: RouteAnswer) -> None:
    """Stop where a route leads nowhere, or nobody can tell where."""
    if is_multicast(state.packet.dst):
        # Whoever has joined the group gets it, and routes say only by which device it leaves.
        text = f"{state.packet.dst} is a group's address, and multicast is not followed"
        by = Decider(kind="route", text=text, namespace=state.namespace, value=state.packet.dst)
        state.stop("unknown", "routing", by)
    if answer.type in {"broadcast", "multicast", "anycast"}:
        state.stop("unknown", "routing", answer.by)
    if answer.type not in {"unicast", "local"}:
        state.stop(_ROUTE_ENDS.get(answer.type, "no-route"), "routing", answer.by)


def output_device(state: WalkState, ns: Namespace, answer: RouteAnswer) -> Link:
    """The device of a route: for oneself the loopback, whatever device the local route names."""
    if answer.type == "local":
        link = state.index(ns).loopback
    else:
        link = state.view.links.get(LinkRef(namespace=ns.id, ifindex=answer.ifindex or 0))
    if link is None:
        state.stop("unknown", "routing", answer.by)
    return link
