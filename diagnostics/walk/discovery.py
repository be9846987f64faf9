"""Neighbour discovery: unlike ARP it is ICMPv6, and passes the hooks like any other packet.  Pure.

Where the sender doesn't remember its neighbour, a rule that stops the
question or the answer stops the packet.  Conntrack leaves both untracked
(nf_conntrack_proto_icmpv6.c).  Sources: RFC 4861, RFC 4291 for the address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dnet_tui.diagnostics.walk import routing
from dnet_tui.diagnostics.walk.hooks import run_hook
from dnet_tui.diagnostics.walk.packet import Decider, End, Packet
from dnet_tui.inspect.firewall import Firewall, Hook
from dnet_tui.inspect.model import Namespace

_SOLICITATION, _ADVERTISEMENT = 135, 136


class Point(NamedTuple):
    """A hook that a packet passes, with the interfaces it sees there."""

    ns: Namespace
    hook: Hook
    iif: str = ""
    oif: str = ""


def sent_by(ns: Namespace, device: str) -> tuple[Point, ...]:
    """The hooks on the way out of a namespace."""
    return Point(ns, "output", oif=device), Point(ns, "postrouting", oif=device)


def received_by(ns: Namespace, device: str) -> tuple[Point, ...]:
    """The hooks on the way in."""
    return Point(ns, "prerouting", iif=device), Point(ns, "input", iif=device)


def bridged_by(ns: Namespace, bridge: str) -> tuple[Point, ...]:
    """The hooks that br_netfilter calls for a frame that crosses a bridge."""
    return (
        Point(ns, "prerouting", iif=bridge),
        Point(ns, "forward", iif=bridge, oif=bridge),
        Point(ns, "postrouting", oif=bridge),
    )


def question(asker: str, target: str) -> Packet:
    """The neighbour solicitation, to the target's solicited-node address."""
    last = int(ipaddress.IPv6Address(target)) & 0xFFFFFF
    group = str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("ff02::1:ff00:0")) | last))
    return _packet(asker, group, _SOLICITATION)


def answer(asker: str, target: str) -> Packet:
    """The neighbour advertisement."""
    return _packet(target, asker, _ADVERTISEMENT)


def _packet(src: str, dst: str, kind: int) -> Packet:
    return Packet(family="ip6", src=src, dst=dst, proto="icmpv6", icmp_type=kind, ctstate="UNTRACKED")


def lost(packet: Packet, points: Iterable[Point]) -> tuple[End, Decider] | None:
    """Why a packet of neighbour discovery doesn't get past these hooks; None when it does."""
    return next(_losses(packet, points), None)


def _losses(packet: Packet, points: Iterable[Point]) -> Iterator[tuple[End, Decider]]:
    word = "question" if packet.icmp_type == _SOLICITATION else "answer"
    for ns, hook, iif, oif in points:
        seen = Packet(
            family="ip6", src=packet.src, dst=packet.dst, proto="icmpv6", icmp_type=packet.icmp_type,
            ctstate="UNTRACKED", iif=iif, oif=oif,
        )  # fmt: skip
        result = run_hook(
            ns.firewall or Firewall(),
            hook,
            seen,
            namespace=ns.id,
            address_type=lambda address, ns=ns: routing.address_type(ns, address),  # type: ignore[misc]
        )
        if result.verdict != "accept":
            rule = result.by.rule if result.by is not None else None
            text = (
                f"neighbour discovery: the {word} is stopped by {rule.table} {rule.chain}: {rule.text}" if rule else ""
            )
            end: End = "unknown" if result.verdict == "unknown" else "unreachable"
            yield end, Decider(kind="rule", text=text or f"neighbour discovery: the {word}", namespace=ns.id, rule=rule)
