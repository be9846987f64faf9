"""The walk itself: one packet through namespaces, bridges, hooks and routes.  Pure.

The order of the stages is the kernel's: OUTPUT or PREROUTING, routing (with
reverse-path check and forwarding), INPUT or FORWARD, POSTROUTING, then the
link and whatever is at its other end.
"""

from __future__ import annotations

from typing import Literal, NoReturn

from dnet_tui.diagnostics.walk import fabric, routing
from dnet_tui.diagnostics.walk.hooks import HookResult, run_hook
from dnet_tui.diagnostics.walk.nat import altered, apply_nat, undo_nat
from dnet_tui.diagnostics.walk.packet import Decider, End, Hop, Obstacle, Packet, RuleRef
from dnet_tui.inspect.firewall import Firewall, Hook
from dnet_tui.inspect.model import Link, LinkRef, Namespace
from dnet_tui.inspect.view import View

_MAX_STAGES = 48
_ENDS: dict[str, End] = {"drop": "dropped", "reject": "rejected", "unknown": "unknown"}
_ROUTE_ENDS: dict[str, End] = {"unknown": "unknown", "blackhole": "dropped"}

Tracked = tuple[tuple[str, Packet, Packet], ...]


class WalkStopped(Exception):  # noqa: N818 - control flow, not an error
    """Ends the walk: nothing can be said of the packet past this point."""


