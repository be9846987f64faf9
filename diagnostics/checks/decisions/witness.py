"""A packet of a container's that meets a rule's conditions, if there is one.  Pure.

Only what a sender may choose is chosen: who of the network sends, the
destination, the protocol and the ports.  Whatever else a rule asks for is
left to the walk, which alone decides.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from dnet_tui.diagnostics.walk.match.values import contains, interface_matches, protocol_name
from dnet_tui.diagnostics.walk.packet import Packet
from dnet_tui.inspect.model import Family
from dnet_tui.inspect.model.firewall import AnyExpr, Element, Lookup, Match, NamedSet, SetLookup
from dnet_tui.inspect.text.number_ranges import PORTS, parse_range

_FEW = 3
"""Elements of a set that are tried."""

_MANY_PORTS = 8
_PORTED = ("tcp", "udp", "sctp")
_EPHEMERAL = 40000
_DIMENSIONS = {("ip", "src"): "saddr", ("ip", "dst"): "daddr", ("net", "src"): "saddr", ("net", "dst"): "daddr"}
_DIMENSIONS |= {("port", "src"): "sport", ("port", "dst"): "dport"}
_PORTS_OF_SETS = frozenset(_DIMENSIONS[kind] for kind in _DIMENSIONS if kind[0] == "port")


class Sender(NamedTuple):
    """A container that may send: its name and namespace, its address, its bridge.

    ``targets`` are where to: a link by which it leaves the host's IP layer,
    and an address behind it that is taken where none is asked for.  ``fixed``:
    nothing else is: its own address fits those alone.
    """

    name: str
    namespace: str
    address: str
    iif: str
    targets: tuple[tuple[str, str], ...]
    fixed: bool = False


class Senders(NamedTuple):
    """All who may send, by their addresses, and the first two of each network: of many, any will do."""

    by_address: Mapping[str, Sender]
    first: tuple[Sender, ...]

    def fitting(self, wanted: Mapping[str, list[Wanted]], family: Family) -> Sender | None:
        """One that meets what is asked of a sender."""
        named = {_host(value) for item in wanted.get("saddr", ()) if not item.negate for value in item.values}
        chosen = [self.by_address[address] for address in sorted(named & self.by_address.keys())]
        return next((item for item in (*chosen, *self.first) if _may_send(item, wanted, family)), None)


class OpenPort(NamedTuple):
    """A published port as somebody outside meets it: ``before`` its destination is translated, and ``after``."""

    name: str
    uplink: str
    bridge: str
    proto: str
    before: tuple[str, int]
    after: tuple[str, int]


class Wanted(NamedTuple):
    """What is asked of one field: of several, all must hold."""

    field: str
    values: tuple[str, ...]
    negate: bool


def witnesses(
    conditions: Sequence[AnyExpr],
    senders: Senders,
    family: Family,
    sets: Mapping[str, NamedSet],
    ipsets: Mapping[str, NamedSet],
) -> Iterator[tuple[Sender, Packet]]:
    """Packets from one of the senders that may meet the conditions."""
    for wanted in _by_field(conditions, sets, ipsets):
        sender = senders.fitting(wanted, family)
        packet = _packet(wanted, sender, family) if sender is not None else None
        if sender is not None and packet is not None:
            yield sender, packet


def arrivals(
    conditions: Sequence[AnyExpr],
    ports: Sequence[OpenPort],
    family: Family,
    far: str,
    sets: Mapping[str, NamedSet],
    ipsets: Mapping[str, NamedSet],
    *,
    translated: bool,
) -> Iterator[tuple[OpenPort, Packet]]:
    """Packets from outside to one of the published ports; ``translated``: the conditions see them after DNAT."""
    for wanted in _by_field(conditions, sets, ipsets):
        for port in _asked_ports(wanted, ports, translated=translated):
            address, number = port.after if translated else port.before
            links = {"iif": port.uplink, "oif": port.bridge}
            if any(not _is_link(item, links[field]) for field in links for item in wanted.get(field, ())):
                continue
            asked = wanted.get("proto", ())
            if any((port.proto in map(protocol_name, item.values)) == item.negate for item in asked):
                continue
            if not _fits(wanted.get("daddr", ()), address) or _port(wanted.get("dport", ()), number) != number:
                continue
            source, sport = _chosen(wanted.get("saddr", ()), far), _port(wanted.get("sport", ()), _EPHEMERAL)
            if not source or sport is None or not _is_first(wanted, family) or (":" in source) != (family == "ip6"):
                continue
            flags = ("SYN",) if port.proto == "tcp" else ()
            yield (
                port,
                Packet(
                    family=family,
                    src=source,
                    dst=port.before[0],
                    proto=port.proto,
                    sport=sport,
                    dport=port.before[1],
                    tcp_flags=flags,
                ),
            )
            break


def _asked_ports(
    wanted: Mapping[str, list[Wanted]], ports: Sequence[OpenPort], *, translated: bool
) -> Sequence[OpenPort]:
    """The ports that may be meant: of very many those of the number asked for, or else the first ones."""
    numbers = {value for item in wanted.get("dport", ()) if not item.negate for value in item.values}
    if not numbers or any(not value.isdecimal() for value in numbers):
        return ports[:_MANY_PORTS]
    chosen = [port for port in ports if str((port.after if translated else port.before)[1]) in numbers]
    return chosen[:_MANY_PORTS]


def _host(value: str) -> str:
    address, _, length = value.partition("/")
    return address if length in {"", "32", "128"} else ""


def _by_field(
    conditions: Sequence[AnyExpr], sets: Mapping[str, NamedSet], ipsets: Mapping[str, NamedSet]
) -> Iterator[dict[str, list[Wanted]]]:
    for wanted in islice(_alternatives(conditions, sets, ipsets), _FEW):
        by_field: dict[str, list[Wanted]] = {}
        for item in wanted:
            by_field.setdefault(_CHOSEN.get(item.field, item.field), []).append(item)
        yield by_field


_CHOSEN = {"th-dport": "dport", "th-sport": "sport", "port": "dport"}


def _alternatives(
    conditions: Sequence[AnyExpr], sets: Mapping[str, NamedSet], ipsets: Mapping[str, NamedSet]
) -> Iterator[list[Wanted]]:
    """The conditions as lists of what is asked of each field: one list for each of a few elements of a set."""
    fixed = [Wanted(item.field, item.values, item.negate) for item in conditions if isinstance(item, Match)]
    looked = [found for item in conditions if (found := _of_set(item, sets, ipsets)) is not None]
    if not looked:
        yield fixed
        return
    for number in range(max(len(items) for items in looked)):
        chosen = [items[min(number, len(items) - 1)] for items in looked if items]
        if len(chosen) == len(looked):
            yield [*fixed, *(part for item in chosen for part in item)]


def _of_set(expr: AnyExpr, sets: Mapping[str, NamedSet], ipsets: Mapping[str, NamedSet]) -> list[list[Wanted]] | None:
    """What each of a few elements of the set asks for; None for what is no set, or one that leaves most out."""
    if isinstance(expr, Lookup) and not expr.negate:
        named = sets.get(expr.set)
        elements = expr.elements if not expr.set else (named.elements or () if named is not None else ())
        return [_parts(expr.fields, element) for element in elements[:_FEW]]
    if isinstance(expr, SetLookup) and not expr.negate:
        named = ipsets.get(expr.name)
        if named is None:
            return []
        kinds = named.type.partition(":")[2].split(",")
        fields = [_DIMENSIONS.get(pair, "") for pair in zip(kinds, expr.dirs, strict=False)]
        return [_parts(fields, element) for element in (named.elements or ())[:_FEW]]
    return None


def _parts(fields: Sequence[str], element: Element) -> list[Wanted]:
    pairs = [(field, part) for field, part in zip(fields, element.key, strict=False) if field and part != "*"]
    return [wanted for field, part in pairs for wanted in _part(field, part)]


def _part(field: str, part: str) -> Iterator[Wanted]:
    """What one part of an element asks for; a port of an ipset has its protocol before it (``tcp:80``)."""
    proto, colon, port = part.rpartition(":")
    if colon and field in _PORTS_OF_SETS:
        yield Wanted("proto", (proto,), negate=False)
    yield Wanted(field, (port if field in _PORTS_OF_SETS else part,), negate=False)


def _may_send(sender: Sender, wanted: Mapping[str, list[Wanted]], family: Family) -> bool:
    if not all(_is_link(item, sender.iif) for item in wanted.get("iif", ())):
        return False
    if not any(all(_is_link(item, name) for item in wanted.get("oif", ())) for name, _ in sender.targets):
        return False
    if sender.fixed and not any(_fits(wanted.get("daddr", ()), far) for _, far in sender.targets):
        return False
    return _is_first(wanted, family) and _fits(wanted.get("saddr", ()), sender.address)


def _is_first(wanted: Mapping[str, list[Wanted]], family: Family) -> bool:
    """Whether a connection's first packet may be meant, of this family."""
    if any(item.negate == ("NEW" in item.values) for item in wanted.get("ctstate", ())):
        return False
    protocol = "ipv4" if family == "ip" else "ipv6"
    return not any(item.negate == (protocol in item.values) for item in wanted.get("nfproto", ()))


