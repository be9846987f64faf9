"""Who received a traced packet, whether that is who was meant, and whether what left can be answered.  Pure.

A proxy on the host takes connections in somebody else's place and makes one
of its own for each: that one is walked too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.l2 import tunnels
from dnet_tui.diagnostics.walk.l3.listener import PORT_HOLDERS
from dnet_tui.diagnostics.walk.l3.routing import lookup
from dnet_tui.diagnostics.walk.later_packets import LaterPacket, later_packets, worst
from dnet_tui.diagnostics.walk.match.values import is_loopback
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Decider, Obstacle, Packet, Truth, Walk
from dnet_tui.inspect.model import Family, Forwarder, Namespace, PortProxy, known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

P = TypeVar("P", PortProxy, Forwarder)

_ANY = {"ip": "0.0.0.0", "ip6": "::"}  # noqa: S104 - compared with, not bound to


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """What a proxy does with a connection it has taken: its own connection, and the answer to that."""

    proxy: PortProxy | Forwarder
    forward: Walk
    answer: Walk | None
    later: tuple[LaterPacket, ...] = ()
    """The later packets of that connection, where they may fare otherwise."""
    next: Relay | None = None
    """What another proxy that took this one does with it."""

    @property
    def certain(self) -> bool:
        """Whether it does so with every connection; a program that was seen to may do otherwise."""
        return not isinstance(self.proxy, Forwarder) or self.proxy.certain

    @property
    def arrives(self) -> Truth:
        """Whether the container answers the proxy."""
        if self.forward.end in {"refused", "left"}:
            return False if self.certain else None  # what leaves the host doesn't get to a container of it
        ways = [self.forward.arrives] + ([self.answer.arrives] if self.answer is not None else [])
        ways += [item.walk.arrives for item in self.later]
        ways += [self.next.arrives] if self.next is not None else []
        found: Truth = False if False in ways else None if None in ways else True
        return None if found is False and not self.certain else found

    @property
    def failing(self) -> Walk | None:
        """The walk that fails, if one does."""
        if self.forward.arrives is not True or self.forward.end in {"refused", "left"}:
            return self.forward
        if self.answer is not None and self.answer.arrives is not True:
            return self.answer
        later = worst(self.later)
        if later is not None:
            return later.walk
        return self.next.failing if self.next is not None else None

    @property
    def last(self) -> Relay:
        """The last proxy in a row of them."""
        return self.next.last if self.next is not None else self

    @property
    def program(self) -> str:
        """What to call it."""
        return self.proxy.program if isinstance(self.proxy, Forwarder) else "proxy"

    @property
    def to(self) -> str:
        """Where it connects to."""
        return f"{self.forward.start.dst}:{self.forward.start.dport}"


_MOST_RELAYS = 4


def relay(case: HostContext, forward: Walk, depth: int = 0) -> Relay | None:
    """The connection that a proxy makes for one that it has received; None where no known proxy has.

    Of a program that has connections to several containers none is taken for the one.
    """
    proxy = _proxy(case, forward) or _forwarder(case, forward)
    if proxy is None or depth >= _MOST_RELAYS:
        return None
    if isinstance(proxy, PortProxy):
        into, dst, port = proxy.netns, proxy.container_ip, proxy.container_port
    else:
        into, dst, port = proxy.into, proxy.to_ip or _own_address(case, proxy.into, forward.last), proxy.to_port
    ns = case.view.namespaces.get(into)
    if ns is None or not dst:
        return None
    family: Family = "ip6" if ":" in dst else "ip"
    packet = Packet(
        family=family,
        src=source_of(case, ns, dst) or (dst if is_loopback(dst) else _ANY[family]),
        dst=dst,
        proto=proxy.proto,
        sport=forward.start.sport,
        dport=port,
        tcp_flags=("SYN",) if proxy.proto == "tcp" else (),
    )
    there = walk(case.view, packet, origin=ns.id)
    answer = reply(case.view, there) if there.arrives else None
    later = later_packets(case.view, there, answer)
    return Relay(proxy=proxy, forward=there, answer=answer, later=later, next=relay(case, there, depth + 1))


def _own_address(case: HostContext, namespace: str, packet: Packet) -> str:
    """Where in a namespace itself a forwarder connects to: by the loopback for who came by one."""
    if is_loopback(packet.src):
        return "127.0.0.1" if packet.family == "ip" else "::1"
    ns = case.view.namespaces.get(namespace)
    own = known_items(ns.addresses) if ns is not None else ()
    return next((item.address for item in own if item.family == packet.family and item.scope == "global"), "")


def source_of(case: HostContext, ns: Namespace, dst: str) -> str:
    """The address from which a namespace sends to ``dst``; empty where there is no way."""
    family: Family = "ip6" if ":" in dst else "ip"
    answer = lookup(index_of(case.view, ns), Packet(family=family, src=_ANY[family], dst=dst, proto="tcp"))
    if answer.source:
        return answer.source
    near = (item for item in ns.addresses if item.family == family and item.ifindex == answer.ifindex)
    return next((item.address for item in near if item.scope == "global"), "")


def _taken_by(programs: Iterable[P], forward: Walk) -> list[P]:
    """Those of the programs that listen where a packet was taken by a socket."""
    last = forward.last
    if forward.end != "delivered" or forward.decided_by is None or forward.decided_by.kind != "socket":
        return []
    return [
        item
        for item in programs
        if (item.netns, item.proto, item.host_port) == (forward.last_namespace, last.proto, last.dport)
        and item.host_ip in {last.dst, *_ANY.values()}
    ]


def _proxy(case: HostContext, forward: Walk) -> PortProxy | None:
    """The proxy whose socket took a packet."""
    last = forward.last
    own = _taken_by(case.snapshot.proxies, forward)
    exact = [item for item in own if item.host_ip == last.dst]
    alike = [item for item in own if (":" in item.host_ip) == (":" in last.dst)]
    return next(iter((*exact, *alike, *own)), None)


def _forwarder(case: HostContext, forward: Walk) -> Forwarder | None:
    """Another program whose socket took a packet, where it passes on to one place alone."""
    own = _taken_by(case.snapshot.forwarders, forward)
    places = {(item.into, item.to_ip, item.to_port) for item in own}
    return own[0] if len(places) == 1 else None


def at_a_service(case: HostContext, forward: Walk) -> Walk:
    """The walk; of one to a service's virtual address nobody can tell the end: IPVS leads it to one of its tasks."""
    last = forward.last
    networks = known_items(case.snapshot.networks)
    service = next((item.service for net in networks for item in net.virtual if item.address == last.dst), "")
    if not service or forward.end in {"delivered", "left", "dropped", "rejected"}:
        return forward
    text = f"{last.dst} is the virtual address of service {service}: IPVS leads it to a task, which is not followed"
    by = Decider(kind="gap", text=text, namespace=forward.last_namespace, value=last.dst)
    stop = Obstacle(end="unknown", stage="service", by=by, packet=last)
    return msgspec.structs.replace(forward, end="unknown", decided_by=by, obstacles=(stop,), others=())


