"""nftables' sets and maps, from their JSON into the rule model.  Pure.

A set whose elements can't all be said exactly is one whose elements weren't
read: a look-up in it can't be decided then.  Leaving out just the odd element
would turn a match into a miss.

Sources: libnftables-json(5); the data types of nftables' datatype.c.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dnet_tui.inspect.model.firewall import Element, NamedSet, TableFamily
from dnet_tui.inspect.nftables.fields import loose_field
from dnet_tui.inspect.nftables.render import expression
from dnet_tui.inspect.nftables.shapes import concatenated, verdict
from dnet_tui.inspect.nftables.values import TEXT, keys
from dnet_tui.inspect.text.json_access import MALFORMED, Json, array, fail, mapping, several, single, word

MOST_ELEMENTS = 65_536
"""A larger set isn't kept."""

_KINDS: dict[str, str] = {
    "ipv4_addr": "ip",
    "ipv6_addr": "ip6",
    "inet_service": "port",
    "inet_proto": "proto",
    "ifname": "ifname",
    "iface_index": "ifindex",
    "mark": "mark",
    "ct_state": "ctstate",
    "ct_dir": "ctdir",
    "ether_addr": "mac",
    "ether_type": "ethertype",
    "nf_proto": "nfproto",
    "icmp_type": "icmp",
    "icmpv6_type": "icmp6",
    "icmp_code": "icmp-code",
    "icmpv6_code": "icmp6-code",
    "fib_addrtype": "addrtype",
    "pkt_type": "pkttype",
    "tcp_flag": "tcp-flags",
    "devgroup": "group",
    "arp_op": "arp-op",
    "ifkind": "word",
    "iface_type": "word",
    "integer": "number",
}
"""The kind of values of each of nft's data types; others are only text."""

_HARMLESS = frozenset({"val", "comment", "timeout", "expires", "counter", "last"})
"""What may hang on an element without deciding whether a look-up finds it."""


class SetHead(NamedTuple):
    """What a set's keys are, one kind per part, and whether its data are verdicts."""

    kinds: tuple[str, ...]
    verdicts: bool = False


class ReadSet(NamedTuple):
    """A set, its head, and why its elements aren't there although they were listed (empty: they are)."""

    set: NamedSet
    head: SetHead
    problem: str = ""


def read_set(what: str, body: Json, family: TableFamily, *, listed: bool) -> ReadSet:
    """Read a ``set`` or ``map`` object.

    Args:
        what: which of the two it is.
        body: the object's value.
        family: its table's.
        listed: whether the listing shows elements; otherwise they stay unread.

    Raises:
        CannotModelError: it has no name or no type.
    """
    found = mapping(body)
    head, type_text = _type(found.get("type"), family)
    data = found.get("map")
    is_map = what == "map"
    head = head._replace(verdicts=is_map and data == "verdict")
    flags = tuple(item for item in several(found.get("flags")) if isinstance(item, str))
    elements: tuple[Element, ...] | None = None
    problem = ""
    if listed:
        try:
            raws = _unambiguous(several(found.get("elem")), head, flags)
            elements = read_elements(raws, head.kinds, (None,) * len(head.kinds), data=_data_of(head, is_map=is_map))
        except MALFORMED as error:
            problem = str(error) or type(error).__name__
    return ReadSet(
        NamedSet(
            name=word(found.get("name")),
            type=f"{type_text} : {expression(data)}" if is_map else type_text,
            is_map=is_map,
            dynamic="dynamic" in flags,
            elements=elements,
        ),
        head,
        problem,
    )


def _data_of(head: SetHead, *, is_map: bool) -> str:
    return "verdict" if head.verdicts else "data" if is_map else ""


def read_elements(
    raws: Iterable[Json], kinds: tuple[str, ...], masks: tuple[int | None, ...], *, data: str = ""
) -> tuple[Element, ...]:
    """The elements of a set; ``data`` is ``verdict`` or ``data`` for those of a map.

    Raises:
        CannotModelError: one of them can't be said exactly, or there are too many.
    """
    found: list[Element] = []
    for raw in raws:
        found.extend(_element(raw, kinds, masks, data))
        if len(found) > MOST_ELEMENTS:
            raise fail(f"it has more than {MOST_ELEMENTS} elements")
    return tuple(found)


def _element(raw: Json, kinds: tuple[str, ...], masks: tuple[int | None, ...], data: str) -> list[Element]:
    if not data:
        return [Element(key=key) for key in keys(kinds, bare(raw), masks)]
    pair = array(raw if isinstance(raw, list) else bare(raw))
    if len(pair) != 2:
        raise fail("a map's element without data")
    found = keys(kinds, bare(pair[0]), masks)
    if data == "verdict":
        return [Element(key=key, verdict=verdict(bare(pair[1]))) for key in found]
    return [Element(key=key, data=expression(bare(pair[1]))) for key in found]


def bare(raw: Json) -> Json:
    """An element without its comment, timeout and counters.

    Raises:
        CannotModelError: a limit or the like hangs on it, which decides whether it is found.
    """
    if not isinstance(raw, dict) or "elem" not in raw:
        return raw
    found = mapping(raw["elem"])
    statements = {single(item)[0] for item in several(found.get("stmt"))}
    if (set(found) - {"stmt"} | statements) - _HARMLESS:
        raise fail("an element with conditions of its own")
    return found["val"]


def _unambiguous(raws: list[Json], head: SetHead, flags: tuple[str, ...]) -> list[Json]:
    """Interface names of a set without ranges are meant literally, a star at the end included: escape it."""
    if head.kinds != ("ifname",) or "interval" in flags:
        return raws
    return [f"{raw[:-1]}\\*" if isinstance(raw, str) and len(raw) > 1 and raw.endswith("*") else raw for raw in raws]


def _type(raw: Json, family: TableFamily) -> tuple[SetHead, str]:
    """The kinds and the text of a declared type: a name, names, or (``typeof``) expressions."""
    if isinstance(raw, dict):
        of = raw.get("typeof", raw)
        parts = concatenated(of)
        text = " . ".join(expression(part) for part in parts)
        return SetHead(tuple(loose_field(part, family).kind for part in parts)), f"typeof {text}"
    types = [word(item) for item in several(raw)]
    if not types:
        raise fail("a set without a type")
    # One word may hold several: "ipv4_addr . inet_service".
    types = [part.strip() for item in types for part in item.split(" . ")]
    return SetHead(tuple(_KINDS.get(item, TEXT) for item in types)), " . ".join(types)
