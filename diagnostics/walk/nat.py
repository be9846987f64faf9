"""NAT: rewriting a packet, and undoing it for the answer.  Pure.

Sources: iptables-extensions(8) for the statements; nf_nat_core.c for the
order in which a reply is translated back (destination before routing, source
after it).
"""

from __future__ import annotations

import msgspec

from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.firewall import Hook, Nat
from dnet_tui.inspect.model import Namespace


def apply_nat(ns: Namespace, nat: Nat, packet: Packet, interface: str) -> Packet:
    """Rewrite a packet as a NAT statement says; MASQUERADE takes the outgoing interface's first address."""
    address = nat.addresses.split("-")[0].strip("[]")
    ports = nat.ports.replace("-", ":").split(":")[0]
    port = int(ports) if ports.isdigit() else 0
    if nat.kind in {"dnat", "redirect"}:
        if nat.kind == "redirect":
            address = primary_address(ns, interface, packet.family) or packet.dst
        return altered(packet, dst=address or packet.dst, dport=port or packet.dport, dnatted=True)
    if nat.kind == "masquerade":
        address = primary_address(ns, packet.oif or interface, packet.family)
    return altered(packet, src=address or packet.src, sport=port or packet.sport, snatted=True)


def primary_address(ns: Namespace, interface: str, family: str) -> str:
    """The first global address of an interface, empty when it has none."""
    index = next((link.ifindex for link in ns.links if link.name == interface), None)
    return next(
        (
            item.address
            for item in ns.addresses
            if item.ifindex == index
            and item.family == family
            and item.scope == "global"
            and "secondary" not in item.flags
        ),
        "",
    )


def undo_nat(hook: Hook, packet: Packet, before: Packet, after: Packet) -> Packet:
    """Translate an answer back: ``before`` and ``after`` are the connection's first packet around its NAT."""
    if hook in {"prerouting", "output"} and packet.dst == after.src:
        return altered(packet, dst=before.src, dport=before.sport)
    if hook in {"postrouting", "input"} and packet.src == after.dst:
        return altered(packet, src=before.dst, sport=before.dport)
    return packet


def altered(packet: Packet, **changes: object) -> Packet:
    """The packet with some fields changed."""
    return msgspec.structs.replace(packet, **changes)
