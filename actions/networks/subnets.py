"""Which addresses a host uses already, and which range is free for one more network, of both families.  Pure."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator
from itertools import islice

from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Snapshot, known_items
from dnet_tui.inspect.model.view import View

AddressRange = ipaddress.IPv4Network
Net6 = ipaddress.IPv6Network

_BROAD = 8
"""Routes shorter than this aren't somebody's subnet but a way to everywhere (VPNs split the default into two /1)."""

_POOLS = ("172.16.0.0/12", "10.128.0.0/9", "192.168.0.0/16")
_UNSUITABLE = ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "0.0.0.0/8")
_LARGEST, _SMALLEST = 8, 29

_UNSUITABLE6 = ("::/8", "fe80::/10", "fec0::/10", "ff00::/8")
_LARGEST6, _SMALLEST6 = 40, 120
_BROAD6 = 16


def in_use(snapshot: Snapshot) -> Iterator[tuple[AddressRange, str]]:
    """Yield every IPv4 range that the host's networks, addresses and routes use, with who uses it."""
    for network in known_items(snapshot.networks):
        for subnet in network.subnets:
            if ":" not in subnet.cidr:
                yield ipaddress.IPv4Network(subnet.cidr, strict=False), f"{network.engine} network {network.name}"
    host = View(snapshot).host
    if host is None:
        return
    names = {link.ifindex: link.name for link in host.links}
    for address in host.addresses:
        if address.family == "ip":
            net = ipaddress.IPv4Network(address.cidr, strict=False)
            yield net, f"{address.cidr} on {names.get(address.ifindex, '?')}"
    for route in host.routes:
        if route.family != "ip" or route.type in ("local", "broadcast", "multicast"):
            continue
        net = ipaddress.IPv4Network(route.dst, strict=False)
        if net.prefixlen >= _BROAD:
            device = next((names.get(hop.ifindex or 0, "") for hop in route.hops), "")
            yield net, f"the route to {route.dst}" + (f" by {device}" if device else "")


def in_use6(snapshot: Snapshot) -> Iterator[tuple[Net6, str]]:
    """The same for IPv6; what is link-local is everywhere and nobody's."""
    for network in known_items(snapshot.networks):
        for subnet in network.subnets:
            if ":" in subnet.cidr:
                yield Net6(subnet.cidr, strict=False), f"{network.engine} network {network.name}"
    host = View(snapshot).host
    if host is None:
        return
    names = {link.ifindex: link.name for link in host.links}
    for address in host.addresses:
        if address.family == "ip6" and address.scope == "global":
            yield Net6(address.cidr, strict=False), f"{address.cidr} on {names.get(address.ifindex, '?')}"
    for route in host.routes:
        if route.family != "ip6" or route.type in ("local", "anycast", "multicast"):
            continue
        net = Net6(route.dst, strict=False)
        if net.prefixlen >= _BROAD6 and not net.is_link_local:
            yield net, f"the route to {route.dst}"


def overlap(snapshot: Snapshot, subnet: AddressRange) -> str:
    """Return who uses a part of ``subnet`` already, empty when nobody does."""
    return next((who for net, who in in_use(snapshot) if net.overlaps(subnet)), "")


def suggest_subnet6(snapshot: Snapshot) -> str | None:
    """Return a /64 of unique local addresses that nothing on the host uses.

    Its 40 bits of global ID are drawn from the host's name, so that two hosts
    hardly get the same one (RFC 4193, section 3.2).
    """
    name = hashlib.blake2b(snapshot.host.hostname.encode(), digest_size=5).digest()
    whole = Net6((b"\xfd" + name + bytes(10), 48))
    taken = [net for net, _ in in_use6(snapshot)]
    free = (net for net in islice(whole.subnets(new_prefix=64), 256) if not any(net.overlaps(one) for one in taken))
    return next((str(net) for net in free), None)


def suggest_subnet(snapshot: Snapshot, prefixlen: int = 24) -> str | None:
    """Return a private range that nothing on the host uses, None when all are taken.

    It comes from 172.16/12 (from 172.20 on), then 10.128/9, then 192.168/16, but from none of the pools that an
    engine here takes its next networks from, unless nothing else is free.
    """
    used = [net for net, _ in in_use(snapshot)]
    return _suggest([*used, *_pools(snapshot)], prefixlen) or _suggest(used, prefixlen)


def _pools(snapshot: Snapshot) -> Iterator[AddressRange]:
    """The IPv4 ranges that the engines here take the subnets of their next networks from, as far as they tell."""
    for engine in known_items(snapshot.engines):
        for pool in engine.address_pools or ():
            if ":" not in pool.base:
                yield ipaddress.IPv4Network(pool.base, strict=False)


