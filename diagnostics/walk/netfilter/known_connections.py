"""The connections that a walk's caller tells of: those that the packet answers, continues, or reports on.  Pure."""

from __future__ import annotations

from collections import defaultdict

from dnet_tui.diagnostics.walk.netfilter.conntrack import Connection, belongs, continues, is_icmp_error
from dnet_tui.diagnostics.walk.packet import Packet

Tracked = tuple[tuple[str, Packet, Packet], ...]
"""(namespace, packet before NAT, packet after NAT) of each conntrack that saw a flow."""

Continued = tuple[tuple[str, Packet, Packet, bool], ...]
"""The same of a flow of which a later packet walks, and whether its answer was seen there."""


class KnownConnections:
    """By namespace; ``met`` are the namespaces in which the packet was known for one of them."""

    def __init__(self, answered: Tracked, continued: Continued, reported: Tracked = ()) -> None:
        self.is_answer = bool(answered)
        self.met: dict[str, None] = {}
        self._answered: defaultdict[str, list[Connection]] = defaultdict(list)
        self._continued: defaultdict[str, list[Connection]] = defaultdict(list)
        self._reported: defaultdict[str, list[Connection]] = defaultdict(list)
        for namespace, before, after in reported:
            self._reported[namespace].append(Connection(before, after, reply=False, is_ours=False))
        for namespace, before, after in answered:
            self._answered[namespace].append(Connection(before, after))
        for namespace, before, after, seen_reply in continued:
            self._continued[namespace].append(Connection(before, after, reply=False, seen_reply=seen_reply))

    def of(self, namespace: str) -> list[Connection]:
        """Those whose answer may be walking in a namespace."""
        return self._answered.get(namespace, [])

    def find(self, namespace: str, packet: Packet) -> Connection | None:
        """The connection that a packet answers or continues in a namespace.

        An ICMP error about an answer goes the way of the connection's first packet (nf_conntrack_inet_error).
        """
        answered = (item for item in self._answered.get(namespace, ()) if belongs(packet, item))
        continued = (item for item in self._continued.get(namespace, ()) if continues(packet, item))
        found = next(answered, None) or next(continued, None)
        if found is None and is_icmp_error(packet):
            return next((item for item in self._reported.get(namespace, ()) if packet.dst == item.after.dst), None)
        if found is not None:
            self.met[namespace] = None
        return found
