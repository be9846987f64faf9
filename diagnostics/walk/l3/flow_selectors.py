"""Policy rules that ask for a flow's protocol, ports or user (``ip rule … ipproto … dport … uidrange``).  Pure.

Sources: net/ipv4/fib_rules.c (fib4_rule_match, fib4_rules_early_flow_dissect:
of a received packet its headers are read), include/net/fib_rules.h;
net/core/fib_rules.c (fib_uid_range_match: what is forwarded is user 0's);
net/ipv4/fib_frontend.c (__fib_validate_source: ports are swapped).
A port is a range, or since Linux 6.15 some of its bits (fib_rule_port_match).
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.match.values import in_span, masked, protocol_name
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.protocols import PORT_PROTOCOLS

_MOST_PORT = 65_535
DECIDED = frozenset({"ipproto", "sport", "dport", "uidrange"})
"""The selectors' first words."""


def selected(selector: str, packet: Packet) -> Truth:
    """Whether a packet has what a selector asks for; None where that isn't known, or the selector isn't modelled.

    A look-up that is only about addresses has no protocol, or one without a
    port: then nothing is known.  For ARP's the kernel asks with protocol and
    ports 0, which no such rule has (fib4_rule_match, arp_process, arp_filter).
    """
    name, _, value = selector.partition(" ")
    if packet.arp_op and name in {"ipproto", "sport", "dport"}:
        return False
    if name == "ipproto":
        return protocol_name(value) == protocol_name(packet.proto) if packet.proto else None
    if name in {"sport", "dport"}:
        port = packet.sport if name == "sport" else packet.dport
        if packet.proto in PORT_PROTOCOLS:
            return _has_port(value, port) if port else None
        if not packet.proto:
            return None
        # An ICMP message that is made here may have its type and code in the place of the port (union flowi_uli).
        other = 0 if packet.iif or name == "sport" else packet.icmp_type << 8 | packet.icmp_code
        found = {_has_port(value, number) for number in (0, other)}
        return found.pop() if len(found) == 1 else None
    if name == "uidrange":
        user = 0 if packet.iif else packet.uid
        return None if user is None else in_span(value.replace("-", ":"), user, user, 0xFFFFFFFF)
    return None


def _has_port(value: str, port: int) -> Truth:
    """Whether a port is ``80``, in ``80-90``, or in some of its bits alike, ``80/0x00ff`` (fib_rule_port_match)."""
    want, _, mask = value.partition("/")
    if mask:
        bits = int(mask, 16)
        return masked(f"{int(want) & bits}/{mask}", port)
    return in_span(value.replace("-", ":"), port, port, _MOST_PORT)
