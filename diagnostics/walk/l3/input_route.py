"""A packet has passed PREROUTING: does this namespace accept its addresses, and where does it go?  Pure.

Source: ``ip_route_input_slow``, ``fib_validate_source`` and ``ip_error`` of
the kernel (net/ipv4/route.c, fib_frontend.c); ip6_input.c and ip6_output.c
for IPv6, which knows no reverse-path check and forwards for the whole
namespace or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dnet_tui.diagnostics.walk.l3 import routing
from dnet_tui.diagnostics.walk.l3.addresses import tentative
from dnet_tui.diagnostics.walk.match.values import is_loopback
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.packet import Decider, End, Packet, replace
from dnet_tui.inspect.model import Link, Namespace


class Stop(NamedTuple):
    """Why a packet isn't let in: how it ends, at which stage, and by what."""

    end: End
    stage: str
    by: Decider


class Admission(NamedTuple):
    """Where a received packet goes, and what stands in its way there, in the order met."""

    answer: routing.RouteAnswer
    stops: tuple[Stop, ...]


def admit(
    index: NamespaceIndex,
    packet: Packet,
    link: Link,
    choose: Callable[[routing.RouteAnswer], routing.RouteAnswer] = lambda answer: answer,
) -> Admission:
    """Route a packet that was received on ``link`` (of a bridge's port: on the bridge).

    ``choose`` takes one of the ways of a multipath route.
    """
    ns = index.ns
    answer = choose(routing.lookup(index, packet))
    stops = [_strange_address(ns, packet, link)]
    late = tentative(index, packet.dst)
    if late is not None and answer.type != "local":
        stops.append(Stop("unknown", "routing", late))
    if answer.type == "local":
        stops.append(_wrong_source(index, packet, link))
    elif answer.type != "unknown":  # where it may be for this host, whether that forwards isn't asked
        stops.append(_may_forward(ns, packet, link))
        if answer.type == "unicast":
            out = index.names.get(answer.ifindex or 0, "")
            stops.append(_wrong_source(index, packet, link, out))
    return Admission(answer, tuple(stop for stop in stops if stop is not None))


def _sysctl(ns: Namespace, stage: str, key: str, value: str) -> Stop:
    return Stop("dropped", stage, Decider(kind="sysctl", text=key, value=value, namespace=ns.id))


def _strange_address(ns: Namespace, packet: Packet, link: Link) -> Stop | None:
    """Loopback addresses never come by wire, unless route_localnet says that they may."""
    loopback = [addr for addr in (packet.src, packet.dst) if is_loopback(addr)]
    if not loopback:
        return None
    if packet.family == "ip6":
        by = Decider(kind="route", text=f"{loopback[0]} is a loopback address", namespace=ns.id)
        return Stop("dropped", "routing", by)
    if routing.switched_on(ns, link.name, "route_localnet"):
        return None
    return _sysctl(ns, "routing", f"net.ipv4.conf.{routing.sysctl_name(link.name)}.route_localnet", "0")


def _may_forward(ns: Namespace, packet: Packet, link: Link) -> Stop | None:
    version = "ipv4" if packet.family == "ip" else "ipv6"
    # IPv4 asks the receiving device (IN_DEV_FORWARD), IPv6 the namespace (devconf_all).
    device = routing.sysctl_name(link.name) if version == "ipv4" else "all"
    key = f"net.{version}.conf.{device}.forwarding"
    value = ns.sysctls.get(key)
    if value is None:
        return Stop("unknown", "forwarding", Decider(kind="gap", text=f"{key} was not read", namespace=ns.id))
    if version == "ipv6" and value == "0":
        # ip6_forward, Linux 6.17: a device may forward although the namespace does not.
        own = f"net.ipv6.conf.{routing.sysctl_name(link.name)}.force_forwarding"
        if ns.sysctls.get(own, "0") != "0":
            return None
    return _sysctl(ns, "forwarding", key, "0") if value == "0" else None


def _wrong_source(index: NamespaceIndex, packet: Packet, link: Link, out: str = "") -> Stop | None:
    """fib_validate_source: nobody else may use this namespace's addresses, and rp_filter may ask for more.

    The way back is looked up as for a packet that comes in by ``out``, the
    device by which this one would leave.
    """
    if packet.family == "ip6":
        return None
    ns = index.ns
    mode = routing.rp_filter(ns, link.name)
    accept_local = routing.switched_on(ns, link.name, "accept_local")
    own = f"net.ipv4.conf.{routing.sysctl_name(link.name)}.accept_local"
    if mode == 0 and not index.is_customised:
        taken = not accept_local and packet.src in index.addresses
        return _sysctl(ns, "reverse-path", own, "0") if taken else None
    # __fib_validate_source: the mark counts only where src_valid_mark says so.
    mark = packet.mark if routing.switched_on(ns, link.name, "src_valid_mark") else 0
    turned = replace(packet, dst=packet.src, src=packet.dst, sport=packet.dport, dport=packet.sport)
    back = routing.lookup(index, replace(turned, iif=out, mark=mark))
    key = f"net.ipv4.conf.{routing.sysctl_name(link.name)}.rp_filter"
    refused = _sysctl(ns, "reverse-path", key, str(mode)) if mode else None
    if back.type == "unknown" and link.ifindex not in back.devices:
        return Stop("unknown", "reverse-path", back.by)
    if back.type not in {"unicast", "unknown", "local", "broadcast", "multicast", "anycast"}:
        return refused
    if back.type != "unicast" and not (back.type == "local" and accept_local) and back.type != "unknown":
        return _sysctl(ns, "reverse-path", own, "0")
    if link.ifindex in back.devices:
        return None
    has_address = any(item.ifindex == link.ifindex and item.family == "ip" for item in ns.addresses)
    return refused if mode == 1 or not has_address else None
