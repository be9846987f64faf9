"""How a rule's values compare with a packet's.  Three-valued and pure.

A value that can't be parsed, or a packet's that isn't known, is undecided
(None).  Also what a match may have to ask of the namespace that evaluates it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache

from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.protocols import protocol
from dnet_tui.inspect.text.number_ranges import parse_range

AddressType = Callable[[str], str]
"""Tells the type of an address (LOCAL, UNICAST, BROADCAST, MULTICAST) as the evaluating namespace sees it."""

Test = Callable[[str, Packet, AddressType], Truth]
"""Whether a packet has one of a match's values."""


class Surroundings:
    """What a namespace knows that its packets don't carry.  This base knows nothing but the types of addresses."""

    def __init__(self, address_type: AddressType) -> None:
        self._address_type = address_type

    def __call__(self, address: str) -> str:
        """The type of an address."""
        return self._address_type(address)

    def type_on(self, address: str, device: str) -> str:  # noqa: ARG002  for those who know
        """The type of an address for one device: LOCAL only if it is that device's.  Empty: not known."""
        return ""

    def route(self, packet: Packet, flags: tuple[str, ...]) -> Truth:  # noqa: ARG002  for those who know
        """Whether a route leads where nft's ``fib FLAGS`` asks."""
        return None

    def route_device(self, packet: Packet, flags: tuple[str, ...]) -> str | None:  # noqa: ARG002  for those who know
        """The interface by which that route leaves; empty for no route, None where it isn't known."""
        return None

    def passes_rpfilter(self, packet: Packet, flags: tuple[str, ...]) -> Truth:  # noqa: ARG002  for those who know
        """Whether iptables' ``rpfilter`` match holds."""
        return None

    def group(self, device: str) -> int | None:  # noqa: ARG002  for those who know
        """The number of an interface's group."""
        return None

    def kind(self, device: str) -> str | None:  # noqa: ARG002  for those who know
        """An interface's kind, such as ``veth``; empty for one without."""
        return None

    def hardware(self, device: str) -> str | None:  # noqa: ARG002  for those who know
        """An interface's hardware type, such as ``ether`` or ``loopback``."""
        return None

    @property
    def uses_ipsec(self) -> bool | None:
        """Whether packets may be protected by IPsec here."""
        return None


def surroundings(address_type: AddressType) -> Surroundings:
    """What is known of the evaluating namespace."""
    return address_type if isinstance(address_type, Surroundings) else Surroundings(address_type)


@lru_cache(maxsize=4096)
def _network(value: str) -> tuple[int, int, int] | None:
    """(version, first, last) of a CIDR, an address or an ``a-b`` range; None when it is neither."""
    try:
        if "-" in value:
            low, high = (ipaddress.ip_address(part) for part in value.split("-", 1))
            return (low.version, int(low), int(high)) if low.version == high.version else None
        net = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None
    return net.version, int(net.network_address), int(net.broadcast_address)


@lru_cache(maxsize=4096)
def numbered(value: str) -> tuple[int, int]:
    """An address as its version and its number."""
    address = ipaddress.ip_address(value)
    return address.version, int(address)


def contains(network: str, address: str) -> Truth:
    """Whether ``address`` lies in a CIDR or range; None when the range can't be read."""
    span = _network(network)
    if span is None:
        return None
    version, number = numbered(address)
    return version == span[0] and span[1] <= number <= span[2]


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
