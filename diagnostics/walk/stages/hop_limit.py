"""A packet's hop limit, and what else its sender and those who forward it put into it.  Pure.

Sources: net/ipv4/ip_output.c and ip_forward.c, net/ipv6/ip6_output.c (both
lower the limit before FORWARD); net/ipv4/tcp_output.c (``tcp_advertise_mss``).
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l3.routing import RouteAnswer, sysctl_name
from dnet_tui.diagnostics.walk.packet import Decider, replace
from dnet_tui.diagnostics.walk.state import WalkState
from dnet_tui.inspect.model import Link, Namespace, Unread

_OVERHEAD = {"ip": 40, "ip6": 60}
"""Bytes of the headers of IP and TCP."""
_LONGEST = 65_535


def set_by_sender(state: WalkState, ns: Namespace, out: Link, answer: RouteAnswer) -> None:
    """What the kernel puts into a packet whose program asks for nothing special."""
    packet = state.packet
    ttl = _default_ttl(ns, out, packet.family) if packet.ttl is None else packet.ttl
    mss = packet.mss
    if packet.proto == "tcp" and "SYN" in packet.tcp_flags and mss is None and out.mtu:
        mtu = min(answer.mtu or out.mtu, _LONGEST)
        mss = mtu - _OVERHEAD[packet.family] if not answer.advmss else answer.advmss
    state.packet = replace(packet, ttl=ttl, mss=mss)


def _default_ttl(ns: Namespace, out: Link, family: str) -> int | None:
    if isinstance(ns.sysctls, Unread):
        return None
    key = "net.ipv4.ip_default_ttl" if family == "ip" else f"net.ipv6.conf.{sysctl_name(out.name)}.hop_limit"
    value = ns.sysctls.get(key)
    return int(value) if value is not None and value.isdecimal() else None


def lower(state: WalkState, ns: Namespace) -> None:
    """A packet is about to be forwarded: its limit is one less, and at 1 it ends here."""
    packet = state.packet
    if packet.taken_by:
        # ip_forward, ip6_forward: what a socket has been given isn't forwarded.
        text = f"a transparent proxy's rule gave it to the socket {packet.taken_by}, and no route leads it there"
        state.obstacle("dropped", "forwarding", Decider(kind="route", text=text, namespace=ns.id))
    if packet.ttl is not None and packet.ttl <= 1:
        text = "its hop limit is used up (time exceeded)"
        state.obstacle("dropped", "forwarding", Decider(kind="route", text=text, namespace=ns.id))
    left = None if packet.ttl is None else max(packet.ttl - 1, 0)
    state.packet = replace(packet, ttl=left, priority=0 if packet.tos == 0 else None)
