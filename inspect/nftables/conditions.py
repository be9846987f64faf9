"""nftables' matches and verdict maps, compiled into the rule model.  Pure.

Sources: nft(8); nftables' netlink_delinearize.c for what a listing leaves
out; the kernel's nft_cmp.c, nft_bitwise.c, nft_lookup.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from dnet_tui.inspect.model.firewall import AnyExpr, Choice, Element, Lookup, Match, TableFamily, VerdictMap
from dnet_tui.inspect.model.match_fields import FieldName, FieldText, MatchField
from dnet_tui.inspect.nftables import names
from dnet_tui.inspect.nftables.clock import KEYS as CLOCK_KEYS
from dnet_tui.inspect.nftables.clock import clock_match
from dnet_tui.inspect.nftables.comparisons import compared
from dnet_tui.inspect.nftables.fields import IPV4, IPV6, TRACKED, Field, field_of, loose_field, with_ports
from dnet_tui.inspect.nftables.header_fields import special_match
from dnet_tui.inspect.nftables.render import expression, statement
from dnet_tui.inspect.nftables.sets import SetHead, bare, read_elements
from dnet_tui.inspect.nftables.shapes import concatenated
from dnet_tui.inspect.nftables.stateful import COUNTS, NO_OBJECTS, NamedObjects, connection_count
from dnet_tui.inspect.nftables.values import TEXT, bits, flag_text, values
from dnet_tui.inspect.text.json_access import MALFORMED, Json, array, fail, fields, flag_words, mapping, single, word

_ALL = 0xFFFFFFFF
_FRAGMENT_OFFSET = 0x1FFF


class Context(NamedTuple):
    """What a condition's meaning depends on.

    ``heads``: the sets of the table, ``objects`` its limits and quotas.  ``protocols``: what the rule has made
    sure the packet's protocol is one of, None for anything.
    """

    family: TableFamily
    heads: Mapping[str, SetHead]
    protocols: tuple[str, ...] | None = None
    objects: NamedObjects = NO_OBJECTS


def condition(body: Json, context: Context) -> tuple[AnyExpr, ...]:
    """Compile a ``match``: what must hold for it to be looked at, then the match itself.

    Raises:
        CannotModelError: it isn't modelled.
    """
    found = mapping(body)
    operator, left, right = word(found.get("op")), found.get("left"), found.get("right")
    special = _special(operator, left, right, context)
    if special is not None:
        return special
    if isinstance(left, dict) and "concat" in left:
        return _concatenation(operator, array(left["concat"]), right, context)
    field = with_ports(field_of(left, context.family), context.protocols)
    if operator in {"<", "<=", ">", ">="} and field.mask is None:
        operator, right = "==", compared(field.kind, operator, right)
    negate = _is_negated(operator)
    name = _set_name(right, field.kind, context)
    if name:
        if context.heads[name].kinds != (field.kind,) or field.mask is not None:
            raise fail("a set of another type")
        return (*field.needs, Lookup(fields=(field.name,), set=name, negate=negate))
    members = tuple(value for raw in _members(right) for value in values(field.kind, raw, field.mask))
    return (*field.needs, Match(field=field.name, values=members, negate=negate))


def verdict_map(body: Json, context: Context) -> tuple[AnyExpr, ...]:
    """Compile a ``vmap``.  A key that isn't modelled stays as a field nobody can decide; the verdicts remain known.

    Raises:
        CannotModelError: its verdicts can't be read.
    """
    found = mapping(body)
    key, data = found.get("key"), found.get("data")
    parts = concatenated(key)
    fields = _loose(parts, context)
    if isinstance(data, str):
        name = _set_name(data, "", context)
        if not name or not context.heads[name].verdicts:
            raise fail("a verdict map that isn't known")
        fields = _fitting(fields, parts, context.heads[name])
        return (*_needs(fields), VerdictMap(fields=tuple(field.name for field in fields), set=name))
    raws = array(mapping(data).get("set"))
    try:
        elements = _anonymous(raws, fields, "verdict")
    except MALFORMED:
        fields = tuple(Field(FieldText(expression(part)), TEXT) for part in parts)
        elements = _anonymous(raws, fields, "verdict")
    return (*_needs(fields), VerdictMap(fields=tuple(field.name for field in fields), elements=elements))


def choice(body: Json, context: Context, part: Literal["addresses", "ports"]) -> tuple[tuple[Match, ...], Choice]:
    """Compile a ``map`` that a NAT statement takes its target from, with what must hold for its key to be there.

    Raises:
        CannotModelError: the data can't be read.
    """
    found = mapping(body)
    key, data = found.get("key"), found.get("data")
    parts = concatenated(key)
    fields = _loose(parts, context)
    if isinstance(data, str):
        name = _set_name(data, "", context)
        if not name:
            raise fail("a map that isn't known")
        fields = _fitting(fields, parts, context.heads[name])
        return _needs(fields), Choice(fields=tuple(field.name for field in fields), set=name, part=part)
    raws = array(mapping(data).get("set"))
    elements = _anonymous(raws, fields, "data")
    return _needs(fields), Choice(fields=tuple(field.name for field in fields), elements=elements, part=part)


def element_fields(raw: Json, context: Context) -> tuple[tuple[Match, ...], tuple[FieldName, ...]]:
    """The fields that ``add @set { ip saddr }`` loads, after what must hold for them to be there."""
    inner = raw["elem"] if isinstance(raw, dict) and "elem" in raw else raw
    inner = inner["val"] if isinstance(inner, dict) and "val" in inner else inner
    loaded = _loose(concatenated(inner), context)
    return _needs(loaded), tuple(field.name for field in loaded)


def _concatenation(operator: str, parts: list[Json], right: Json, context: Context) -> tuple[AnyExpr, ...]:
    negate = _is_negated(operator)
    fields = _loose(parts, context)
    name = _set_name(right, "", context)
    if name:
        fields = _fitting(fields, parts, context.heads[name])
        return (*_needs(fields), Lookup(fields=tuple(item.name for item in fields), set=name, negate=negate))
    elements = _anonymous(_members(right), fields, "")
    return (*_needs(fields), Lookup(fields=tuple(item.name for item in fields), elements=elements, negate=negate))


def _anonymous(raws: list[Json], fields: tuple[Field, ...], data: str) -> tuple[Element, ...]:
    kinds = tuple(field.kind for field in fields)
    return read_elements(raws, kinds, tuple(field.mask for field in fields), data=data)


def _loose(parts: list[Json], context: Context) -> tuple[Field, ...]:
    fields = tuple(loose_field(part, context.family) for part in parts)
    if any(field.name == "proto" for field in fields):
        # The protocol is compared together with the port, so only those with ports are found.
        return tuple(with_ports(field, ("tcp",)) for field in fields)
    return tuple(with_ports(field, context.protocols) for field in fields)


def _fitting(fields: tuple[Field, ...], parts: list[Json], head: SetHead) -> tuple[Field, ...]:
    """The fields, with those that a set has other values for made undecidable."""
    if len(head.kinds) != len(fields):
        raise fail("a set with other keys")
    return tuple(
        field if field.kind == kind and field.mask is None else Field(FieldText(expression(part)), TEXT)
        for field, part, kind in zip(fields, parts, head.kinds, strict=True)
    )


def _needs(fields: tuple[Field, ...]) -> tuple[Match, ...]:
    return tuple(dict.fromkeys(need for field in fields for need in field.needs))


def _set_name(right: Json, kind: str, context: Context) -> str:
    """The name of the set that ``@name`` stands for; an interface may be called so too."""
    if not isinstance(right, str) or not right.startswith("@"):
        return ""
    if right[1:] in context.heads:
        return right[1:]
    if kind in {"ifname", "ifindex"}:
        return ""
    raise fail("a set that isn't known")


def _members(right: Json) -> list[Json]:
    """The values that one is compared with: those of an anonymous set, or just one."""
    if isinstance(right, dict) and "set" in right:
        return [bare(item) for item in array(right["set"])]
    return [right]


def _is_negated(operator: str) -> bool:
    if operator not in {"==", "!="}:
        raise fail("a comparison that isn't modelled")
    return operator == "!="


def _special(operator: str, left: Json, right: Json, context: Context) -> tuple[AnyExpr, ...] | None:
    """Compile what is compared bit by bit, and what has no plain field; None for everything else."""
    name, body = single(left)
    mask: Json = None
    if name == "&":
        parts = array(body)
        if len(parts) != 2:
            raise fail("not one value under one mask")
        mask = parts[1]
        name, body = single(parts[0])
    found = fields(body)
    if isinstance(right, str) and right.startswith("@"):
        return None
    few = _of_few_rules(operator, name, found, right) if mask is None else ()
    if few:
        return few
    if name == "ct" and found.get("key") == "state" and "dir" not in found:
        return (_state(operator, mask, right),)
    if name == "ct" and found.get("key") == "status" and "dir" not in found:
        return _status(operator, mask, right)
    if name == "fib" and found.get("result") in {"oif", "oifname", "check"}:
        there = False if found["result"] == "oif" and right in {"0", 0} else right
        if isinstance(there, bool):
            return (_route_back(operator, found, there),)
    if name in {"exthdr", "rt", "meta"} and isinstance(right, bool) and mask is None:
        return _presence(name, found, there=right != _is_negated(operator))
    return _header(operator, mask, found, right, context) if name == "payload" else None


def _of_few_rules(operator: str, name: str, found: Mapping[str, Json], right: Json) -> tuple[AnyExpr, ...]:
    """The clock, a connection's counters and labels, sockets, IPsec, options; empty for anything else."""
    key = found.get("key")
    if name == "meta" and isinstance(key, str) and key in CLOCK_KEYS:
        return (clock_match(key, operator, right),)
    if name == "ct" and key in COUNTS:
        return connection_count(operator, found, right)
    if name == "ct" and key == "label" and not isinstance(right, dict):
        return TRACKED, Match(field="ct-label", values=(str(right),), negate=operator in {"!=", "!"})
    if name not in {"tcp option", "sctp chunk", "socket", "ipsec"} or operator not in {"==", "!="}:
        return ()
    text = statement({"match": {"op": operator, "left": {name: dict(found)}, "right": right}})
    return special_match(name, found, right, text, negate=operator == "!=")


