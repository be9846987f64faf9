"""Whether a sender hears that its packet was too long: the ICMP message walked back to it.  Pure.

Sources: RFC 1191 and RFC 4443; net/ipv4/icmp.c and net/ipv6/icmp.c (``icmp_send``,
``icmp6_send``), which take the source address by the route to the sender.
"""

from __future__ import annotations

from typing import Literal

from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.l3.routing import lookup
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex, index_of
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.diagnostics.walk.stages.mtu import STAGE
from dnet_tui.inspect.model.view import View

_FRAGMENTATION_NEEDED = (3, 4)
_PACKET_TOO_BIG = (2, 0)


def too_big_message(view: View, stopped: Walk) -> Walk | None:
    """The message that reports a packet as too long, on its way to the sender; None where none is sent.

    Bridges and veths are silent, and a sender whose own IP layer refuses
    needs no message.
    """
    obstacle = stopped.obstacles[0] if stopped.obstacles else None
    if stopped.end != "too-big" or obstacle is None or obstacle.stage != STAGE:
        return None
    if obstacle.by.namespace == stopped.origin:
        return None
    ns = view.namespaces[obstacle.by.namespace]
    lost = obstacle.packet
    source = _own_address(index_of(view, ns), lost)
    if not source:
        return None
    kind, code = _FRAGMENTATION_NEEDED if lost.family == "ip" else _PACKET_TOO_BIG
    report = Packet(
        family=lost.family,
        src=source,
        dst=lost.src,
        proto="icmp" if lost.family == "ip" else "icmpv6",
        icmp_type=kind,
        icmp_code=code,
    )
    return walk(view, report, origin=ns.id, outside=not stopped.origin, answers=stopped.tracked)


def _own_address(index: NamespaceIndex, lost: Packet) -> str:
    """The address from which the namespace writes to the sender; empty where it has none."""
    unspecified: Literal["0.0.0.0", "::"] = "0.0.0.0" if lost.family == "ip" else "::"  # noqa: S104
    answer = lookup(index, Packet(family=lost.family, src=unspecified, dst=lost.src, proto="icmp"))
    if answer.source:
        return answer.source
    own = [item for item in index.ns.addresses if item.family == lost.family and item.scope == "global"]
    near = [item for item in own if item.ifindex == answer.ifindex]
    return next((item.address for item in (*near, *own)), "")
