"""Is the packet an element of a set?  Three-valued and pure.

Sources: nft(8) for sets, maps and concatenations; ipset(8) for what the
dimensions of a set type compare with each direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.expressions import matches
from dnet_tui.diagnostics.walk.match.numgen import drawn, leaves_none_out
from dnet_tui.diagnostics.walk.match.plain_packet import plain
from dnet_tui.diagnostics.walk.match.remembered import is_remembered
from dnet_tui.diagnostics.walk.match.values import protocol_name
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.firewall import Choice, Element, Lookup, Match, NamedSet, SetLookup, VerdictMap
from dnet_tui.inspect.model.match_fields import FieldName, MatchField

CATCH_ALL = ("*",)

_IPSET_FIELDS: dict[tuple[str, str], MatchField] = {
    ("ip", "src"): "saddr",
    ("ip", "dst"): "daddr",
    ("net", "src"): "saddr",
    ("net", "dst"): "daddr",
    ("iface", "src"): "iif",
    ("iface", "dst"): "oif",
    ("mac", "src"): "mac",
}


def elements_of(
    expr: Lookup | VerdictMap | Choice, sets: Mapping[str, NamedSet], *, plain: bool = False
) -> tuple[Element, ...] | None:
    """The elements that a lookup consults; None when they aren't known.

    What packets add to, or what is about to expire, is known for the moment
    of the snapshot alone: it counts where a packet is ``plain``.
    """
    if not expr.set:
        return expr.elements
    found = sets.get(expr.set)
    return None if found is None or (found.dynamic and not plain) else found.elements


def fits(element: Element, fields: tuple[FieldName, ...], packet: Packet, context: MatchContext) -> Truth:
    """Whether the packet's fields, taken together, are this element's key."""
    if element.key == CATCH_ALL:
        return True
    if len(element.key) != len(fields):
        return None
    parts = [
        matches(Match(field=field, values=(part,)), packet, context)
        for field, part in zip(fields, element.key, strict=True)
    ]
    truth: Truth = False if False in parts else None if None in parts else True
    return _lasting(truth, element, packet)


def _lasting(truth: Truth, element: Element, packet: Packet) -> Truth:
    """A match with an element that may be gone at any moment counts for the moment of the snapshot alone."""
    return None if truth and element.expires is not None and not packet.plain else truth


def _any(results: Iterable[Truth]) -> Truth:
    found = list(results)
    return True if True in found else None if None in found else False


def looked_up(expr: Lookup, sets: Mapping[str, NamedSet], packet: Packet, context: MatchContext) -> Truth:
    """Evaluate a set lookup, with its negation."""
    if any(not _has(field, packet) for field in expr.fields):
        return False
    touched, truth = False, None
    if expr.set:
        touched, truth = is_remembered(packet, context.namespace, "set", expr.set, expr.fields)
    if truth is None:
        elements = elements_of(expr, sets, plain=packet.plain)
        if elements is None:
            return None
        truth = _any(fits(element, expr.fields, packet, context) for element in elements)
        truth = None if touched and not truth else truth
    return truth if truth is None or not expr.negate else not truth


def _has(field: str, packet: Packet) -> bool:
    """Whether the packet has the field at all: a rule about ports doesn't concern ICMP, negated or not."""
    return field not in {"sport", "dport"} or protocol_name(packet.proto) in {"tcp", "udp", "sctp"}


def has_each(fields: tuple[FieldName, ...], found: Iterable[Element], packet: Packet, context: MatchContext) -> bool:
    """Whether one of these elements is certainly the packet's, though not known which: a part of it is drawn by lot."""
    lots = [at for at, field in enumerate(fields) if drawn(field) is not None]
    if len(lots) != 1:
        return False
    (at,) = lots
    keys = [element.key for element in found if len(element.key) == len(fields)]
    return leaves_none_out(
        fields[at],
        [
            key[at]
            for key in keys
            if all(
                matches(Match(field=field, values=(part,)), packet, context) is True
                for other, (field, part) in enumerate(zip(fields, key, strict=True))
                if other != at
            )
        ],
    )


def candidates(
    expr: VerdictMap | Choice, sets: Mapping[str, NamedSet], packet: Packet, context: MatchContext
) -> Iterator[tuple[Element | None, bool]]:
    """The elements a map may choose, each with whether it is certain; ends after a certain one.

    A map whose elements aren't known yields (None, False).
    """
    elements = elements_of(expr, sets, plain=packet.plain)
    if elements is None:
        yield None, False
        return
    ordered = sorted(elements, key=lambda element: element.key == CATCH_ALL)
    for element in ordered:
        truth = fits(element, expr.fields, packet, context)
        if truth is not False:
            yield element, truth is True
        if truth is True:
            return


