"""Who received a traced packet, whether that is who was meant, and whether what left can be answered.  Pure.

A proxy on the host takes connections in somebody else's place and makes one
of its own for each: that one is walked too.
"""

from __future__ import annotations

import ipaddress

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import TraceEndpoint
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.l2 import tunnels
from dnet_tui.diagnostics.walk.l3.listener import PORT_HOLDERS
from dnet_tui.diagnostics.walk.l3.routing import lookup
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Decider, End, Hop, Obstacle, Packet, RuleRef, Truth, Walk
from dnet_tui.inspect.model import Family, Namespace, NotSeen, PortProxy, Subnet, require
from dnet_tui.inspect.model.view import View
from dnet_tui.inspect.text.sanitize import clean

_ANY = {"ip": "0.0.0.0", "ip6": "::"}  # noqa: S104 - compared with, not bound to


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """What a proxy does with a connection it has taken: its own connection, and the answer to that."""

    proxy: PortProxy
    forward: Walk
    answer: Walk | None

    @property
    def arrives(self) -> Truth:
        """Whether the container answers the proxy."""
        if self.forward.end in {"refused", "left"}:
            return False  # what leaves the host doesn't get to a container of it
        ways = [self.forward.arrives] + ([self.answer.arrives] if self.answer is not None else [])
        return False if False in ways else None if None in ways else True

    @property
    def failing(self) -> Walk | None:
        """The walk that fails, if one does."""
        if self.forward.arrives is not True or self.forward.end in {"refused", "left"}:
            return self.forward
        return self.answer if self.answer is not None and self.answer.arrives is not True else None


def relay(case: HostContext, forward: Walk) -> Relay | None:
    """The connection that a proxy makes for one that it has received; None where no known proxy has."""
    proxy = _proxy(case, forward)
    ns = case.view.namespaces.get(proxy.netns) if proxy is not None else None
    if proxy is None or ns is None:
        return None
    family: Family = "ip6" if ":" in proxy.container_ip else "ip"
    packet = Packet(
        family=family,
        src=source_of(case, ns, proxy.container_ip),
        dst=proxy.container_ip,
        proto=proxy.proto,
        sport=forward.start.sport,
        dport=proxy.container_port,
        tcp_flags=("SYN",) if proxy.proto == "tcp" else (),
    )
    if not packet.src:
        packet = msgspec.structs.replace(packet, src=_ANY[family])
    there = walk(case.view, packet, origin=ns.id)
    return Relay(proxy=proxy, forward=there, answer=reply(case.view, there) if there.arrives else None)


def source_of(case: HostContext, ns: Namespace, dst: str) -> str:
    """The address from which a namespace sends to ``dst``; empty where there is no way."""
    family: Family = "ip6" if ":" in dst else "ip"
    answer = lookup(index_of(case.view, ns), Packet(family=family, src=_ANY[family], dst=dst, proto="tcp"))
    if answer.source:
        return answer.source
    near = (item for item in ns.addresses if item.family == family and item.ifindex == answer.ifindex)
    return next((item.address for item in near if item.scope == "global"), "")


def _proxy(case: HostContext, forward: Walk) -> PortProxy | None:
    """The proxy whose socket took a packet."""
    last = forward.last
    if forward.end != "delivered" or forward.decided_by is None or forward.decided_by.kind != "socket":
        return None
    own = [
        item
        for item in case.snapshot.proxies
        if (item.netns, item.proto, item.host_port) == (forward.last_namespace, last.proto, last.dport)
        and item.host_ip in {last.dst, *_ANY.values()}
    ]
    exact = [item for item in own if item.host_ip == last.dst]
    alike = [item for item in own if (":" in item.host_ip) == (":" in last.dst)]
    return next(iter((*exact, *alike, *own)), None)