def _is_link(item: Wanted, name: str) -> bool:
    return any(interface_matches(value.replace("*", "+"), name) for value in item.values) != item.negate


def _packet(wanted: Mapping[str, list[Wanted]], sender: Sender, family: Family) -> Packet | None:
    fars = (
        far
        for oif, far in sender.targets
        if far != sender.address and all(_is_link(item, oif) for item in wanted.get("oif", ()))
    )
    asked = wanted.get("daddr", ())
    if sender.fixed:
        target = next((far for far in fars if _fits(asked, far)), "")
    else:
        target = next((found for far in fars if (found := _chosen(asked, far))), "")
    proto = _protocol(wanted, family)
    if not target or not proto or ipaddress.ip_address(target).version != (4 if family == "ip" else 6):
        return None
    if proto not in _PORTED:
        types = [value for item in wanted.get("icmp-type", ()) if not item.negate for value in item.values]
        kind = types[0].partition("/")[0] if types else ("8" if family == "ip" else "128")
        number = int(kind) if kind.isdecimal() else 8
        return Packet(family=family, src=sender.address, dst=target, proto=proto, icmp_type=number)
    dport, sport = _port(wanted.get("dport", ()), 443), _port(wanted.get("sport", ()), _EPHEMERAL)
    if dport is None or sport is None:
        return None
    flags = ("SYN",) if proto == "tcp" else ()
    return Packet(family=family, src=sender.address, dst=target, proto=proto, sport=sport, dport=dport, tcp_flags=flags)