def _presence(name: str, found: Mapping[str, Json], *, there: bool) -> tuple[Match, ...] | None:
    """What is only there or not: an extension header, IPsec."""
    if name == "exthdr" and "field" not in found:
        return (Match(field="exthdr", values=(word(found.get("name")),), negate=not there),)
    if found.get("key") == "ipsec":
        return (Match(field="ipsec", values=("in" if name == "meta" else "out",), negate=not there),)
    return None


def _header(
    operator: str, mask: Json, found: Mapping[str, Json], right: Json, context: Context
) -> tuple[AnyExpr, ...] | None:
    header = (found.get("protocol"), found.get("field"))
    if header == ("tcp", "flags"):
        return _tcp_flags(operator, mask, right)
    if header == ("ip", "frag-off") and mask == _FRAGMENT_OFFSET and right == 0:
        later = Match(field="fragment", values=("later",), negate=not _is_negated(operator))
        return (later,) if context.family == "ip" else (IPV4, later)
    if header in {("ip", "version"), ("ip6", "version")} and operator == "==" and right in {4, 6}:
        return (IPV4 if right == 4 else IPV6,)
    return None


def _state(operator: str, mask: Json, right: Json) -> Match:
    """A packet has one state, so whatever is asked of its bits, some states fulfil it and the others don't."""
    under = _ALL if mask is None else bits(mask, names.CT_STATES)
    if operator in {"in", "!"}:
        wanted = bits(right, names.CT_STATES)
        met = [name for name, bit in names.CT_STATES.items() if bit & under & wanted]
        negate = operator == "!"
    else:
        negate = _is_negated(operator)
        options = {bits(item, names.CT_STATES) for item in _members(right)}
        met = [name for name, bit in names.CT_STATES.items() if bit & under in options]
    if negate and mask is not None:
        met, negate = [name for name in names.CT_STATES if name not in met], False
    return Match(field="ctstate", values=tuple(name.upper() for name in met), negate=negate)


