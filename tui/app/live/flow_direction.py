"""Which packets at a flow's points are the flow's own: those that ask, and those that answer.  Pure."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from dnet_tui.inspect.model import known_items
from dnet_tui.inspect.model.default_routes import uplinks
from dnet_tui.inspect.model.view import View

if TYPE_CHECKING:
    from dnet_tui.diagnostics.trace.trace import Trace
    from dnet_tui.inspect.capture.correlation.flow_table import CapturedFlow
    from dnet_tui.inspect.capture.correlation.packet_row import PacketRow

ICMP = frozenset({1, 58})
"""The protocol numbers of ICMP and ICMPv6."""


class Beyond:
    """Tells addresses beyond the host from the host's own and from those on its bridges.

    A bridge that a way out leaves by has the neighbours outside on it too, so
    that of its subnet only the host's own addresses are here.
    """

    def __init__(self, view: View) -> None:
        self._own: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        host = view.host
        if host is None:
            return
        out = {link.ifindex for link in uplinks(host)}
        bridges = {link.ifindex for link in known_items(host.links) if link.kind == "bridge"} - out
        for item in known_items(host.addresses):
            self._own.add(item.address)
            if item.ifindex in bridges:
                self._networks.append(ipaddress.ip_network(item.cidr, strict=False))

    def has(self, address: str) -> bool:
        """Whether a single host beyond this one may have it."""
        ip = ipaddress.ip_address(address)
        if address in self._own or ip.is_multicast or ip.is_loopback or ip.is_unspecified:
            return False
        if address == "255.255.255.255" or (ip.version == 6 and ip.is_link_local):
            return False
        return not any(ip.version == network.version and ip in network for network in self._networks)


class FlowDirection:
    """Tells a flow's own packets from those of others that pass the same points: by what was sent first.

    An end that stands for any place outside is anybody beyond the host, whatever
    the port (what is sent there as a test is a ping), but only in a conversation
    that began the way that was asked about: what a container says to its host,
    to its neighbours or to somebody who called it is none of its way out.
    """

    def __init__(self, trace: Trace, view: View) -> None:
        start = trace.forward.start
        self._src = "" if trace.source.kind == "outside" else start.src
        self._dst = "" if trace.target.kind == "outside" else start.dst
        self._port = start.dport if start.proto in {"tcp", "udp"} and self._dst else 0
        self._beyond = Beyond(view)

    def is_there(self, row: PacketRow) -> bool:
        """Whether a packet goes the way that was asked about."""
        return row.flow is not None and self._asks(row.flow)

    def is_back(self, row: PacketRow) -> bool:
        """Whether a packet is an answer, or an error that an ICMP message tells the sender of."""
        if row.flow is not None and row.flow.reverse is not None and self._asks(row.flow.reverse):
            return True
        about = row.identity.about
        if about is None or about.ends is None or not self._is(self._dst, about.ends.dst, or_any=bool(self._dst)):
            return False
        seen = [item.ends for item in row.sightings if item.ends is not None]
        return any(text(ends.dst) == self._src for ends in seen)

    def _asks(self, flow: CapturedFlow) -> bool:
        first = flow.tuples[0]
        if not self._is(self._src, first.src) or not self._is(self._dst, first.dst):
            return False
        if not (self._src and self._dst) and flow.reverse is not None and flow.reverse.number < flow.number:
            return False
        return not self._port or first.proto in ICMP or first.dport == self._port

    def _is(self, wanted: str, address: bytes, *, or_any: bool = False) -> bool:
        """Whether an address is an end of the flow; ``or_any``: it may have been translated, so that any will do."""
        return or_any or (text(address) == wanted if wanted else self._beyond.has(text(address)))


def text(address: bytes) -> str:
    """An address as it is written."""
    return str(ipaddress.ip_address(address))
