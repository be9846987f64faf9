"""Whether what left the host can be answered: only by a source that the outside finds the way back to.  Pure."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import Literal

import msgspec

from dnet_tui.diagnostics.checks.decisions.untracked import rule_that_exempts
from dnet_tui.diagnostics.context.host_context import INFERRED, HostContext
from dnet_tui.diagnostics.walk.l2.answering import answers
from dnet_tui.diagnostics.walk.l3.routing import lookup
from dnet_tui.diagnostics.walk.namespace_index import index_of
from dnet_tui.diagnostics.walk.packet import Decider, End, Hop, Obstacle, Packet, RuleRef, Walk
from dnet_tui.inspect.model import Link, Namespace, NotSeen, Subnet
from dnet_tui.inspect.text.sanitize import clean

NOBODY_ANSWERS = "outside"
"""The stage of an answer that nobody sends: it ends before it begins."""


def unanswerable(case: HostContext, forward: Walk) -> Walk | None:
    """The answer that nobody outside can send, to a packet that left with a source of the inside; None: it can.

    Where the source is public, was given by a rule from elsewhere, or the
    network is meant to be routed, it depends on the routes of others: then the
    answer's end is unknown.  Of an address beside the host's own the neighbours
    ask who has it; where this host doesn't answer that, none comes back.
    """
    src, host = forward.last.src, case.view.host
    if forward.end != "left" or host is None or any(item.address == src for item in host.addresses):
        return None
    address = ipaddress.ip_address(src)
    link = next((item for item in host.links if item.name == forward.exits), None)
    near = (item for item in host.addresses if link is not None and item.ifindex == link.ifindex)
    on_link = any(address in ipaddress.ip_interface(item.cidr).network for item in near)
    if on_link and (not forward.last.snatted or link is None or _is_answered_for(case, host, link, forward.last)):
        return None  # a neighbour beyond the uplink, by its own address; or whom this host answers for
    # What is at a tunnel's other end may have a way back for it.
    inside = not forward.last.snatted or any(address in ipaddress.ip_interface(i.cidr).network for i in host.addresses)
    routed = address.is_global or not inside or _is_routed(case, address, forward.last.dst) or bool(forward.carried)
    sure = (on_link or not routed) and all(way.end == "left" for way in forward.others)
    known = "nobody outside can answer that, for" if sure else "whether it is routed here isn't known, and"
    rule = _translating(forward) or _exempting(case, forward)
    text = f"left as {src}: {known} {_reason(forward, rule)}"
    kind: Literal["rule", "route"] = "rule" if rule is not None else "route"
    by = Decider(kind=kind, text=text, namespace=host.id, value=src, rule=rule)
    start = Packet(
        family=forward.last.family,
        src=forward.last.dst,
        dst=src,
        proto=forward.last.proto,
        sport=forward.last.dport,
        dport=forward.last.sport,
    )
    end: End = "unreachable" if sure else "unknown"
    stop = Obstacle(end=end, stage=NOBODY_ANSWERS, by=by, packet=start)
    hop = Hop(
        namespace="",
        interface="",
        stage=NOBODY_ANSWERS,
        packet=start,
        verdict="sends none" if sure else "may send none",
    )
    return Walk(start=start, end=end, decided_by=by, hops=(hop,), obstacles=(stop,), last=start)


def _is_answered_for(case: HostContext, host: Namespace, link: Link, packet: Packet) -> bool:
    """Whether the host answers its neighbours who ask for a packet's source (or that can't be told)."""
    index = index_of(case.view, host)
    with suppress(NotSeen):
        asker = lookup(index, msgspec.structs.replace(packet, iif="", oif="")).gateway or packet.dst
        return answers(index, link, packet.src, asker)
    return True


def _translating(forward: Walk) -> RuleRef | None:
    """The rule that gave a packet its source."""
    return next((hop.rule for hop in reversed(forward.hops) if hop.verdict in {"snat", "masquerade"}), None)


def _exempting(case: HostContext, forward: Walk) -> RuleRef | None:
    """The rule by which connection tracking doesn't see a packet."""
    with suppress(NotSeen):  # it only explains
        return rule_that_exempts(case, forward)
    return None


def _reason(forward: Walk, rule: RuleRef | None) -> str:
    place = f"{rule.table} {rule.chain} rule {rule.number}" if rule is not None else ""
    if forward.last.snatted:
        by = f" (by {place})" if place else ""
        return clean(f"that address, which it was given{by}, is neither this host's nor answered for by it")
    if place:
        return clean(f"it isn't tracked (by {place}), so that no rule can give it the host's own address")
    if forward.last.ctstate == "UNTRACKED":
        return "it isn't tracked, so that no rule can give it the host's own address"
    return "no rule gives it the host's own address"


_PRIVATE = tuple(
    ipaddress.ip_network(item)
    for item in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


def _is_routed(case: HostContext, address: ipaddress.IPv4Address | ipaddress.IPv6Address, dst: str) -> bool:
    """Whether an address' network is meant to be routed, rather than translated; or may be, for all that was seen.

    Of a network that no engine declared (a cluster's pods) the machines of a private network may know the way.
    """
    try:
        network = next((item for item in case.networks if _holds(item.subnets, address)), None)
    except NotSeen:
        return True
    if network is None or network.engine == INFERRED:
        there = ipaddress.ip_address(dst)
        if any(there.version == net.version and there in net for net in _PRIVATE):
            return True
    return network is not None and (network.masquerade is False or network.gateway_mode4 == "routed")


def _holds(subnets: tuple[Subnet, ...], address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    nets = (ipaddress.ip_network(item.cidr, strict=False) for item in subnets)
    return any(address.version == net.version and address in net for net in nets)
