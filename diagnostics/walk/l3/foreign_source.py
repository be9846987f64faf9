"""Whether an answer is sent from an address that isn't its sender's own.  Pure.

What a policy rule and a ``local`` route of a table of its own lead to a host (as for transparent proxies) is taken
there; but IPv4 makes no packet from an address that its local table doesn't know, unless the socket may have others'
addresses (``IP_TRANSPARENT``).  IPv6 does.

Sources: net/ipv4/route.c (ip_route_output_key_hash_rcu: __ip_dev_find, unless FLOWI_FLAG_ANYSRC),
inet_connection_sock.c (inet_csk_route_req), tcp_ipv4.c (tcp_v4_send_reset), icmp.c (icmp_reply).
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l3.routing import address_type
from dnet_tui.diagnostics.walk.l3.socket_match import has_proxy
from dnet_tui.diagnostics.walk.namespace_index import NamespaceIndex
from dnet_tui.diagnostics.walk.packet import Decider, End, Packet, Truth, replace
from dnet_tui.inspect.model import known_items


def foreign_source(index: NamespaceIndex, answer: Packet) -> tuple[End, str, Decider] | None:
    """Why an answer isn't made, where its source is no address of its sender's; None where it is made."""
    if answer.family != "ip" or address_type(index, answer.src) != "UNICAST":
        return None
    may = _may(index, answer)
    if may:
        return None
    text = f"no answer is made: {answer.src} is no address of this namespace"
    if may is None:
        text += ", and whether the socket may have others' (IP_TRANSPARENT) is unknown"
    by = Decider(kind="route", text=text, namespace=index.ns.id)
    return "unknown" if may is None else "dropped", "routing", by


def _may(index: NamespaceIndex, answer: Packet) -> Truth:
    """Whether the socket that answers may have others' addresses; the kernel itself never does."""
    if answer.by_kernel or answer.proto not in {"tcp", "udp"}:
        return False
    asked = replace(answer, src=answer.dst, dst=answer.src, sport=answer.dport, dport=answer.sport, iif="")
    found = has_proxy(index.ns, asked, answer.src, answer.sport or 0)
    bound = any(item.ifindex is not None and item.port == answer.sport for item in known_items(index.ns.sockets))
    return None if bound and found is not True else found