def _protocol(wanted: Mapping[str, list[Wanted]], family: Family) -> str:
    echo = "icmp" if family == "ip" else "icmpv6"
    by_default = ("tcp", "udp", echo) if "icmp-type" not in wanted else (echo,)
    asked = wanted.get("proto", ())
    named = [protocol_name(value) for item in asked if not item.negate for value in item.values]
    fitting = (
        name
        for name in (*named, *by_default)
        if all((name in map(protocol_name, item.values)) != item.negate for item in asked)
    )
    return next(fitting, "")


def _chosen(wanted: Sequence[Wanted], otherwise: str) -> str:
    """An address that all of it allows; empty where none of those tried does."""
    values = (value for item in wanted if not item.negate for value in item.values)
    tried = (otherwise, *(point for value in values for point in _points(value)))
    return next((address for address in tried if _fits(wanted, address) and _is_somebodys(address)), "")


def _is_somebodys(address: str) -> bool:
    """Whether somebody may have the address: filters of impossible ones keep nobody from anything."""
    found = ipaddress.ip_address(address)
    never = found.is_unspecified or found.is_loopback or found.is_multicast or found.is_link_local or found.is_reserved
    return not never and not (isinstance(found, ipaddress.IPv6Address) and found.sixtofour is not None)


def _points(value: str) -> Iterator[str]:
    """A few addresses of a CIDR or range."""
    try:
        if "-" in value:
            yield value.partition("-")[0]
            return
        net = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return
    for number in (0, 1, net.num_addresses // 2) if net.num_addresses > 1 else (0,):
        yield str(net[number])


def _fits(wanted: Iterable[Wanted], address: str) -> bool:
    return all(any(contains(value, address) for value in item.values) != item.negate for item in wanted)


def _port(wanted: Sequence[Wanted], otherwise: int) -> int | None:
    tried = [otherwise]
    for item in wanted:
        spans = [span for value in item.values if (span := parse_range(value, PORTS, separators=":-")) is not None]
        tried += [edge for span in spans for edge in ((span.low, span.high) if not item.negate else (span.high + 1,))]
    return next((port for port in tried if all(_has_port(item, port) for item in wanted)), None)


def _has_port(item: Wanted, port: int) -> bool:
    spans = (parse_range(value, PORTS, separators=":-") for value in item.values)
    return any(span is not None and port in span for span in spans) != item.negate
