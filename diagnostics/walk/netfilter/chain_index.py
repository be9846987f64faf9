"""Which rules of a long chain can concern a packet: the others are skipped unread.  Pure.

A rule whose first conditions ask for an address, a port or an interface that
the packet doesn't have certainly doesn't match, so it need not be looked at.
The index only ever leaves out such rules; evaluating those that remain, in
their order, gives what evaluating all of them would.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain as chained

from dnet_tui.diagnostics.walk.match.values import numbered
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model.firewall import Lookup, Match, Note, Opaque, Rule, SetLookup

_BITS = {4: 32, 6: 128}
_OCTET = r"(0|[1-9]\d{0,2})"
_IPV4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}(?:/(\d{{1,2}}))?", re.ASCII)

Span = tuple[str, int, int]
"""An address field, the address's version and a prefix length."""


class ChainIndex:
    """The positions of a chain's rules by the most telling condition each begins with."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._spans: defaultdict[Span, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._ports: defaultdict[str, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._names: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._rest: list[int] = []
        self._ways: tuple[tuple[frozenset[str], Callable[[int, Match], bool]], ...] = (
            (frozenset({"saddr", "daddr"}), self._by_address),
            (frozenset({"dport", "sport"}), self._by_port),
            (frozenset({"iif", "oif"}), self._by_name),
        )
        for at, rule in enumerate(rules):
            self._enter(at, rule)

    def positions(self, packet: Packet) -> list[int]:
        """Where the rules stand that can match, in order."""
        found = set(self._rest)
        for (field, version, length), by_network in self._spans.items():
            own, number = numbered(packet.src if field == "saddr" else packet.dst)
            if own == version:
                found.update(by_network.get(number >> (_BITS[version] - length), ()))
        for field, by_port in self._ports.items():
            port = packet.sport if field == "sport" else packet.dport
            # Every rule may match a port that nobody knows.
            found.update(chained.from_iterable(by_port.values()) if port is None else by_port.get(port, ()))
        for field, by_name in self._names.items():
            found.update(by_name.get(packet.iif if field == "iif" else packet.oif, ()))
        return sorted(found)

    def _enter(self, at: int, rule: Rule) -> None:
        conditions = [match for match in _leading(rule) if not match.negate]
        for fields, enter in self._ways:
            for match in conditions:
                if match.field in fields and enter(at, match):
                    return
        self._rest.append(at)

    def _by_address(self, at: int, match: Match) -> bool:
        networks = [_network(value) for value in match.values]
        if None in networks:
            return False
        for version, length, bits in filter(None, networks):
            self._spans[match.field, version, length][bits].append(at)
        return True

    def _by_port(self, at: int, match: Match) -> bool:
        if not all(value.isdecimal() for value in match.values):
            return False
        for value in match.values:
            self._ports[match.field][int(value)].append(at)
        return True

    def _by_name(self, at: int, match: Match) -> bool:
        if any(value.endswith(("+", "*")) for value in match.values):
            return False
        for value in match.values:
            self._names[match.field][value].append(at)
        return True


def _network(value: str) -> tuple[int, int, int] | None:
    """A CIDR's version, its prefix length and as many bits; None for a range."""
    plain = _IPV4.fullmatch(value)
    if plain is not None:  # most are, and this is how long it takes to index a long chain
        number = int(plain[1]) << 24 | int(plain[2]) << 16 | int(plain[3]) << 8 | int(plain[4])
        length = int(plain[5] or 32)
        if length <= 32 and max(map(int, plain.groups()[:4])) <= 255:
            return 4, length, number >> (32 - length)
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None
    return (
        network.version,
        network.prefixlen,
        int(network.network_address) >> (network.max_prefixlen - network.prefixlen),
    )


def _leading(rule: Rule) -> Iterator[Match]:
    """The conditions before a rule does anything: as soon as it acts, it has an effect even if a later one fails."""
    for expr in rule.exprs:
        if isinstance(expr, Match):
            yield expr
        elif isinstance(expr, Opaque):
            if expr.role != "match":
                return
        elif not isinstance(expr, SetLookup | Lookup | Note):
            return