def _status(operator: str, mask: Json, right: Json) -> tuple[Match, ...]:
    """A connection has any number of statuses: only "one of these" and "none of these" are modelled."""
    if mask is None:
        if operator not in {"in", "!"}:
            raise fail("all of a connection's status at once")
        wanted, negate = bits(right, names.CT_STATUSES), operator == "!"
    else:
        wanted = bits(mask, names.CT_STATUSES)
        value = bits(right, names.CT_STATUSES)
        if value not in {0, wanted} or (value and wanted.bit_count() != 1):
            raise fail("some of a connection's status")
        negate = _is_negated(operator) == bool(value)
    known = {name: bit for name, bit in names.CT_STATUSES.items() if wanted & bit}
    if not known or sum(known.values()) != wanted:
        raise fail("an unknown status")
    # What iptables calls the states SNAT and DNAT are these two.
    field: MatchField = "ctstate" if set(known) <= {"snat", "dnat"} else "ctstatus"
    words = tuple(name.upper().replace("-", "_") for name in known)
    found = Match(field=field, values=words, negate=negate)
    return (TRACKED, found) if negate else (found,)


def _tcp_flags(operator: str, mask: Json, right: Json) -> tuple[Match, ...]:
    tcp = Match(field="proto", values=("tcp",))
    if operator in {"in", "!"}:
        if mask is not None:
            raise fail("flags under two masks")
        wanted = bits(right, names.TCP_FLAGS)
        if not wanted or wanted > 0xFF:
            raise fail("flags that can't be")
        if operator == "!":
            return (tcp, Match(field="tcp-flags", values=(f"{flag_text(wanted)}/NONE",)))
        ones = tuple(f"{name}/{name}" for bit, name in names.TCP_FLAG_WORDS.items() if wanted & bit)
        return (tcp, Match(field="tcp-flags", values=ones))
    under = None if mask is None else bits(mask, names.TCP_FLAGS)
    options = tuple(value for item in _members(right) for value in values("tcp-flags", item, under))
    return (tcp, Match(field="tcp-flags", values=options, negate=_is_negated(operator)))


def _route_back(operator: str, body: Mapping[str, Json], right: bool) -> Match:  # noqa: FBT001  nft's exists, missing
    """``fib saddr . iif oif missing``: whether a route leads (back) there at all."""
    flags = flag_words(body.get("flags"))
    if not flags:
        raise fail("a routing look-up that isn't modelled")
    return Match(field="fib", values=(".".join(flags),), negate=_is_negated(operator) == right)
