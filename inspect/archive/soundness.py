"""Whether a decoded snapshot's addresses are addresses: all who think about it take that for granted.  Pure.

A live host's always are: the kernel gave them as numbers.  A file may say
anything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from dnet_tui.inspect.archive.migrations import UnsoundError
from dnet_tui.inspect.model import Namespace, Snapshot, known_items

_BITS = {"ip": (4, 32), "ip6": (6, 128)}


def require_sound(snapshot: Snapshot) -> Snapshot:
    """The snapshot itself.

    Raises:
        UnsoundError: something that must be an address isn't one.
    """
    seen: set[str] = set()
    for text in _addresses(snapshot):
        if text not in seen:
            _version(text)
            seen.add(text)
    for ns in known_items(snapshot.namespaces):
        for item in known_items(ns.addresses):
            version, bits = _BITS[item.family]
            if _version(item.address) != version or not 0 <= item.prefixlen <= bits:
                raise UnsoundError(f"{item.address!r}/{item.prefixlen} is no address of IPv{version}")
    return snapshot


def _version(text: str) -> int:
    try:
        return ipaddress.ip_address(text).version
    except ValueError as error:
        raise UnsoundError(f"{text!r} is no address") from error


def _addresses(snapshot: Snapshot) -> Iterator[str]:
    for ns in known_items(snapshot.namespaces):
        yield from _of_namespace(ns)
    for proxy in snapshot.proxies:
        yield from (proxy.host_ip, proxy.container_ip)
    for other in snapshot.forwarders:
        yield other.host_ip
        yield from filter(None, (other.to_ip,))
    for network in known_items(snapshot.networks):
        yield from (item.address for item in network.virtual)


def _of_namespace(ns: Namespace) -> Iterator[str]:
    for route in known_items(ns.routes):
        yield from filter(None, (route.source, *(hop.gateway for hop in route.hops)))
    yield from (item.address for item in known_items(ns.neighbours))
    yield from (item.address for item in known_items(ns.proxied))
    yield from (item.address for item in known_items(ns.sockets))
    for entry in known_items(ns.conntrack):
        for way in (entry.original, entry.reply):
            yield from (way.src, way.dst)
