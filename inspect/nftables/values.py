"""Values of nftables' JSON, in the form the rule model gives them.  Pure.

A *kind* says what a value means: the same number is a port here and a mark
there.  A value may be one thing, a prefix or a range; where the model has no
ranges it becomes several alternatives.

Sources: libnftables-json(5); the print functions of nftables' datatype.c.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Callable, Mapping

from dnet_tui.inspect.model.protocols import ARP_OPERATIONS, ETHERTYPES, NFPROTOS, protocol
from dnet_tui.inspect.nftables import header_fields, names
from dnet_tui.inspect.nftables.render import expression
from dnet_tui.inspect.nftables.shapes import concatenated
from dnet_tui.inspect.text.json_access import Json, array, fail, mapping, several, single, whole, word
from dnet_tui.inspect.text.number_ranges import NumberRange

Reader = Callable[[Json, "int | None"], tuple[str, ...]]

_ALL = 0xFFFFFFFF
_ALL_FLAGS = 0xFF
_MOST_KEYS = 4096
"""Ways to write one element of a set, where its ranges had to be written out."""
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_LAST_NOT_ETHERTYPE = 0x5FF

TEXT = "text"
"""The kind of what isn't modelled: its values are only text, and never compared."""


def values(kind: str, raw: Json, mask: int | None = None) -> tuple[str, ...]:
    """What a value stands for, as alternatives; ``mask``: only these bits are compared.

    Raises:
        CannotModelError: the model can't say it exactly.
    """
    read = _KINDS.get(kind)
    if read is None:
        raise fail(f"{kind} isn't modelled")
    return read(raw, mask)


def keys(kinds: tuple[str, ...], raw: Json, masks: tuple[int | None, ...]) -> list[tuple[str, ...]]:
    """The keys that one element of a set stands for: one part per kind.

    Raises:
        CannotModelError: a part isn't of its kind.
    """
    if raw == "*":
        return [("*",)]
    parts = concatenated(raw)
    if len(parts) != len(kinds):
        raise fail("an element that doesn't fit its set")
    alternatives = [values(kind, part, mask) for kind, part, mask in zip(kinds, parts, masks, strict=True)]
    found = list(itertools.islice(itertools.product(*alternatives), _MOST_KEYS + 1))
    if len(found) > _MOST_KEYS:
        raise fail("an element with too many values")
    return found


def bits(raw: Json, known: Mapping[str, int]) -> int:
    """The bits that a flag, a number, or several of them joined by ``|`` stand for.

    Raises:
        CannotModelError: an unknown name.
    """
    if isinstance(raw, str):
        if raw not in known:
            raise fail("an unknown flag")
        return known[raw]
    if isinstance(raw, dict):
        name, body = single(raw)
        if name != "|":
            raise fail("not flags")
        raw = array(body)
    if isinstance(raw, list):
        return _joined([bits(item, known) for item in raw])
    return whole(raw)


def _joined(parts: list[int]) -> int:
    result = 0
    for part in parts:
        result |= part
    return result


def flag_text(flags: int) -> str:
    """TCP flags as the model writes them: names joined by commas, ``NONE`` for none."""
    return ",".join(name for bit, name in names.TCP_FLAG_WORDS.items() if flags & bit) or "NONE"


def _bounds(raw: Json, read: Callable[[Json], int]) -> tuple[int, int]:
    """Both ends of a range; of a single value, itself twice."""
    if not isinstance(raw, dict):
        value = read(raw)
        return value, value
    name, body = single(raw)
    ends = several(body)
    if name != "range" or len(ends) != 2:
        raise fail("not a range")
    low, high = read(ends[0]), read(ends[1])
    if low > high:
        raise fail("a range that ends before it begins")
    return low, high


def _unmasked(read: Callable[[Json], tuple[str, ...]]) -> Reader:
    def checked(raw: Json, mask: int | None) -> tuple[str, ...]:
        if mask is not None:
            raise fail("a mask that isn't modelled")
        return read(raw)

    return checked