def _suggest(taken: list[AddressRange], prefixlen: int) -> str | None:
    for pool in _POOLS:
        whole = ipaddress.IPv4Network(pool)
        if prefixlen < whole.prefixlen:
            continue
        inside = [net for net in taken if net.overlaps(whole)]
        if any(net.supernet_of(whole) for net in inside):
            continue
        for candidate in whole.subnets(new_prefix=prefixlen):
            if pool == _POOLS[0] and candidate.network_address < ipaddress.IPv4Address("172.20.0.0"):
                continue  # the first ones are what a Docker installed later takes by itself
            if not any(net.overlaps(candidate) for net in inside):
                return str(candidate)
    return None


def checked_subnet(snapshot: Snapshot, text: str) -> AddressRange:
    """Return the IPv4 subnet that a person asked for.

    Raises:
        UsageError: It is no IPv4 subnet, unsuitable for containers, or in use; the hint names a free one.
    """
    free = suggest_subnet(snapshot)
    hint = f"{free} is free" if free else "give a free one with --subnet"
    subnet = _subnet(text, f"write it as 10.30.0.0/24; {hint}")
    if not isinstance(subnet, AddressRange):
        msg = f"{subnet} is not an IPv4 subnet"
        raise UsageError(msg, hint)
    _check_place(subnet, (_LARGEST, _SMALLEST), _UNSUITABLE, hint)
    if who := overlap(snapshot, subnet):
        msg = f"{subnet} overlaps with {who}"
        raise UsageError(msg, hint)
    return subnet


def checked_subnet6(snapshot: Snapshot, text: str) -> Net6:
    """Return the IPv6 subnet that a person asked for.

    Raises:
        UsageError: It is no IPv6 subnet, unsuitable for containers, or in use; the hint names a free one.
    """
    free = suggest_subnet6(snapshot)
    hint = f"{free} is free" if free else "give a free one with --subnet"
    subnet = _subnet(text, f"write it as fd12:3456:789a::/64; {hint}")
    if not isinstance(subnet, Net6):
        msg = f"{subnet} is not an IPv6 subnet"
        raise UsageError(msg, hint)
    _check_place(subnet, (_LARGEST6, _SMALLEST6), _UNSUITABLE6, hint)
    who = next((who for net, who in in_use6(snapshot) if net.overlaps(subnet)), "")
    if who:
        msg = f"{subnet} overlaps with {who}"
        raise UsageError(msg, hint)
    return subnet


def by_family(texts: Iterable[str], what: str) -> tuple[str, str]:
    """Return the IPv4 and the IPv6 one of what was given once or twice, each empty when it wasn't.

    Raises:
        UsageError: Two of one family.
    """
    found = {False: "", True: ""}
    for text in texts:
        is_six = ":" in text
        if found[is_six]:
            msg = f"{what} is given twice for {'IPv6' if is_six else 'IPv4'}"
            raise UsageError(msg, "a network has one of each family at most")
        found[is_six] = text
    return found[False], found[True]


def _subnet(text: str, hint: str) -> AddressRange | Net6:
    try:
        return ipaddress.ip_network(text, strict=True)
    except ValueError as error:
        try:
            loose = ipaddress.ip_network(text, strict=False)
        except ValueError:
            msg = f"{text!r} is not a subnet: {error}"
            raise UsageError(msg, hint) from error
        msg = f"{text} is an address, not a subnet"
        raise UsageError(msg, f"did you mean {loose}?") from error


def _check_place(subnet: AddressRange | Net6, sizes: tuple[int, int], unsuitable: Iterable[str], hint: str) -> None:
    largest, smallest = sizes
    if not largest <= subnet.prefixlen <= smallest:
        msg = f"{subnet} has no sensible size for a network of containers"
        raise UsageError(msg, f"take /{largest} to /{smallest}; {hint}")
    if any(subnet.overlaps(ipaddress.ip_network(item)) for item in unsuitable):
        msg = f"{subnet} is reserved (loopback, link-local, multicast or future use)"
        raise UsageError(msg, hint)


def checked_gateway(subnet: AddressRange | Net6, text: str) -> str:
    """Return the gateway asked for, or the subnet's first address.

    Raises:
        UsageError: It is no address, or not a host's address inside the subnet.
    """
    first = subnet.network_address + 1
    if not text:
        return str(first)
    try:
        gateway = ipaddress.ip_address(text)
    except ValueError as error:
        msg = f"{text!r} is not an address"
        raise UsageError(msg, f"leave --gateway out for {first}") from error
    if gateway not in subnet:
        msg = f"the gateway {gateway} is outside of {subnet}"
        raise UsageError(msg, f"it must be one of its addresses; leave --gateway out for {first}")
    if gateway == subnet.network_address or (subnet.version == 4 and gateway == subnet.broadcast_address):
        # IPv6 has no broadcasts; its first address is that of all routers (RFC 4291, section 2.6.1).
        msg = f"{gateway} is {subnet}'s network or broadcast address"
        raise UsageError(msg, f"leave --gateway out for {first}")
    return str(gateway)
