"""Finding a neighbour's MAC address, which rules may stop: ARP, and ICMPv6's neighbour discovery.  Pure.

ARP passes the hooks of the family ``arp`` where it is sent and received.
Neighbour discovery is ICMPv6 and passes the hooks of IPv6 like any other
packet; conntrack leaves it untracked (nf_conntrack_proto_icmpv6.c).  Both
pass the bridge family's hooks on their way across a bridge.  Where the sender
doesn't remember its neighbour, a rule that stops the question or the answer
stops the packet.

Sources: net/ipv4/arp.c (arp_solicit, arp_xmit), net/ipv6/ndisc.c; RFC 4861,
RFC 4291 for the address, RFC 2464 for the group's MAC address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Generator, Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from dnet_tui.diagnostics.walk.l2.answering import question_source
from dnet_tui.diagnostics.walk.l2.reach import Crossing, LowerLink
from dnet_tui.diagnostics.walk.l2.topology import calls_iptables
from dnet_tui.diagnostics.walk.l3.xfrm import PolicyVerdict, policy_stop
from dnet_tui.diagnostics.walk.netfilter.chain_ends import HookResult
from dnet_tui.diagnostics.walk.netfilter.conntrack import without_connection
from dnet_tui.diagnostics.walk.netfilter.firewall_index import ChainPart
from dnet_tui.diagnostics.walk.netfilter.fwmark import with_changes
from dnet_tui.diagnostics.walk.netfilter.hooks import run_hook
from dnet_tui.diagnostics.walk.packet import Decider, End, Packet, is_unsure, replace
from dnet_tui.diagnostics.walk.stages.bridge_and_netdev_hooks import device_chains
from dnet_tui.diagnostics.walk.stages.tc_xdp import loss_by, losses
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.inspect.model import Family, Link, Namespace, Unread
from dnet_tui.inspect.model.firewall import Hook

_SOLICITATION, _ADVERTISEMENT = 135, 136
_HOP_LIMIT = 255
"""Any other isn't taken: it shows that nobody has forwarded the message (RFC 4861)."""
_EVERYBODY, _NOBODY = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"
"""To whom a question of ARP is sent, and what it has in the place of the MAC address that it is about."""
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
    state: WalkState, asker: Party, owner: Party, target: str, crossings: Iterable[Crossing | LowerLink]
) -> tuple[End, Decider] | None:
    """Why the asker doesn't learn the MAC address of the target's owner; None when it does.

    Args:
        state: the walk, whose packet waits.
        asker: the interface by which the packet is to be sent.
        owner: the one that answers for the target.
        target: the address that is asked for.
        crossings: the bridges and other links between the two, from the asker on.
    """
    packet = state.packet
    address = question_source(state.index(asker.ns), asker.link, packet, target)
    if not address:
        return None
    sent, answer = _messages(packet.family, address, target, asker.link.mac, owner.link.mac)
    crossings = tuple(crossings)
    back = _reversed(crossings)
    there = next(_losses(state, sent, _way(asker, owner, packet.family, crossings)), None)
    return there or next(_losses(state, answer, _way(owner, asker, packet.family, back)), None)


def own_discovery_stop(
    state: WalkState, asker: Party, target: str, crossings: Iterable[Crossing] = ()
) -> tuple[End, Decider] | None:
    """Why the asker wouldn't learn the MAC address of somebody out of sight: its own side stops question or answer.

    ``crossings`` are the bridges that both go over before they are out of sight.
    """
    family = state.packet.family
    address = question_source(state.index(asker.ns), asker.link, state.packet, target)
    if not address:
        return None
    sent, answer = _messages(family, address, target, asker.link.mac, "")
    if family == "ip6":
        answer = replace(answer, tos=None)  # routers like to give theirs precedence
    crossings = tuple(crossings)
    out = (*_from(asker, family), *_over_all(crossings, family))
    back = (*_over_all(_reversed(crossings), family), *_to(asker, family))
    return next(_losses(state, sent, out), None) or next(_losses(state, answer, back), None)


def _messages(family: Family, address: str, target: str, asker: str, owner: str) -> tuple[Packet, Packet]:
    """The question for a target's MAC address and its answer, by the two's MAC addresses (empty: not known).

    No program makes them: they have no socket, or one of the kernel's.  Their priority is another in each release.
    """
    one, two = asker.lower() or None, owner.lower() or None
    if family == "ip":
        sent = _arp(address, target, "request", one, _NOBODY)
        return replace(sent, mac_to=_EVERYBODY), _arp(target, address, "reply", two, one)
    group = _solicited(target)
    heard = ":".join(f"{byte:02x}" for byte in (0x33, 0x33, *ipaddress.ip_address(group).packed[-4:]))
    sent = replace(_ndp(address, group, _SOLICITATION, one), mac_to=heard)
    return sent, replace(_ndp(target, address, _ADVERTISEMENT, two), mac_to=one)


def _arp(src: str, dst: str, operation: Literal["request", "reply"], mac: str | None, to: str | None) -> Packet:
    """No connection is tracked of ARP: to a rule that asks, it is as invalid.  Source: nft_ct_get_eval (nft_ct.c)."""
    return Packet(
        src=src,
        dst=dst,
        proto="",
        arp_op=operation,
        ctstate="INVALID",
        mac=mac,
        mac_to=to,
        arp_macs=(mac, to),
        by_kernel=True,
        priority=None,
    )


