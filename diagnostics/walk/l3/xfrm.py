"""IPsec policies: which one decides over a packet, and what that means for one that isn't encrypted.  Pure.

Sources: net/xfrm/xfrm_policy.c (xfrm_selector_match, __xfrm_policy_check,
xfrm_lookup, xfrm_policy_ok); net/netfilter/nf_nat_core.c
(__nf_nat_decode_session); ip_forward.c, route.c and nf_nat_core.c
(nf_xfrm_me_harder) for where they are asked.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal, NamedTuple

from dnet_tui.diagnostics.walk.l3.routing import switched_on, sysctl_name
from dnet_tui.diagnostics.walk.match.values import contains, is_multicast, protocol_name
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.netfilter.conntrack import is_icmp_error
from dnet_tui.diagnostics.walk.packet import Decider, End, Packet, Truth, replace
from dnet_tui.inspect.model import Link, Unread
from dnet_tui.inspect.model.coverage.sections import NOT_READ
from dnet_tui.inspect.model.protocols import NUMBERS, PORT_PROTOCOLS
from dnet_tui.inspect.model.routing import XfrmPolicy

_ECHO_REPLY6 = 129

Direction = Literal["in", "out", "fwd"]


class PolicyVerdict(NamedTuple):
    """What a policy does to the packet: ``dropped`` or ``unknown``."""

    end: End
    by: Decider


def policy_stop(
    index: NamespaceIndex,
    packet: Packet,
    direction: Direction,
    *,
    came_by: Link | None,
    out: Link | None,
    plain: bool,
    made_here: bool = False,
) -> PolicyVerdict | None:
    """Why a policy doesn't let a packet pass as it is; None where none has anything against it.

    ``came_by`` is the link it was received on, ``out`` the one it leaves by;
    ``plain``: it is certain that it didn't come encrypted; ``made_here``: it
    is being made, and its first route is looked up.
    """
    if _is_exempt(index, packet, direction, came_by, out):
        return None
    asked = packet if direction == "out" else _as_received(packet)
    device = _first_device(asked, out) if made_here else _device(index, asked, direction, out)
    policy, sure = _chosen(index, asked, direction, device)
    if policy is None:
        return None
    by = Decider(kind="policy", text=policy_text(policy), namespace=index.ns.id, value=direction)
    if not sure:
        return PolicyVerdict("unknown", by)
    if policy.action == "block":
        return PolicyVerdict("dropped", by)
    required = [item for item in policy.templates if not item.optional]
    if direction == "out":
        return PolicyVerdict("unknown", by) if policy.templates else None
    if not required:
        return None
    return PolicyVerdict("dropped" if plain else "unknown", by)


def _device(index: NamespaceIndex, packet: Packet, direction: Direction, out: Link | None) -> int | None:
    """The device that a policy's ``dev`` is held against: its route's, of what is for oneself the loopback or the VRF.

    None: not known, as for what is for a group.  Source: __xfrm_decode_session.
    """
    if direction == "in" and not is_multicast(packet.dst):
        came_by = index.link(packet.iif)
        out = came_by if came_by is not None and came_by.kind == "vrf" else index.loopback
    return out.ifindex if out is not None else None


def _first_device(packet: Packet, out: Link | None) -> int | None:
    """The device that a policy's ``dev`` is held against for what is being made: mostly there is none in IPv6.

    ICMP errors have none in IPv4 either; 0: no device.  Of IPv6's echo reply it is the request's.  Sources:
    ip_route_output_flow and icmp_route_lookup; ip6_dst_lookup_flow, icmpv6_echo_reply.
    """
    if packet.family == "ip":
        return 0 if is_icmp_error(packet) else out.ifindex if out is not None else None
    scoped = ip_address(packet.dst).is_link_local or is_multicast(packet.dst)
    return None if scoped or (packet.proto, packet.icmp_type) == ("icmpv6", _ECHO_REPLY6) else 0


def _as_received(packet: Packet) -> Packet:
    """The packet with the addresses and ports it came with, before NAT (nf_nat_decode_session)."""
    if packet.reply and packet.answered is not None:
        src, dst, sport, dport = packet.answered
    elif packet.original is not None and not packet.reply:
        (src, dst, dport), sport = packet.original, packet.orig_sport
    else:
        return packet
    if packet.proto not in PORT_PROTOCOLS:
        return replace(packet, src=src, dst=dst)
    return replace(packet, src=src, dst=dst, sport=sport, dport=dport)


def policy_text(policy: XfrmPolicy) -> str:
    """The policy as ``ip xfrm policy`` words it, in one line."""
    words = [f"dir {policy.direction} src {policy.src} dst {policy.dst}"]
    words += [f"proto {policy.proto}"] if policy.proto else []
    words += [f"sport {policy.sport[0]}"] if policy.sport[1] else []
    words += [f"dport {policy.dport[0]}"] if policy.dport[1] else []
    words += ["action block"] if policy.action == "block" else []
    words += [f"tmpl proto {item.proto} mode {item.mode}" for item in policy.templates]
    return "IPsec policy " + " ".join(words)


def _is_exempt(
    index: NamespaceIndex, packet: Packet, direction: Direction, came_by: Link | None, out: Link | None
) -> bool:
    ns = index.ns
    if isinstance(ns.xfrm_policies, Unread):
        if ns.xfrm_policies.reason == NOT_READ:
            return True
        raise ns.xfrm_policies.not_seen()
    if not ns.xfrm_policies:
        return True
    if packet.family == "ip6":
        return direction == "in" and _is_freed6(index, packet.dst)
    link, switch = (out, "disable_xfrm") if direction == "out" else (came_by, "disable_policy")
    return link is not None and (link.kind == "loopback" or switched_on(ns, link.name, switch))


def _is_freed6(index: NamespaceIndex, address: str) -> bool:
    """Whether policies aren't asked about what comes for an own address of IPv6.

    The device that has the address decides, not the one it comes by; the loopback isn't free by itself, and
    nothing frees what goes out (addrconf_f6i_alloc).
    """
    values = index.ns.sysctls
    holders = [index.names.get(item.ifindex, "") for item in index.ns.addresses if item.address == address]
    return any(
        values.get(f"net.ipv6.conf.{scope}.disable_policy", "0") != "0"
        for device in holders
        for scope in ("all", sysctl_name(device))
    )


def _chosen(
    index: NamespaceIndex, packet: Packet, direction: Direction, ifindex: int | None
) -> tuple[XfrmPolicy | None, bool]:
    """The policy that decides, the one with the lowest priority number; False where another may."""
    for policy in sorted(index.ns.xfrm, key=lambda item: item.priority):
        if policy.direction != direction or policy.family != packet.family:
            continue
        fits = _fits(policy, packet, ifindex)
        if fits is not False:
            return policy, fits is True
    return None, True


def _fits(policy: XfrmPolicy, packet: Packet, ifindex: int | None) -> Truth:
    if policy.if_id:
        return False
    number = NUMBERS.get(protocol_name(packet.proto))
    ports = packet.proto in PORT_PROTOCOLS
    ends = (packet.sport, packet.dport) if ports else (packet.icmp_type, packet.icmp_code)
    tests: list[Truth] = [
        contains(policy.src, packet.src),
        contains(policy.dst, packet.dst),
        _same(policy.ifindex, ifindex),
        _same(policy.proto, number),
        *(_masked(value, mask, port) for (value, mask), port in zip((policy.sport, policy.dport), ends, strict=True)),
    ]
    if policy.mark[1]:
        tests.append(None if packet.mark is None else packet.mark & policy.mark[1] == policy.mark[0])
    if policy.other:
        tests.append(None)
    return False if False in tests else None if None in tests else True


def _same(wanted: int, number: int | None) -> Truth:
    """Whether a number is the one that is wanted, where one is."""
    if not wanted:
        return True
    return None if number is None else number == wanted


def _masked(value: int, mask: int, port: int | None) -> Truth:
    if not mask:
        return True
    return None if port is None else port & mask == value & mask
