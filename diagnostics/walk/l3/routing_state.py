"""The routes of a walked packet: which one it takes, whether that is of use, and by which device it leaves.  Pure.

Source: ``__mkroute_output`` and ``ip_route_output_key_hash_rcu`` (net/ipv4/route.c).
"""

from __future__ import annotations

import ipaddress

from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.netfilter.nat import altered
from dnet_tui.diagnostics.walk.packet import Decider, End, Packet
from dnet_tui.diagnostics.walk.state import Tracked, Trail
from dnet_tui.inspect.model import Link, LinkRef, Namespace
from dnet_tui.inspect.model.view import View

_ROUTE_ENDS: dict[str, End] = {"unknown": "unknown", "blackhole": "dropped"}


class Routed(Trail):
    """A walk that asks the routes of the namespace it is in."""

    def __init__(
        self, packet: Packet, *, view: View, beyond: bool, answers: Tracked, picks: tuple[int, ...] | None = None
    ) -> None:
        super().__init__(packet, beyond=beyond, answers=answers, picks=picks)
        self.view = view

    def label(self, namespace: str) -> str:
        """What to call a namespace."""
        return self.view.label(namespace) if namespace else ""

    def _route(self, ns: Namespace) -> routing.RouteAnswer:
        """The route of a packet made here."""
        answer = self._one_of(routing.lookup(ns, altered(self.packet, iif="")))
        self._usable(answer)
        if answer.type == "unicast" and ipaddress.ip_address(self.packet.src).is_loopback:
            out = self._device(ns, answer)
            # __mkroute_output: a loopback address stays on the loopback, unless route_localnet lets it out.
            if not routing.switched_on(ns, out.name, "route_localnet"):
                key = f"net.ipv4.conf.{routing.sysctl_name(out.name)}.route_localnet"
                self.stop("dropped", "routing", Decider(kind="sysctl", text=key, value="0", namespace=ns.id))
        self.hop(ns, self.packet.iif, "routing", answer.by.text)
        return answer

    def _one_of(self, answer: routing.RouteAnswer) -> routing.RouteAnswer:
        """One of a multipath route's ways: by its hash a flow may get any (fib_select_multipath)."""
        picked = self.pick(len(answer.ways)) if answer.ways else None
        return answer if picked is None else answer.ways[picked]

    def _usable(self, answer: routing.RouteAnswer) -> None:
        if answer.type in {"broadcast", "multicast", "anycast"}:
            self.stop("unknown", "routing", answer.by)
        if answer.type not in {"unicast", "local"}:
            self.stop(_ROUTE_ENDS.get(answer.type, "no-route"), "routing", answer.by)

    def _device(self, ns: Namespace, answer: routing.RouteAnswer) -> Link:
        if answer.type == "local":
            # What is for oneself goes by the loopback, whatever device the local route names.
            link = next((link for link in ns.links if link.kind == "loopback" or link.name == "lo"), None)
        else:
            link = self.view.links.get(LinkRef(namespace=ns.id, ifindex=answer.ifindex or 0))
        if link is None:
            self.stop("unknown", "routing", answer.by)
        return link
