"""The walk itself: one packet through namespaces, bridges, hooks and routes.  Pure.

The order of the stages is the kernel's: OUTPUT or PREROUTING, routing (with
source check and forwarding), INPUT or FORWARD, POSTROUTING, then the link and
whatever is at its other end.

Sources: net/ipv4/{route,ip_input,ip_output,ip_forward}.c; net/bridge/
br_input.c, br_forward.c and br_netfilter_hooks.c for the bridge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from dnet_tui.diagnostics.walk.l2 import neighbours, topology
from dnet_tui.diagnostics.walk.l2.arp_ndp import Party, stopped
from dnet_tui.diagnostics.walk.l2.bridge_and_netdev_hooks import pass_bridge, pass_device
from dnet_tui.diagnostics.walk.l2.topology import Frame
from dnet_tui.diagnostics.walk.l3 import mtu, routing
from dnet_tui.diagnostics.walk.l3.input_route import admit
from dnet_tui.diagnostics.walk.l3.listener import received
from dnet_tui.diagnostics.walk.l3.routing_state import Routed
from dnet_tui.diagnostics.walk.netfilter.hook_traversal import Passage
from dnet_tui.diagnostics.walk.netfilter.nat import altered
from dnet_tui.diagnostics.walk.packet import Decider, End, Packet
from dnet_tui.diagnostics.walk.state import Tracked
from dnet_tui.inspect.model import Link, LinkRef, Namespace, require
from dnet_tui.inspect.model.firewall import Hook
from dnet_tui.inspect.model.sections import lacks_of
from dnet_tui.inspect.model.view import View

Ending = tuple[End, Decider | None]


class Walker(Routed):
    """Leads one packet.  ``outside``: the walk ends where the packet leaves the host."""

    def __init__(
        self,
        view: View,
        packet: Packet,
        *,
        outside: bool,
        beyond: bool,
        answers: Tracked,
        picks: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(packet, view=view, beyond=beyond, answers=answers, picks=picks)
        self.outside = outside
        self.exits = ""
        self.sender: tuple[Namespace, Link] | None = None

    # -- stages -----------------------------------------------------------------------------

    def send(self, ns: Namespace) -> Ending:
        """A packet made in ``ns``: routing, OUTPUT, POSTROUTING, then the link."""
        self.made_in = ns.id
        self.packet = altered(self.packet, mac="")
        self.enter(ns, iif="")
        for end, by in neighbours.unusable_source(ns, self.packet.src):
            self.obstacle(end, "routing", by)
        answers = [self._route(ns)]
        self.packet = altered(self.packet, oif=self._device(ns, answers[0]).name)
        mtu.made(self, ns, self._device(ns, answers[0]), answers[0])
        # Where OUTPUT changes the destination or the mark, the route is looked up anew.
        self._hook(ns, "output", rerouted=lambda: answers.append(self._route(ns)))
        answer = answers[-1]
        out = self._device(ns, answer)
        self.packet = altered(self.packet, oif=out.name)
        if answer.type != "local":
            return self._leave(ns, out, answer, made_here=True)
        self._hook(ns, "postrouting", next_hop=self.packet.dst)
        mtu.sent(self, ns, out, answer, made_here=True)
        self.packet = altered(self.packet, iif=out.name, oif="")
        self._hook(ns, "prerouting", looped=True)
        return self._local(ns, looped=True)

    def input(self, ns: Namespace, link: Link, *, iif: str, physin: str = "") -> Ending:
        """A packet that ``ns`` receives at layer 3: PREROUTING, routing, then INPUT or FORWARD."""
        self.enter(ns, iif=iif, physin=physin)
        self._hook(ns, "prerouting")
        return self._admitted(ns, link)

    def _admitted(self, ns: Namespace, link: Link) -> Ending:
        """What follows PREROUTING for a packet received on ``link``."""
        answer, stops = admit(ns, self.packet, link, self._one_of)
        for stop in stops:
            self.obstacle(stop.end, stop.stage, stop.by)
        self._usable(answer)
        self.hop(ns, link.name, "routing", answer.by.text)
        if answer.type == "local":
            return self._local(ns)
        out = self._device(ns, answer)
        self.packet = altered(self.packet, oif=out.name)
        mtu.forwarded(self, ns, out, answer)
        self._hook(ns, "forward")
        return self._leave(ns, out, answer)

    def _local(self, ns: Namespace, *, looped: bool = False) -> Ending:
        self._hook(ns, "input", looped=looped)
        self.track(ns)
        return self._listener(ns)

    def _leave(self, ns: Namespace, out: Link, answer: routing.RouteAnswer, *, made_here: bool = False) -> Ending:
        next_hop = answer.gateway or self.packet.dst
        self._hook(ns, "postrouting", next_hop=next_hop)
        self.track(ns)
        mtu.sent(self, ns, out, answer, made_here=made_here)
        return self._transmit(ns, out, next_hop)

    # -- links and bridges ------------------------------------------------------------------

    def _transmit(self, ns: Namespace, out: Link, next_hop: str) -> Ending:
        pass_device(self, ns, out, "egress")
        if out.kind == "bridge":
            return self._bridge_out(ns, out, next_hop)
        if self.outside and ns.kind == "host" and not self._leads_to_container(out):
            stopped = topology.down(ns, out)
            if stopped is not None:
                self.stop("unreachable", "link", stopped)
            return self._left(ns, out)
        arrival = topology.cross(self.view, ns, out)
        if arrival.kind == "left":
            self._doubt(topology.stacked_owner(self.view, ns, out, next_hop), "link")
            return self._left(ns, out)
        return self._receive(self._crossed(arrival, ns, out), self._frame(ns, out, next_hop))

    def _frame(self, ns: Namespace, out: Link, next_hop: str) -> Frame:
        self.sender = ns, out
        self.packet = altered(self.packet, mac=out.mac.lower())
        entry = topology.remembered(ns, out, next_hop)
        if entry is None and topology.is_mute(out):
            # It takes its own MAC address for everybody's (arp_constructor, ndisc_constructor).
            self.stop("unreachable", "link", topology.mute(ns, out))
        return Frame(next_hop=next_hop, mac=entry.mac.lower() if entry else "", state=entry.state if entry else "")

    def _discover(self, ns: Namespace, link: Link, frame: Frame, *, called: bool = False) -> None:
        """Stop where the rules stop the neighbour discovery that a frame to a link of ``ns`` can't do without."""
        if frame.mac or self.sender is None:
            return
        why = stopped(self.view, Party(*self.sender), Party(ns, link), self.packet, frame.next_hop, called=called)
        if why is not None:
            self.stop(why[0], "neighbour", why[1])

    def _discover_across(self, ns: Namespace, bridge: Link, frame: Frame) -> Frame:
        """Find who takes a frame on the other side of a bridge; where nobody answers there is no frame."""
        port = self._port(ns, bridge, frame)
        far = self.view.links.get(port.peer) if port is not None and port.peer is not None else None
        if port is None or port.peer is None or far is None:
            return frame
        called = topology.calls_iptables(ns, bridge, self.packet.family)
        self._discover(self.view.namespaces[port.peer.namespace], far, frame, called=called)
        return Frame(next_hop=frame.next_hop, mac=far.mac.lower())

    def _crossed(self, arrival: topology.Arrival, ns: Namespace, out: Link) -> LinkRef:
        if arrival.ref is None:
            end: End = "unknown" if arrival.kind == "unknown" else "unreachable"
            self.stop(
                end, "link", arrival.by or Decider(kind="link", text=out.name, namespace=ns.id, interface=out.name)
            )
        if arrival.ref.namespace != ns.id:
            self.packet = altered(self.packet, mark=0)  # skb_scrub_packet
        return arrival.ref

    def _left(self, ns: Namespace, out: Link) -> Ending:
        self.exits = out.name
        self.hop(ns, out.name, "link", "leaves the host")
        return "left", None

    def _leads_to_container(self, link: Link) -> bool:
        if link.peer is None or self.view.containers_in(link.peer.namespace):
            return link.peer is not None
        containers = self.view.snapshot.containers
        if any(not lack.scope for lack in lacks_of(containers)):
            require(containers)  # it may be one of those that nobody told of
        return False

    def _receive(self, ref: LinkRef, frame: Frame) -> Ending:
        """A frame arrives at a link."""
        ns, link = self.view.namespaces[ref.namespace], self.view.links[ref]
        mtu.received(self, ns, link)
        pass_device(self, ns, link, "ingress")
        bridge = self.view.links.get(LinkRef(namespace=ns.id, ifindex=link.master)) if link.master else None
        if bridge is None or bridge.kind != "bridge":
            if not frame.is_for(ns, link):
                self._nobody(ns, "link", frame, link)
            self._discover(ns, link, frame)
            return self.input(ns, link, iif=link.name)
        self.check(ns, "bridge", topology.port_stop(ns, link))
        self.check(ns, "bridge", topology.down(ns, bridge))
        self._vlans(ns, bridge)
        called = topology.calls_iptables(ns, bridge, self.packet.family)
        pass_bridge(self, ns, "prerouting", link.name, "", part="first" if called else "all")
        up = topology.is_for_bridge(self.view, ns, bridge, frame)
        if up:
            self._doubt(neighbours.contradicted(self.view, ns, bridge, frame, bridge))
            self._discover(ns, bridge, frame)
        elif not frame.mac:
            frame = self._discover_across(ns, bridge, frame)
        if not called:
            if not up:
                return self._bridge_on(ns, bridge, link, frame, called=False)
            pass_bridge(self, ns, "input", link.name, "")
            pass_device(self, ns, bridge, "ingress")
            self.hop(ns, bridge.name, "bridge", "up to the host", note=f"received on port {link.name}")
            return self.input(ns, bridge, iif=bridge.name)
        return self._called(ns, bridge, link, frame, up=up)

    def _called(self, ns: Namespace, bridge: Link, came_by: Link, frame: Frame, *, up: bool) -> Ending:
        """br_netfilter: the frame passes PREROUTING at its port, with the bridge as interface."""
        self.enter(ns, iif=bridge.name, physin=came_by.name)
        dst = self.packet.dst
        self._hook(ns, "prerouting")
        pass_bridge(self, ns, "prerouting", came_by.name, "", part="rest")
        if self.packet.dst != dst and self._stays(ns, bridge):
            # Redirected to somebody on the same bridge: the frame is bridged there, not routed.
            answer = routing.lookup(ns, self.packet)
            frame = self._frame(ns, bridge, answer.gateway or self.packet.dst)
            self.packet = altered(self.packet, mac=None)  # the frame gets a header made anew, or keeps its sender
            return self._bridge_on(ns, bridge, came_by, frame, called=True)
        if self.packet.dst == dst and not up:
            return self._bridge_on(ns, bridge, came_by, frame, called=True)
        pass_bridge(self, ns, "input", came_by.name, "")
        pass_device(self, ns, bridge, "ingress")
        self.hop(ns, bridge.name, "bridge", "up to the host", note=f"received on port {came_by.name}")
        mtu.join(self, ns)
        return self._admitted(ns, bridge)

    def _stays(self, ns: Namespace, bridge: Link) -> bool:
        """Whether a frame that DNAT rewrote leaves by its own bridge again (br_nf_pre_routing_finish).

        IPv6 asks only later whether it may forward (ip6_forward), so there that doesn't matter here.
        """
        answer, stops = admit(ns, self.packet, bridge, self._one_of)
        if self.packet.family == "ip6":
            stops = tuple(stop for stop in stops if stop.stage != "forwarding")
        return not stops and answer.type == "unicast" and answer.ifindex == bridge.ifindex

    def _bridge_on(self, ns: Namespace, bridge: Link, came_by: Link, frame: Frame, *, called: bool) -> Ending:
        """Pass a frame on from one port to another; ``called``: through FORWARD and POSTROUTING."""
        port = self._port(ns, bridge, frame)
        if port is None:
            return self._left(ns, bridge)
        self.check(ns, "bridge", topology.delivery_stop(ns, came_by, port))
        self.check(ns, "bridge", topology.port_stop(ns, port))
        pass_bridge(self, ns, "forward", came_by.name, port.name, part="first" if called else "all")
        if called:
            self.packet = altered(self.packet, oif=bridge.name, physout=port.name)
            self._hook(ns, "forward")
            pass_bridge(self, ns, "forward", came_by.name, port.name, part="rest")
        pass_bridge(self, ns, "postrouting", "", port.name)
        if called:
            self._hook(ns, "postrouting", next_hop=frame.next_hop)
            self.track(ns)
        return self._out_of(ns, bridge, port, frame, called=called)

    def _bridge_out(self, ns: Namespace, bridge: Link, next_hop: str) -> Ending:
        """Send a packet of this host's IP layer out of a bridge."""
        self.check(ns, "bridge", topology.down(ns, bridge))
        self._vlans(ns, bridge)
        frame = self._frame(ns, bridge, next_hop)
        port = self._port(ns, bridge, frame)
        if port is None:
            return self._left(ns, bridge)
        self.check(ns, "bridge", topology.port_stop(ns, port))
        pass_bridge(self, ns, "output", "", port.name)
        pass_bridge(self, ns, "postrouting", "", port.name)
        return self._out_of(ns, bridge, port, frame)

    def _vlans(self, ns: Namespace, bridge: Link) -> None:
        self._doubt(topology.vlan_doubt(self.view, ns, bridge), "bridge")

    def _doubt(self, by: Decider | None, stage: str = "neighbour") -> None:
        if by is not None:
            self.obstacle("unknown", stage, by)

    def _out_of(self, ns: Namespace, bridge: Link, port: Link, frame: Frame, *, called: bool = False) -> Ending:
        mtu.out_of_port(self, ns, bridge, port, called=called, kernel=self.view.snapshot.host.kernel)
        pass_device(self, ns, port, "egress")
        self.hop(ns, bridge.name, "bridge", f"out of port {port.name}")
        return self._receive(self._crossed(topology.cross(self.view, ns, port), ns, port), frame)

    def _port(self, ns: Namespace, bridge: Link, frame: Frame) -> Link | None:
        """The port behind which somebody takes the frame; None where the walk may end out of sight."""
        ports = topology.owner_ports(self.view, ns, bridge, frame)
        if len(ports) == 1:
            self._doubt(neighbours.contradicted(self.view, ns, bridge, frame, ports[0]))
            return ports[0]
        next_hop = frame.next_hop
        if len(ports) > 1:
            names = " and ".join(port.name for port in ports)
            text = f"{next_hop} is taken twice on {bridge.name}: behind {names}"
            self.stop("unknown", "bridge", Decider(kind="neighbour", text=text, namespace=ns.id, value=next_hop))
        if not topology.has_foreign_port(self.view, ns, bridge):
            self._nobody(ns, "bridge", frame, bridge)
        if not self.outside:
            text = f"{next_hop} may be behind a port of {bridge.name} that leads out of sight"
            self.stop("unknown", "bridge", Decider(kind="neighbour", text=text, namespace=ns.id))
        return None

    def _nobody(self, ns: Namespace, stage: str, frame: Frame, link: Link) -> NoReturn:
        end, by = neighbours.nobody(self.view, ns, link, frame)
        self.stop(end, stage, by)

    # -- decisions --------------------------------------------------------------------------

    def _hook(
        self,
        ns: Namespace,
        hook: Hook,
        *,
        next_hop: str = "",
        looped: bool = False,
        rerouted: Callable[[], None] = lambda: None,
    ) -> None:
        interface = self.packet.iif if hook in {"prerouting", "input"} else self.packet.oif
        Passage(self, ns, hook, interface, next_hop=next_hop, looped=looped, rerouted=rerouted).go()

    def _listener(self, ns: Namespace) -> Ending:
        self.hop(ns, self.packet.iif, "local", "delivered")
        if self.answers:
            return "delivered", None  # an answer is awaited
        return received(ns, self.packet)