class Walker:
    """The state of one walk."""

    def __init__(self, view: View, packet: Packet, *, outside: bool, beyond: bool, answers: Tracked) -> None:
        self.view = view
        self.packet = packet
        self.outside = outside
        self.beyond = beyond
        self.answers = {namespace: (before, after) for namespace, before, after in answers}
        self.hops: list[Hop] = []
        self.obstacles: list[Obstacle] = []
        self.tracked: list[tuple[str, Packet, Packet]] = []
        self.namespace = ""
        self.exits = ""
        self.entered: Packet = packet

    # -- stages -----------------------------------------------------------------------------

    def send(self, ns: Namespace) -> tuple[End, Decider | None]:
        """A packet made in ``ns``: routing, OUTPUT, POSTROUTING, then the link."""
        self._enter(ns, iif="")
        answer = self._route(ns)
        if answer.type == "local":
            return self._local(ns, "lo")
        out = self._link(ns, answer)
        self.packet = altered(self.packet, oif=out.name)
        before = self.packet.dst
        self._hook(ns, "output", out.name)
        if self.packet.dst != before:
            answer = self._route(ns)
            if answer.type == "local":
                return self._local(ns, "lo")
            out = self._link(ns, answer)
            self.packet = altered(self.packet, oif=out.name)
        return self._leave(ns, out, answer)

    def input(self, ns: Namespace, link: Link, *, iif: str, physin: str = "") -> tuple[End, Decider | None]:
        """A packet that ``ns`` receives at layer 3: PREROUTING, routing, then INPUT or FORWARD."""
        self._enter(ns, iif=iif, physin=physin)
        self._hook(ns, "prerouting", iif)
        self._reverse_path(ns, iif)
        answer = self._route(ns)
        if answer.type == "local":
            return self._local(ns, iif)
        self._may_forward(ns, link, iif)
        out = self._link(ns, answer)
        self.packet = altered(self.packet, oif=out.name)
        self._hook(ns, "forward", out.name)
        return self._leave(ns, out, answer)

    def _enter(self, ns: Namespace, *, iif: str, physin: str = "") -> None:
        if len(self.hops) > _MAX_STAGES:
            self._stop("looped", "routing", Decider(kind="route", text="the packet goes round in a loop"))
        self.namespace = ns.id
        self.packet = altered(self.packet, iif=iif, oif="", physin=physin, physout="", mark=0)
        if ns.id in self.answers:
            self.packet = altered(self.packet, ctstate="ESTABLISHED")
        self.entered = self.packet

    def _local(self, ns: Namespace, iif: str) -> tuple[End, Decider | None]:
        self._hook(ns, "input", iif)
        self._track(ns)
        return self._listener(ns)

    def _leave(self, ns: Namespace, out: Link, answer: routing.RouteAnswer) -> tuple[End, Decider | None]:
        self._hook(ns, "postrouting", out.name)
        self._track(ns)
        return self._transmit(ns, out, answer.gateway or self.packet.dst)

    def _transmit(self, ns: Namespace, out: Link, next_hop: str) -> tuple[End, Decider | None]:
        if out.kind == "bridge":
            return self._bridge_out(ns, out, next_hop)
        if self.outside and ns.kind == "host" and not self._leads_to_container(out):
            stopped = fabric.down(ns, out)
            if stopped is not None:
                self._stop("unreachable", "link", stopped)
            return self._left(ns, out)
        arrival = fabric.cross(self.view, ns, out)
        if arrival.kind == "left":
            return self._left(ns, out)
        if arrival.ref is None:
            end: End = "unknown" if arrival.kind == "unknown" else "unreachable"
            self._stop(end, "link", arrival.by or Decider(kind="link", text=out.name, namespace=ns.id))
        return self._receive(arrival.ref, next_hop)

    def _left(self, ns: Namespace, out: Link) -> tuple[End, Decider | None]:
        self.exits = out.name
        self._hop(ns, out.name, "link", "leaves the host")
        return "left", None

    def _leads_to_container(self, link: Link) -> bool:
        return link.peer is not None and bool(self.view.containers_in(link.peer.namespace))

    def _receive(self, ref: LinkRef, next_hop: str) -> tuple[End, Decider | None]:
        ns, link = self.view.namespaces[ref.namespace], self.view.links[ref]
        bridge = self.view.links.get(LinkRef(namespace=ns.id, ifindex=link.master)) if link.master else None
        if bridge is None or bridge.kind != "bridge":
            return self.input(ns, link, iif=link.name)
        self._check(ns, "bridge", fabric.port_stop(ns, link))
        self._check(ns, "bridge", fabric.down(ns, bridge))
        bridge_ref = LinkRef(namespace=ns.id, ifindex=bridge.ifindex)
        if any(item.address == next_hop for item in self.view.addresses_of(bridge_ref)):
            self._hop(ns, bridge.name, "bridge", "up to the host", note=f"received on port {link.name}")
            return self.input(ns, bridge, iif=bridge.name, physin=link.name)
        return self._bridge_out(ns, bridge, next_hop, came_by=link)

    def _bridge_out(
        self, ns: Namespace, bridge: Link, next_hop: str, came_by: Link | None = None
    ) -> tuple[End, Decider | None]:
        self._check(ns, "bridge", fabric.down(ns, bridge))
        port = fabric.owner_port(self.view, ns, bridge, next_hop)
        if port is None or port.peer is None:
            if fabric.has_foreign_port(self.view, ns, bridge):
                text = f"{next_hop} may be behind a port of {bridge.name} that leads out of sight"
                if self.outside and self.packet.oif == bridge.name:
                    return self._left(ns, bridge)
                self._stop("unknown", "bridge", Decider(kind="neighbour", text=text, namespace=ns.id))
            text = f"nobody on {bridge.name} has the address {next_hop}"
            self._stop("unreachable", "bridge", Decider(kind="neighbour", text=text, namespace=ns.id, value=next_hop))
        if came_by is not None:
            self._check(ns, "bridge", fabric.isolation_stop(ns, came_by, port))
            if fabric.calls_iptables(ns, bridge, self.packet.family):
                self._bridged_hooks(ns, bridge, came_by, port)
        self._check(ns, "bridge", fabric.port_stop(ns, port))
        self._hop(ns, bridge.name, "bridge", f"out of port {port.name}")
        arrival = fabric.cross(self.view, ns, port)
        if arrival.ref is None:
            end: End = "unknown" if arrival.kind == "unknown" else "unreachable"
            self._stop(end, "link", arrival.by or Decider(kind="link", text=port.name, namespace=ns.id))
        return self._receive(arrival.ref, next_hop)

    def _bridged_hooks(self, ns: Namespace, bridge: Link, came_by: Link, port: Link) -> None:
        """br_netfilter: a bridged packet passes the IP hooks with the bridge as both interfaces."""
        self._enter(ns, iif=bridge.name, physin=came_by.name)
        before = self.packet.dst
        self._hook(ns, "prerouting", bridge.name)
        if self.packet.dst != before:
            by = Decider(kind="rule", text="a bridged packet is redirected by DNAT", namespace=ns.id)
            self._stop("unknown", "bridge", by)
        self.packet = altered(self.packet, oif=bridge.name, physout=port.name)
        self._hook(ns, "forward", bridge.name)
        self._hook(ns, "postrouting", bridge.name)
        self._track(ns)

    # -- decisions --------------------------------------------------------------------------

    def _route(self, ns: Namespace) -> routing.RouteAnswer:
        answer = routing.lookup(ns, self.packet)
        if answer.type not in {"unicast", "local"}:
            self._stop(_ROUTE_ENDS.get(answer.type, "no-route"), "routing", answer.by)
        self._hop(ns, self.packet.iif, "routing", answer.by.text)
        return answer

    def _link(self, ns: Namespace, answer: routing.RouteAnswer) -> Link:
        link = self.view.links.get(LinkRef(namespace=ns.id, ifindex=answer.ifindex or 0))
        if link is None:
            self._stop("unknown", "routing", answer.by)
        return link

    def _reverse_path(self, ns: Namespace, iif: str) -> None:
        mode = routing.rp_filter(ns, iif) if self.packet.family == "ip" else 0
        if mode == 0:
            return
        back = routing.lookup(ns, altered(self.packet, dst=self.packet.src, src=self.packet.dst, iif=""))
        link = self.view.link_named(ns.id, iif)
        fits = back.type == "unicast" and (mode == 2 or (link is not None and back.ifindex == link.ifindex))
        if not fits:
            key = f"net.ipv4.conf.{routing.sysctl_name(iif)}.rp_filter"
            end: End = "unknown" if back.type == "unknown" else "dropped"
            by = Decider(kind="sysctl", text=key, value=str(mode), namespace=ns.id)
            self._obstacle(end, "reverse-path", by)

    def _may_forward(self, ns: Namespace, link: Link, iif: str) -> None:
        version = "ipv4" if self.packet.family == "ip" else "ipv6"
        # IPv4 asks the receiving device (IN_DEV_FORWARD), IPv6 the namespace (devconf_all).
        device = routing.sysctl_name(iif or link.name) if version == "ipv4" else "all"
        key = f"net.{version}.conf.{device}.forwarding"
        value = ns.sysctls.get(key)
        if value is None:
            self._obstacle("unknown", "forwarding", Decider(kind="gap", text=f"{key} was not read", namespace=ns.id))
        elif value == "0":
            self._obstacle("dropped", "forwarding", Decider(kind="sysctl", text=key, value="0", namespace=ns.id))

    def _hook(self, ns: Namespace, hook: Hook, interface: str) -> None:
        if ns.firewall is None:
            by = Decider(kind="gap", text="the firewall was not read", namespace=ns.id)
            self._obstacle("unknown", hook, by)
        firewall = ns.firewall or Firewall()
        answering = self.answers.get(ns.id)
        result = run_hook(
            firewall,
            hook,
            self.packet,
            namespace=ns.id,
            address_type=lambda address: routing.address_type(ns, address),
            nat=answering is None and self.packet.ctstate == "NEW",
        )
        self.packet = result.packet
        if result.verdict != "accept":
            by = result.by or Decider(kind="rule", text="", namespace=ns.id)
            self._hop(ns, interface, hook, result.verdict, rule=by.rule)
            self._obstacle(_ENDS[result.verdict], hook, by)
        for rule in result.passed:
            self._hop(ns, interface, hook, "accept", rule=rule)
        if not result.passed and result.verdict == "accept" and _has_chain(firewall, hook):
            self._hop(ns, interface, hook, "accept")
        if answering is not None:
            self.packet = undo_nat(hook, self.packet, *answering)
        else:
            self._translate(ns, hook, interface, result)

    def _translate(self, ns: Namespace, hook: Hook, interface: str, result: HookResult) -> None:
        if result.nat_unknown is not None:
            text = f"whether NAT applies can't be decided: {result.nat_unknown.table} {result.nat_unknown.text}"
            self._obstacle("unknown", hook, Decider(kind="rule", text=text, namespace=ns.id, rule=result.nat_unknown))
        if result.nat is None:
            return
        before = self.packet
        self.packet = apply_nat(ns, result.nat, self.packet, interface)
        if self.packet.src == before.src and self.packet.dst == before.dst and self.packet.dport == before.dport:
            return
        self._hop(
            ns,
            interface,
            hook,
            result.nat.kind,
            rule=result.nat_rule,
            note=f"was {before.tuple_text()}",
        )

    def _listener(self, ns: Namespace) -> tuple[End, Decider | None]:
        packet = self.packet
        self._hop(ns, packet.iif, "local", "delivered")
        known = not self.view.gaps("sockets", ns.id)
        if packet.proto not in {"tcp", "udp"} or packet.ctstate != "NEW" or not known:
            return "delivered", None
        wild = {"0.0.0.0", "::", packet.dst}  # noqa: S104 - compared with, not bound to
        for socket in ns.sockets:
            if socket.proto == packet.proto and socket.port == packet.dport and socket.address in wild:
                text = f"{socket.process or 'a process'} listens on {socket.address}:{socket.port}"
                return "delivered", Decider(kind="socket", text=text, namespace=ns.id)
        text = f"nothing listens on {packet.proto} port {packet.dport}"
        return "refused", Decider(kind="socket", text=text, namespace=ns.id)

    # -- bookkeeping ------------------------------------------------------------------------

    def _track(self, ns: Namespace) -> None:
        if self.packet.ctstate == "NEW" and not self.answers:
            self.tracked.append((ns.id, self.entered, self.packet))

    def _check(self, ns: Namespace, stage: str, by: Decider | None) -> None:
        if by is not None:
            self._hop(ns, "", stage, "stopped", note=by.text)
            self._obstacle("unreachable", stage, by)

    def _hop(
        self,
        ns: Namespace,
        interface: str,
        stage: str,
        verdict: str,
        *,
        rule: RuleRef | None = None,
        note: str = "",
    ) -> None:
        self.hops.append(
            Hop(
                namespace=ns.id,
                interface=interface,
                stage=stage,
                packet=self.packet,
                verdict=verdict,
                rule=rule,
                note=note,
            )
        )

    def _obstacle(self, end: End, stage: str, by: Decider) -> None:
        self.obstacles.append(Obstacle(end=end, stage=stage, by=by, packet=self.packet))
        if not self.beyond:
            raise WalkStopped

    def _stop(self, end: End, stage: Literal["routing", "link", "bridge"], by: Decider) -> NoReturn:
        self.obstacles.append(Obstacle(end=end, stage=stage, by=by, packet=self.packet))
        raise WalkStopped


def _has_chain(firewall: Firewall, hook: Hook) -> bool:
    return any(chain.hook == hook for table in firewall.tables for chain in table.chains)