def _addresses(version: int) -> Reader:
    def address(raw: Json) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        found = ipaddress.ip_address(word(raw))
        if found.version != version:
            raise fail("an address of the other family")
        return found

    def read(raw: Json) -> tuple[str, ...]:
        if not isinstance(raw, dict):
            return (f"{address(raw)}/{32 if version == 4 else 128}",)
        name, body = single(raw)
        if name == "prefix":
            prefix = mapping(body)
            length = whole(prefix.get("len"), 128)
            return (str(ipaddress.ip_network(f"{address(prefix.get('addr'))}/{length}", strict=False)),)
        ends = [address(end) for end in array(body)]
        if name != "range" or len(ends) != 2 or int(ends[0]) > int(ends[1]):
            raise fail("not a range")
        return (f"{ends[0]}-{ends[1]}",)

    return _unmasked(read)


def _numbers(limit: int) -> Reader:
    def read(raw: Json) -> tuple[str, ...]:
        low, high = _bounds(raw, lambda item: whole(item, limit))
        return (NumberRange(low, high).text(),)

    return _unmasked(read)


def _written_out(number: Callable[[Json], int], name: Callable[[int], str]) -> Reader:
    """Values without ranges in the model: each number of a range on its own."""

    def read(raw: Json) -> tuple[str, ...]:
        low, high = _bounds(raw, number)
        return tuple(name(value) for value in range(low, high + 1))

    return _unmasked(read)


def _named(known: Mapping[str, int]) -> Callable[[Json], int]:
    def read(raw: Json) -> int:
        if isinstance(raw, str):
            if raw not in known:
                raise fail("an unknown name")
            return known[raw]
        return whole(raw, 0xFF)

    return read


def _proto_number(raw: Json) -> int:
    return whole(raw, 0xFF)


def _proto_name(value: int) -> str:
    found = protocol(str(value))
    if found is None:
        # The model's 0 would mean "any".
        raise fail("protocol 0")
    return found


def _protocols(raw: Json, mask: int | None) -> tuple[str, ...]:
    if isinstance(raw, str):
        found = protocol(raw)
        if found is None or mask is not None:
            raise fail("an unknown protocol")
        return (found,)
    return _written_out(_proto_number, _proto_name)(raw, mask)


def _marks(raw: Json, mask: int | None) -> tuple[str, ...]:
    if isinstance(raw, str) and raw.isdecimal():
        raw = int(raw)
    low, high = _bounds(raw, whole)
    if low == high:
        return (f"{low:#x}/{_ALL if mask is None else mask:#x}",)
    if mask is not None:
        raise fail("a range under a mask")
    # A range of 32-bit numbers is a handful of prefixes, and a prefix is a value under a mask.
    first, last = ipaddress.IPv4Address(low), ipaddress.IPv4Address(high)
    return tuple(
        f"{int(part.network_address):#x}/{int(part.netmask):#x}"
        for part in ipaddress.summarize_address_range(first, last)
    )


def _bits_of(read: Callable[[Json], tuple[int, int]]) -> Reader:
    """Some bits of a field, each number of a range on its own."""

    def values_of(raw: Json) -> tuple[str, ...]:
        if isinstance(raw, dict):
            low, high = _bounds(raw, whole)
            found = [read(number) for number in range(low, min(high, 0xFF) + 1)]
        else:
            found = [read(raw)]
        return tuple(f"{value:#x}/{mask:#x}" for value, mask in found)

    return _unmasked(values_of)


def _interface_name(raw: Json) -> tuple[str, ...]:
    """A name; nft's trailing ``*`` is the model's ``+``, and a literal star comes escaped."""
    name = word(raw)
    if name.endswith("\\*"):
        name = name[:-2] + "*"
    elif name.endswith("*"):
        return (name[:-1] + "+",)
    if name.endswith("+"):
        raise fail("the model would take it for a pattern")
    return (name,)


def _interface_index(raw: Json) -> tuple[str, ...]:
    """An interface that was named by index: nft prints its present name, or a number when it's gone."""
    name = word(raw)
    if name.isdecimal() or name.endswith("+"):
        raise fail("an interface that isn't there")
    return (name,)


def _states(raw: Json, mask: int | None) -> tuple[str, ...]:
    wanted = bits(raw, names.CT_STATES)
    under = _ALL if mask is None else mask
    return tuple(name.upper() for name, bit in names.CT_STATES.items() if bit & under == wanted)


