"""How a rule's values compare with a packet's.  Three-valued and pure.

A value that can't be parsed, or a packet's that isn't known, is undecided
(None).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.protocols import protocol
from dnet_tui.inspect.text.networks import read_network
from dnet_tui.inspect.text.number_ranges import parse_range

Test = Callable[[str, Packet, MatchContext], Truth]
"""Whether a packet has one of a match's values."""


@lru_cache(maxsize=4096)
def _network(value: str) -> tuple[int, int, int] | None:
    """(version, first, last) of a CIDR, an address or an ``a-b`` range; None when it is neither."""
    try:
        if "-" in value:
            low, high = (ipaddress.ip_address(part) for part in value.split("-", 1))
            return (low.version, int(low), int(high)) if low.version == high.version else None
        net = read_network(value)
    except ValueError:
        return None
    return net.version, int(net.network_address), int(net.broadcast_address)


@lru_cache(maxsize=4096)
def numbered(value: str) -> tuple[int, int]:
    """An address as its version and its number."""
    address = ipaddress.ip_address(value)
    return address.version, int(address)


@lru_cache(maxsize=4096)
def is_loopback(value: str) -> bool:
    """Whether an address is one of the loopback's."""
    return ipaddress.ip_address(value).is_loopback


@lru_cache(maxsize=4096)
def is_multicast(value: str) -> bool:
    """Whether an address is a group's."""
    return ipaddress.ip_address(value).is_multicast


def contains(network: str, address: str) -> Truth:
    """Whether ``address`` lies in a CIDR or range; None when the range can't be read."""
    span = _network(network)
    if span is None:
        return _under_mask(network, address)
    version, number = numbered(address)
    return version == span[0] and span[1] <= number <= span[2]


def _under_mask(network: str, address: str) -> Truth:
    """Whether an address is ``ADDRESS/MASK``, for a mask that is no prefix; None when that can't be read."""
    try:
        (version, wanted), (other, mask) = (numbered(part) for part in network.split("/"))
    except ValueError:
        return None
    found, number = numbered(address)
    return found == version == other and number & mask == wanted


def interface_matches(pattern: str, name: str) -> bool:
    """Apply an interface pattern of iptables: a trailing ``+`` stands for any continuation."""
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern


def protocol_name(value: str) -> str:
    """One name per protocol: numbers and aliases become the usual name."""
    return protocol(value) or value


def in_ports(value: str, port: int | None) -> Truth:
    """Whether ``port`` is in ``80`` or ``8000:8010`` (either end may be missing); None for a port that isn't known."""
    if port is None:
        return None
    return in_span(value, port, port, 65535)


def in_span(value: str, low: int, high: int, limit: int = 0xFFFFFFFF) -> Truth:
    """Whether a number that is somewhere from ``low`` to ``high`` is in ``64`` or ``0:63``; None where it may be."""
    span = parse_range(value, limit)
    if span is None:
        return None
    if span.low <= low and high <= span.high:
        return True
    return False if high < span.low or span.high < low else None


def masked(value: str, number: int | None) -> Truth:
    """Whether a number is ``VALUE/MASK``; None for a number that isn't known."""
    if number is None:
        return None
    want, _, mask = value.partition("/")
    try:
        return number & int(mask or "0xffffffff", 0) == int(want, 0)
    except ValueError:
        return None