def holder(forward: Walk) -> str:
    """The program that took a packet only because it holds the port, so that nobody else takes it; empty for others.

    It never reads: Podman's conmon, and dockerd without its userland proxy
    (moby, ``daemon/libnetwork/portmapper``).
    """
    by = forward.decided_by
    if forward.end != "delivered" or by is None or by.kind != "socket":
        return ""
    return next((name for name in PORT_HOLDERS if by.text.startswith(f"{name} listens ")), "")


def received_by(case: HostContext, forward: Walk, passed_on: Relay | None) -> str:
    """Who received the packet, in words: a container, the host, a process; empty where nobody has."""
    if passed_on is not None and passed_on.last.forward.arrives is True:
        return received_by(case, passed_on.last.forward, None)
    if forward.end == "left":
        link, where = way_out(case.view, forward)
        return f"{where.removeprefix('to ').removeprefix('into ') or 'outside'}, by {link}"
    if forward.end not in {"delivered", "refused"}:
        return ""
    return case.view.label(forward.last_namespace)


def way_out(view: View, walk: Walk) -> tuple[str, str]:
    """By which link a packet left what can be seen, and to where, in words: a tunnel's peer, a program.

    The words begin with ``to`` or ``into``, and are empty for the outside as such.
    """
    if walk.carried:
        inmost = walk.carried[0]
        return tunnels.ref_text(view, inmost.tunnel), f"to {inmost.where}"
    name = tunnels.ref_text(view, walk.left_by) if walk.left_by is not None else walk.exits
    return name, walk.left_note


def redirection(forward: Walk) -> str:
    """By which REDIRECT a packet was led to its own host, in words; empty where none did."""
    for hop in forward.hops:
        if hop.verdict == "redirect" and hop.rule is not None:
            where = f"{hop.rule.table} {hop.rule.chain} rule {hop.rule.number}"
            return clean(f"redirected to port {hop.packet.dport} of {hop.packet.dst} by {where}")
    return ""


def redirected(forward: Walk) -> str:
    """By what a packet was led to somebody else, in words; empty where it wasn't."""
    for hop in forward.hops:
        if hop.verdict in {"dnat", "redirect"} and hop.rule is not None:
            after = hop.packet
            where = f"{hop.rule.table} {hop.rule.chain} rule {hop.rule.number}"
            if hop.verdict == "redirect":
                return clean(f"redirected to port {after.dport} of {after.dst} by {where}")
            return clean(f"led to {after.dst}:{after.dport} by {where}")
    return ""