def _tcp_flags(raw: Json, mask: int | None) -> tuple[str, ...]:
    wanted = bits(raw, names.TCP_FLAGS)
    under = _ALL_FLAGS if mask is None else mask
    if (wanted | under) & ~_ALL_FLAGS or wanted & ~under:
        raise fail("flags that can't be")
    return (f"{flag_text(under)}/{flag_text(wanted)}",)


def _direction(raw: Json) -> tuple[str, ...]:
    if raw not in {"original", "reply"}:
        raise fail("not a direction")
    return (word(raw).upper(),)


def _address_type(raw: Json) -> tuple[str, ...]:
    name = word(raw)
    if name not in names.ADDRESS_TYPES:
        raise fail("not a type of address")
    return (name.upper(),)


def _packet_type(raw: Json) -> tuple[str, ...]:
    found = {"host": "unicast", "unicast": "unicast", "broadcast": "broadcast", "multicast": "multicast"}
    if not isinstance(raw, str) or raw not in found:
        raise fail("not a type of packet that is modelled")
    return (found[raw],)


def _group(raw: Json) -> tuple[str, ...]:
    """An interface group: a number, or the name that iproute2 gives number 0."""
    return (f"{0 if raw == 'default' else whole(raw):#x}/{_ALL:#x}",)


def _word_or_number(raw: Json) -> tuple[str, ...]:
    return (str(whole(raw)) if isinstance(raw, int) else word(raw),)


def _arp_operation(raw: Json) -> tuple[str, ...]:
    if isinstance(raw, str):
        return (word(raw),)
    return (ARP_OPERATIONS.get(whole(raw, 0xFFFF), str(raw)),)


def _mac(raw: Json) -> tuple[str, ...]:
    address = word(raw).lower()
    if not _MAC.fullmatch(address):
        raise fail("not a MAC address")
    return (address,)


def _nfproto(raw: Json) -> tuple[str, ...]:
    found = names.FAMILIES.get(raw) if isinstance(raw, str) else NFPROTOS.get(whole(raw, 0xFF))
    if found is None:
        raise fail("a family that isn't modelled")
    return (found,)


def _ethertype(raw: Json) -> tuple[str, ...]:
    if isinstance(raw, str):
        return (names.FAMILIES.get(raw, word(raw)),)
    number = whole(raw, 0xFFFF)
    if number <= _LAST_NOT_ETHERTYPE:
        raise fail("not an Ethernet type")
    return (ETHERTYPES.get(number, f"{number:#06x}"),)


_KINDS: dict[str, Reader] = {
    "ip": _addresses(4),
    "ip6": _addresses(6),
    "port": _numbers(0xFFFF),
    "byte": _numbers(0xFF),
    "length": _numbers(_ALL),
    "proto": _protocols,
    "icmp": _written_out(_named(names.ICMP_TYPES), str),
    "icmp6": _written_out(_named(names.ICMPV6_TYPES), str),
    "icmp-code": _written_out(_named(names.ICMP_CODES), str),
    "icmp6-code": _written_out(_named(names.ICMPV6_CODES), str),
    "mark": _marks,
    "dscp": _bits_of(header_fields.dscp),
    "ecn": _bits_of(header_fields.ecn),
    "priority": _unmasked(lambda raw: (str(header_fields.priority(raw)),)),
    "capitals": _unmasked(lambda raw: (word(raw).upper(),)),
    "ifname": _unmasked(_interface_name),
    "ifindex": _unmasked(_interface_index),
    "ctstate": _states,
    "tcp-flags": _tcp_flags,
    "ctdir": _unmasked(_direction),
    "addrtype": _unmasked(_address_type),
    "pkttype": _unmasked(_packet_type),
    "mac": _unmasked(_mac),
    "number": _numbers(_ALL),
    "group": _unmasked(_group),
    "word": _unmasked(_word_or_number),
    "arp-op": _unmasked(_arp_operation),
    "nfproto": _unmasked(_nfproto),
    "ethertype": _unmasked(_ethertype),
    TEXT: lambda raw, _: (expression(raw),),
}