def unanswerable(case: HostContext, forward: Walk) -> Walk | None:
    """The answer that nobody outside can send, to a packet that left with a source of the inside; None: it can.

    Where the source is public, or the network is meant to be routed, it
    depends on the routes of others: then the answer's end is unknown.
    """
    src, host = forward.last.src, case.view.host
    if forward.end != "left" or host is None or any(item.address == src for item in host.addresses):
        return None
    address = ipaddress.ip_address(src)
    link = next((item for item in host.links if item.name == forward.exits), None)
    near = (item for item in host.addresses if link is not None and item.ifindex == link.ifindex)
    if any(address in ipaddress.ip_interface(item.cidr).network for item in near):
        return None  # a neighbour beyond the uplink, by its own address
    # What is at a tunnel's other end may have a way back for it.
    sure = not address.is_global and not _is_routed(case, address) and not forward.carried
    text = f"no host outside can answer {src}: no rule gives it the host's own address"
    if not sure:
        text = f"whether the outside routes {src} here isn't known, and no rule gives it the host's own address"
    by = Decider(kind="route", text=text, namespace=host.id, value=src)
    start = Packet(
        family=forward.last.family,
        src=forward.last.dst,
        dst=src,
        proto=forward.last.proto,
        sport=forward.last.dport,
        dport=forward.last.sport,
    )
    end: End = "unreachable" if sure else "unknown"
    stop = Obstacle(end=end, stage="outside", by=by, packet=start)
    hop = Hop(namespace="", interface="", stage="outside", packet=start, verdict="expected", note=text)
    return Walk(start=start, end=end, decided_by=by, hops=(hop,), obstacles=(stop,), last=start)


def _is_routed(case: HostContext, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address' network is meant to be routed, rather than translated; or may be, for all that was seen."""
    try:
        network = next((item for item in case.networks if _holds(item.subnets, address)), None)
    except NotSeen:
        return True
    return network is not None and (network.masquerade is False or network.gateway_mode4 == "routed")


def _holds(subnets: tuple[Subnet, ...], address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    nets = (ipaddress.ip_network(item.cidr, strict=False) for item in subnets)
    return any(address.version == net.version and address in net for net in nets)


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
    if passed_on is not None and passed_on.forward.arrives is True:
        return received_by(case, passed_on.forward, None)
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


def intended(case: HostContext, target: TraceEndpoint, forward: Walk, passed_on: Relay | None) -> Truth:
    """Whether who received the packet is who was meant; None where nobody has, or nobody can tell.

    Meant is the target's own namespace, for a port of the host that a
    container publishes the container, and for a plain address whoever has it.
    What a proxy in the sender's own namespace takes, as a service mesh has
    one beside each program, it passes on as it likes: that is left open.
    """
    if forward.end == "left":
        return None if target.namespace and target.kind != "address" else True
    if forward.end not in {"delivered", "refused"}:
        return None
    last = passed_on.forward if passed_on is not None else forward
    if target.namespace in {last.last_namespace, forward.last_namespace}:
        return True
    if _publishes(case, forward.start, last.last_namespace):
        return True
    rule = next((hop.rule for hop in forward.hops if hop.verdict in {"dnat", "redirect"} and hop.rule), None)
    if rule is None:
        return not target.namespace
    if forward.last_namespace == forward.origin == rule.namespace:
        return None
    return not target.namespace and _is_service(case, rule)


def _publishes(case: HostContext, first: Packet, namespace: str) -> bool:
    return any(
        (port.proto, port.host_port) == (first.proto, first.dport)
        for container in case.view.containers_in(namespace)
        for port in container.published
    )


def _is_service(case: HostContext, ref: RuleRef) -> bool:
    """Whether a translation is a known manager's or engine's own: what it leads to is then what was meant."""
    ns = case.view.namespaces.get(ref.namespace)
    tables = require(ns.firewall).tables if ns is not None else ()
    return any(
        rule.number == ref.number and bool(rule.owner)
        for table in tables
        if (table.backend, table.family, table.name) == (ref.backend, ref.family, ref.table)
        for chain in table.chains
        if chain.name == ref.chain
        for rule in chain.rules
    )


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
