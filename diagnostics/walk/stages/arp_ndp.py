"""Finding a neighbour's MAC address, which rules may stop: ARP, and ICMPv6's neighbour discovery.  Pure.

ARP passes the hooks of the family ``arp`` where it is sent and received.
Neighbour discovery is ICMPv6 and passes the hooks of IPv6 like any other
packet; conntrack leaves it untracked (nf_conntrack_proto_icmpv6.c).  Both
pass the bridge family's hooks on their way across a bridge.  Where the sender
doesn't remember its neighbour, a rule that stops the question or the answer
stops the packet.

Sources: net/ipv4/arp.c (arp_solicit, arp_xmit), net/ipv6/ndisc.c; RFC 4861,
RFC 4291 for the address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from dnet_tui.diagnostics.walk.l2.answering import question_source
from dnet_tui.diagnostics.walk.l2.reach import Crossing
from dnet_tui.diagnostics.walk.l2.topology import calls_iptables
from dnet_tui.diagnostics.walk.l3.xfrm import PolicyVerdict, policy_stop
from dnet_tui.diagnostics.walk.netfilter.hooks import run_hook
from dnet_tui.diagnostics.walk.packet import Decider, End, Packet, is_unsure, replace
from dnet_tui.diagnostics.walk.stages.tc_xdp import loss_by, losses
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.inspect.model import Family, Link, Namespace, Unread
from dnet_tui.inspect.model.firewall import Hook

_SOLICITATION, _ADVERTISEMENT = 135, 136
_HOP_LIMIT = 255
"""Any other isn't taken: it shows that nobody has forwarded the message (RFC 4861)."""
_IPV6 = ("ip6", "inet")
_BRIDGE = ("bridge",)
_ARP = ("arp",)


class Point(NamedTuple):
    """A hook that a packet passes, in which families' tables, with the interfaces it sees there."""

    ns: Namespace
    hook: Hook
    iif: str = ""
    oif: str = ""
    families: tuple[str, ...] = _IPV6


class Device(NamedTuple):
    """A link that a frame is received or sent by, with traffic control of its own."""

    ns: Namespace
    link: Link
    place: Literal["ingress", "egress"]


class Party(NamedTuple):
    """One of the two who talk: an interface of a namespace."""

    ns: Namespace
    link: Link


def discovery_stop(
    state: WalkState, asker: Party, owner: Party, target: str, crossings: Iterable[Crossing]
) -> tuple[End, Decider] | None:
    """Why the asker doesn't learn the MAC address of the target's owner; None when it does.

    Args:
        state: the walk, whose packet waits.
        asker: the interface by which the packet is to be sent.
        owner: the one that answers for the target.
        target: the address that is asked for.
        crossings: the bridges between the two, from the asker on.
    """
    packet = state.packet
    address = question_source(state.index(asker.ns), asker.link, packet, target)
    if not address:
        return None
    macs = asker.link.mac.lower(), owner.link.mac.lower()
    sent, answer = _messages(packet.family, address, target, *macs)
    crossings = tuple(crossings)
    back = tuple(item._replace(came_by=item.port, port=item.came_by) for item in reversed(crossings))
    there = next(_losses(state, sent, _way(state, asker, owner, packet.family, crossings)), None)
    return there or next(_losses(state, answer, _way(state, owner, asker, packet.family, back)), None)


def own_discovery_stop(state: WalkState, asker: Party, target: str) -> tuple[End, Decider] | None:
    """Why the asker wouldn't learn the MAC address of somebody out of sight: its own rules stop question or answer."""
    address = question_source(state.index(asker.ns), asker.link, state.packet, target)
    if not address:
        return None
    ns, name = asker.ns, asker.link.name
    sent, answer = _messages(state.packet.family, address, target, asker.link.mac.lower(), "")
    families = _ARP if state.packet.family == "ip" else _IPV6
    out = [Point(ns, "output", oif=name, families=families)]
    back = [Point(ns, "input", iif=name, families=families)]
    if state.packet.family == "ip6":
        out.append(Point(ns, "postrouting", oif=name))
        back.insert(0, Point(ns, "prerouting", iif=name))
    return next(_losses(state, sent, out), None) or next(_losses(state, answer, back), None)


def _messages(family: Family, address: str, target: str, asker: str, owner: str) -> tuple[Packet, Packet]:
    """The question for a target's MAC address and its answer; ``asker`` and ``owner`` are MAC addresses."""
    if family == "ip":
        # No connection is tracked of ARP: to a rule that asks, it is as invalid.  Source: nft_ct_get_eval (nft_ct.c).
        sent = Packet(src=address, dst=target, proto="", arp_op="request", ctstate="INVALID", mac=asker)
        return sent, Packet(src=target, dst=address, proto="", arp_op="reply", ctstate="INVALID", mac=owner)
    return _ndp(address, _solicited(target), _SOLICITATION, asker), _ndp(target, address, _ADVERTISEMENT, owner)


