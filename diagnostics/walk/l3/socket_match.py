"""Whether a local socket takes a packet, as rules ask it: ``-m socket``, transparent proxies.  Three-valued and pure.

Sources: the kernel's xt_socket.c, xt_TPROXY.c, nf_socket_ipv4.c,
nf_tproxy_ipv4.c; nft_socket.c, nft_tproxy.c.
"""

from __future__ import annotations

from dnet_tui.diagnostics.walk.l3.listener import takes
from dnet_tui.diagnostics.walk.netfilter.conntrack import is_icmp_error
from dnet_tui.diagnostics.walk.packet import Established, Packet, Truth, replace
from dnet_tui.inspect.model import Namespace, NotSeen, Socket, known_items, require

_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def has_socket(ns: Namespace, packet: Packet, *, bound: bool, transparent: bool) -> Truth:
    """Whether the connection's own socket has a packet, or a listening one takes it; others' sockets aren't known."""
    if packet.proto not in {"tcp", "udp"}:
        return None if is_icmp_error(packet) else False  # an error's inner packet counts
    own = packet.established
    later = set(packet.tcp_flags) - {"SYN"} if packet.proto == "tcp" else packet.ctstate != "NEW"
    if packet.reply or (later and own is None):
        return None
    if own is not None and own.namespace == ns.id and own.ends == _ends(packet):
        return own.transparent if transparent else True  # one for itself alone: never bound to any address
    found = [
        _fits(item, bound=bound, transparent=transparent) for item in known_items(ns.sockets) if takes(ns, item, packet)
    ]
    maybe = any(takes(ns, item, packet) is None for item in known_items(ns.sockets))
    if not found and not maybe:
        return False if _is_read(ns) else None
    return None if maybe or len(set(found)) > 1 else found[0]


def established(ns: Namespace, first: Packet) -> Established | None:
    """The socket that a namespace makes of TCP's first packet, delivered there; None of another protocol's."""
    if first.proto != "tcp":
        return None
    found = None if first.taken_by else proxy_of(ns, first, first.dst, first.dport or 0)
    transparent = True if first.taken_by else found.transparent if found is not None else None
    return Established(namespace=ns.id, ends=_ends(first), transparent=transparent)


def _ends(packet: Packet) -> tuple[str, str, int | None, int | None]:
    return packet.src, packet.dst, packet.sport, packet.dport


def _fits(socket: Socket, *, bound: bool, transparent: bool) -> Truth:
    if bound and socket.address in _ANY:
        return False
    return socket.transparent if transparent else True


def _is_read(ns: Namespace) -> bool:
    try:
        require(ns.sockets)
    except NotSeen:
        return False
    return True


def proxy_of(ns: Namespace, packet: Packet, address: str, port: int) -> Socket | None:
    """The listening socket that a transparent proxy's rule means, whether it is transparent or not."""
    asked = replace(packet, dst=address, dport=port)
    fitting = [item for item in known_items(ns.sockets) if takes(ns, item, asked)]
    exact = [item for item in fitting if item.address not in _ANY]
    return next(iter((*exact, *fitting)), None)


def has_proxy(ns: Namespace, packet: Packet, address: str, port: int) -> Truth:
    """Whether a transparent socket listens there; a socket that isn't transparent is none."""
    found = proxy_of(ns, packet, address, port)
    if found is None:
        return False if _is_read(ns) else None
    return found.transparent