def _solicited(target: str) -> str:
    """The target's solicited-node address."""
    last = int(ipaddress.IPv6Address(target)) & 0xFFFFFF
    return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("ff02::1:ff00:0")) | last))


def _ndp(src: str, dst: str, kind: int, mac: str | None) -> Packet:
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
        priority=None,
    )


def _way(
    sender: Party, receiver: Party, family: Family, crossings: Iterable[Crossing | LowerLink]
) -> Iterator[Point | Device]:
    """The hooks from one interface to the other, with the bridges that either is, or that are between them."""
    yield from _from(sender, family)
    yield from _over_all(crossings, family)
    yield from _to(receiver, family)


def _reversed(crossings: tuple[Crossing | LowerLink, ...]) -> tuple[Crossing | LowerLink, ...]:
    return tuple(
        item._replace(came_by=item.port, port=item.came_by)
        if isinstance(item, Crossing)
        else item._replace(there=item.back, back=item.there)
        for item in reversed(crossings)
    )


def _over_all(crossings: Iterable[Crossing | LowerLink], family: Family) -> Iterator[Point | Device]:
    for crossing in crossings:
        if isinstance(crossing, Crossing):
            yield from _over(crossing, family, called=family == "ip6")
        elif crossing.there:
            yield Device(crossing.ns, crossing.link, crossing.there)


def _from(sender: Party, family: Family) -> Iterator[Point | Device]:
    """What a message passes where it is sent."""
    yield Point(sender.ns, "output", oif=sender.link.name, families=_ARP if family == "ip" else _IPV6)
    if family == "ip6":
        yield Point(sender.ns, "postrouting", oif=sender.link.name)
    yield Device(*sender, "egress")


def _to(receiver: Party, family: Family) -> Iterator[Point | Device]:
    """What a message passes where it is received."""
    yield Device(*receiver, "ingress")
    if family == "ip6":
        yield Point(receiver.ns, "prerouting", iif=receiver.link.name)
    yield Point(receiver.ns, "input", iif=receiver.link.name, families=_ARP if family == "ip" else _IPV6)


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
    said = f"{what}: the {word}"
    sent, last = packet, ""
    for point in points:
        if point.ns.id != last:
            packet, last = replace(packet, mark=sent.mark), point.ns.id  # no mark passes to another namespace
        if isinstance(point, Device):
            packet = yield from _lost_at_device(state, packet, point, said)
            continue
        ns, hook, iif, oif, families = point
        index = state.index(ns)
        found = _policy(state, packet, point)
        if found is not None:
            by = msgspec.structs.replace(found.by, text=f"{said} is stopped by {found.by.text}")
            yield "unknown" if found.end == "unknown" else "unreachable", by
        if index.rules.families.isdisjoint(families):
            continue
        in_bridge = families == _BRIDGE
        framed = in_bridge or hook not in {"output", "postrouting"}  # the sender's own chains come before the frame
        seen = replace(
            packet if framed else replace(packet, mac=""),
            iif=iif,
            oif=oif,
            ibrname=index.bridge_of(iif) if in_bridge else "",
            obrname=index.bridge_of(oif) if in_bridge else "",
        )
        for part in _parts(hook, families):
            tracked = seen if part != "early" else without_connection(seen)
            result = run_hook(state.ruleset(ns), hook, tracked, families=families, part=part, most=state.assume)
            yield from _lost_to_rule(state, ns, result, said)
            packet, seen = with_changes(packet, result.packet), with_changes(seen, result.packet)


def _parts(hook: Hook, families: tuple[str, ...]) -> tuple[ChainPart, ...]:
    """The parts of a hook that a message passes: conntrack leaves it untracked, before which it is in no connection."""
    if families != _IPV6 or hook not in {"prerouting", "output"}:
        return ("all",)
    return "early", "middle", "late"


def _lost_at_device(
    state: WalkState, packet: Packet, at: Device, said: str
) -> Generator[tuple[End, Decider], None, Packet]:
    """Traffic control and the device's own chains; the first is the outermost, but what stops it is all that counts.

    Returns the message as they leave it.
    """
    for loss in losses(state, *at, packet):
        yield "unknown" if loss.end == "unknown" else "unreachable", loss_by(at.ns, at.link, loss)
    result = device_chains(state, at.ns, at.link.name, at.place, packet)
    if result is None:
        return packet
    yield from _lost_to_rule(state, at.ns, result, said)
    return with_changes(packet, result.packet)


def _lost_to_rule(state: WalkState, ns: Namespace, result: HookResult, said: str) -> Iterator[tuple[End, Decider]]:
    state.hedges += result.hedges
    if result.verdict == "accept":
        return
    rule = result.by.rule if result.by is not None else None
    text = f"{said} is stopped by {rule.table} {rule.chain}: {rule.text}" if rule else said
    unsure = result.verdict == "unknown" or (is_unsure(result.hedges) and state.beyond)
    yield "unknown" if unsure else "unreachable", Decider(kind="rule", text=text, namespace=ns.id, rule=rule)