def in_ipset(lookup: SetLookup, ipsets: Mapping[str, NamedSet], packet: Packet, context: MatchContext) -> Truth:
    """Evaluate ``-m set --match-set``, with its negation."""
    touched, known = is_remembered(packet, context.namespace, "ipset", lookup.name, lookup.dirs)
    if known is not None:
        return known != lookup.negate
    found = ipsets.get(lookup.name)
    if found is None or found.elements is None or (found.dynamic and not packet.plain):
        return None
    _, _, dimensions = found.type.partition(":")
    dims = dimensions.split(",")
    if "set" in dims:
        return _in_list(lookup, found.elements, ipsets, packet, context)
    results: list[Truth] = []
    if len(lookup.dirs) >= len(dims):  # with fewer directions than dimensions the kernel finds nothing (ip_set_test)
        results = [_ipset_fits(element, dims, lookup.dirs, packet, context) for element in found.elements]
    truth = _any(results)
    if touched and not truth:
        return None
    return truth if truth is None or not lookup.negate else not truth


def _in_list(
    lookup: SetLookup,
    members: tuple[Element, ...],
    ipsets: Mapping[str, NamedSet],
    packet: Packet,
    context: MatchContext,
) -> Truth:
    """A ``list:set``: one of its sets has it (list_set_ktest)."""
    named = [SetLookup(name=element.key[0], dirs=lookup.dirs) for element in members]
    lists = any(item.name not in ipsets or ipsets[item.name].type == "list:set" for item in named)
    truth = _any(None if lists else in_ipset(item, ipsets, packet, context) for item in named)
    return truth if truth is None or not lookup.negate else not truth


def _ipset_fits(
    element: Element, dims: list[str], dirs: tuple[str, ...], packet: Packet, context: MatchContext
) -> Truth:
    if len(element.key) != len(dims) or element.data:
        return None
    parts: list[Truth] = []
    for dim, way, part in zip(dims, dirs, element.key, strict=False):
        if dim == "port":
            parts.append(_ipset_port(part, way, packet, any_proto=len(dims) == 1))
            continue
        if dim == "mark":
            value = f"{part}/0xffffffff"
            parts.append(matches(Match(field="mark", values=(value,)), packet, context))
            continue
        field = _IPSET_FIELDS.get((dim, way))
        parts.append(matches(Match(field=field, values=(part,)), packet, context) if field else None)
    truth: Truth = False if False in parts else None if None in parts else True
    return _lasting(truth, element, packet)


def _ipset_port(part: str, way: str, packet: Packet, *, any_proto: bool) -> Truth:
    """A port element: ``80``, ``udp:53``, ``8000-8010``; without a protocol it means TCP, in bitmap:port any."""
    proto, _, port = part.rpartition(":")
    if protocol_name(packet.proto) not in {"tcp", "udp", "sctp"}:
        return None if proto in {"icmp", "icmpv6"} else False
    if not any_proto and (proto or "tcp") != packet.proto:
        return False
    field: MatchField = "sport" if way == "src" else "dport"
    return matches(Match(field=field, values=(port.replace("-", ":"),)), packet, MatchContext())


class Assumption(NamedTuple):
    """Whether a condition is taken to hold, on what that rests, and for how many seconds it is certain all the same."""

    holds: bool
    words: str
    lasts: float | None = None


_MOMENT = 1.0
"""Seconds that a look at the host and what follows from it may take."""


def set_words(name: str, found: NamedSet | None) -> str:
    """What a decision by a set that changes by itself rests on."""
    left = sorted(item.expires for item in (found.elements or () if found else ()) if item.expires is not None)
    until = f", whose entries last from {left[0]:g} to {left[-1]:g} s more" if left else ""
    return f"set {name} is taken as it was when the snapshot was taken{until}"


def assumed_lookup(
    expr: Lookup | SetLookup, sets: Mapping[str, NamedSet], packet: Packet, context: MatchContext
) -> Assumption | None:
    """What a look-up that can't be decided was at the moment of the snapshot; None where not even that is known.

    An element that nothing but time takes away is there for as long as it has left.
    """
    ordinary = plain(packet)
    if isinstance(expr, SetLookup):
        truth, name = in_ipset(expr, sets, ordinary, context), expr.name
    else:
        truth, name = looked_up(expr, sets, ordinary, context), expr.set
    if truth is None:
        return None
    left = _left(expr, sets, ordinary, context)
    if left is not None:
        words = f"set {name} has it for {left:g} s more" if name else f"its element is there for {left:g} s more"
        return Assumption(truth, words, left) if left >= _MOMENT else None
    return Assumption(truth, set_words(name, sets.get(name)) if name else "a plain packet is assumed")


def _left(
    expr: Lookup | SetLookup, sets: Mapping[str, NamedSet], packet: Packet, context: MatchContext
) -> float | None:
    """The seconds for which a set certainly has a packet; None where more than time decides, or it hasn't."""
    name = expr.name if isinstance(expr, SetLookup) else expr.set
    found = sets.get(name) if name else None
    if name and (found is None or found.dynamic):
        return None
    if isinstance(expr, SetLookup):
        dims = found.type.partition(":")[2].split(",") if found is not None else []
        every = found.elements or () if found is not None and "set" not in dims else ()
        fitting = [item for item in every if _ipset_fits(item, dims, expr.dirs, packet, context)]
    else:
        fitting = [item for item in elements_of(expr, sets) or () if fits(item, expr.fields, packet, context)]
    return max((item.expires for item in fitting if item.expires is not None), default=None)
