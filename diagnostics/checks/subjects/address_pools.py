"""How much room an engine's default address pools have left for new networks.  Pure.

Docker takes the first subnet that overlaps none of its networks and no route
of the host: since 23.0 none that is on-link (``scope link``), before that
none but the default route (moby, libnetwork/netutils/utils_linux.go,
``queryOnLinkRoutes``; pull request 42598).  Addresses of name servers count
as well there and don't here, so there may be one or two fewer.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.inspect.model import AddressPool, Engine, Network, known_items
from dnet_tui.inspect.model.default_routes import MAIN

_ON_LINK_SINCE = 23

_Net = ipaddress.IPv4Network


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """How many subnets the pools have, and how many of them could still be given to a network."""

    total: int
    free: int


def room(case: HostContext, engine: Engine) -> Room | None:
    """The room for IPv4 networks; None when the pools or the routes aren't known."""
    host = case.view.host
    if engine.address_pools is None or host is None or case.view.gaps("routes", host.id):
        return None
    taken = [*_taken_by_networks(known_items(case.snapshot.networks), engine), *_taken_by_routes(case, engine)]
    total = free = 0
    for pool in dict.fromkeys(engine.address_pools):
        count, left = _room_of(pool, taken)
        total, free = total + count, free + left
    return Room(total=total, free=free)


def _taken_by_networks(networks: Iterable[Network], engine: Engine) -> Iterator[_Net]:
    for network in networks:
        if network.engine == engine.name and network.driver != "overlay":  # Swarm has pools of its own for these
            yield from (net for subnet in network.subnets if (net := _ipv4(subnet.cidr)) is not None)


def _taken_by_routes(case: HostContext, engine: Engine) -> Iterator[_Net]:
    major = engine.version.partition(".")[0]
    on_link = not (major.isascii() and major.isdecimal() and int(major) < _ON_LINK_SINCE)
    for route in case.view.host.routes if case.view.host is not None else ():
        if route.family == "ip" and route.table == MAIN and (route.scope == "link" or not on_link):
            net = _ipv4(route.dst)
            if net is not None and net.prefixlen:
                yield net


def _ipv4(cidr: str) -> _Net | None:
    try:
        return ipaddress.IPv4Network(cidr, strict=False)
    except ValueError:
        return None


def _room_of(pool: AddressPool, taken: Iterable[_Net]) -> tuple[int, int]:
    """How many subnets one pool has, and how many are left: counted by ranges, since there may be thousands."""
    base = _ipv4(pool.base)
    if base is None or not base.prefixlen <= pool.size <= 32:
        return 0, 0
    first, shift = int(base.network_address), 32 - pool.size
    count = 1 << (pool.size - base.prefixlen)
    spans = sorted(
        (
            max(0, (int(net.network_address) - first) >> shift),
            min(count - 1, (int(net.broadcast_address) - first) >> shift),
        )
        for net in taken
        if net.overlaps(base)
    )
    used, upto = 0, -1
    for low, high in spans:
        if high > upto:
            used += high - max(low, upto + 1) + 1
            upto = high
    return count, count - used