def _solicited(target: str) -> str:
    """The target's solicited-node address."""
    last = int(ipaddress.IPv6Address(target)) & 0xFFFFFF
    return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("ff02::1:ff00:0")) | last))


def _ndp(src: str, dst: str, kind: int, mac: str) -> Packet:
    return Packet(
        family="ip6",
        src=src,
        dst=dst,
        proto="icmpv6",
        icmp_type=kind,
        ctstate="UNTRACKED",
        mac=mac,
        ttl=_HOP_LIMIT,
        by_kernel=True,
    )


def _way(
    state: WalkState, sender: Party, receiver: Party, family: str, crossings: Iterable[Crossing]
) -> Iterator[Point | Device]:
    """The hooks from one interface to the other, with the bridges that either is, or that are between them."""
    families = _ARP if family == "ip" else _IPV6
    yield Point(sender.ns, "output", oif=sender.link.name, families=families)
    if family == "ip6":
        yield Point(sender.ns, "postrouting", oif=sender.link.name)
    yield Device(*sender, "egress")
    for crossing in crossings:
        yield from _over(crossing, state.packet.family, called=family == "ip6")
    yield Device(*receiver, "ingress")
    if family == "ip6":
        yield Point(receiver.ns, "prerouting", iif=receiver.link.name)
    yield Point(receiver.ns, "input", iif=receiver.link.name, families=families)


def _over(crossing: Crossing, family: Family, *, called: bool) -> Iterator[Point | Device]:
    """The hooks of a bridge: as its host's own sender, to its host, or from port to port."""
    host, bridge, came_by, port = crossing[:4]
    if came_by is None:
        if port is not None:
            yield Point(host, "output", oif=port.name, families=_BRIDGE)
            yield Point(host, "postrouting", oif=port.name, families=_BRIDGE)
            yield Device(host, port, "egress")
        return
    yield Device(host, came_by, "ingress")
    yield Point(host, "prerouting", iif=came_by.name, families=_BRIDGE)
    if port is None:
        yield Point(host, "input", iif=came_by.name, families=_BRIDGE)
        return
    yield Point(host, "forward", iif=came_by.name, oif=port.name, families=_BRIDGE)
    if called and calls_iptables(host, bridge, family):
        yield Point(host, "prerouting", iif=bridge.name)
        yield Point(host, "forward", iif=bridge.name, oif=bridge.name)
        yield Point(host, "postrouting", oif=bridge.name)
    yield Point(host, "postrouting", oif=port.name, families=_BRIDGE)
    yield Device(host, port, "egress")


def _policy(state: WalkState, packet: Packet, at: Point) -> PolicyVerdict | None:
    """The IPsec policy that stops a message: they are asked of it as of any other packet (icmpv6_rcv, icmp6_dst_alloc).

    Where they were not read, the packet itself is stopped by that.
    """
    index = state.index(at.ns)
    if packet.arp_op or at.families != _IPV6 or isinstance(at.ns.xfrm_policies, Unread):
        return None
    if at.hook == "output":
        return policy_stop(index, packet, "out", came_by=None, out=index.link(at.oif), plain=True)
    if at.hook == "input":
        return policy_stop(index, packet, "in", came_by=index.link(at.iif), out=None, plain=True)
    return None


def _losses(state: WalkState, packet: Packet, points: Iterable[Point | Device]) -> Iterator[tuple[End, Decider]]:
    what = "ARP" if packet.arp_op else "neighbour discovery"
    word = "question" if packet.arp_op == "request" or packet.icmp_type == _SOLICITATION else "answer"
    for point in points:
        if isinstance(point, Device):
            for loss in losses(state, *point, packet):
                yield "unknown" if loss.end == "unknown" else "unreachable", loss_by(point.ns, point.link, loss)
            continue
        ns, hook, iif, oif, families = point
        index = state.index(ns)
        found = _policy(state, packet, point)
        if found is not None:
            by = msgspec.structs.replace(found.by, text=f"{what}: the {word} is stopped by {found.by.text}")
            yield "unknown" if found.end == "unknown" else "unreachable", by
        if index.rules.families.isdisjoint(families):
            continue
        in_bridge = families == _BRIDGE
        seen = replace(
            packet,
            iif=iif,
            oif=oif,
            ibrname=index.bridge_of(iif) if in_bridge else "",
            obrname=index.bridge_of(oif) if in_bridge else "",
        )
        result = run_hook(state.ruleset(ns), hook, seen, families=families, most=state.assume)
        state.hedges += result.hedges
        if result.verdict != "accept":
            rule = result.by.rule if result.by is not None else None
            text = f"{what}: the {word} is stopped by {rule.table} {rule.chain}: {rule.text}" if rule else ""
            unsure = result.verdict == "unknown" or (is_unsure(result.hedges) and state.beyond)
            by = Decider(kind="rule", text=text or f"{what}: the {word}", namespace=ns.id, rule=rule)
            yield "unknown" if unsure else "unreachable", by
