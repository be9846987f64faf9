"""What nftables' expressions look at, as fields of the rule model.  Pure.

A field comes with what it needs: ``tcp dport`` is only there in a TCP packet,
and nft leaves that condition out of its listing.  So the needs are written
down as matches of their own, and hold for negated conditions too, as in the
kernel, where a value that can't be loaded ends the rule.

Sources: nft(8); nftables' payload.c and proto.c for the implied conditions;
the kernel's nft_meta.c, nft_ct.c, nft_fib.c, nft_payload.c, nft_numgen.c,
nft_hash.c.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from dnet_tui.inspect.model.firewall import Match, TableFamily
from dnet_tui.inspect.model.match_fields import FieldName, FieldText, MatchField
from dnet_tui.inspect.model.protocols import PORT_PROTOCOLS
from dnet_tui.inspect.nftables.header_fields import PLAIN_HEADERS
from dnet_tui.inspect.nftables.render import expression
from dnet_tui.inspect.nftables.shapes import concatenated
from dnet_tui.inspect.nftables.values import TEXT
from dnet_tui.inspect.text.json_access import (
    MALFORMED,
    Json,
    fail,
    fields,
    flag_words,
    items,
    mapping,
    only,
    single,
    whole,
    word,
)


class Field(NamedTuple):
    """A field, what kind of values it has, what must hold for it to be there, and the bits that count."""

    name: FieldName
    kind: str
    needs: tuple[Match, ...] = ()
    mask: int | None = None


IPV4 = Match(field="nfproto", values=("ipv4",))
IPV6 = Match(field="nfproto", values=("ipv6",))
ARP = Match(field="nfproto", values=("arp",))
TRACKED = Match(field="ctstate", values=("INVALID", "UNTRACKED"), negate=True)
"""The packet belongs to a connection: without one, nothing of it can be loaded."""


def _proto(name: str) -> Match:
    return Match(field="proto", values=(name,))


_ICMP, _ICMPV6 = _proto("icmp"), _proto("icmpv6")

_PORTS: tuple[Literal["sport", "dport"], ...] = ("sport", "dport")

_PAYLOAD: dict[tuple[str, str], Field] = {
    ("ip", "saddr"): Field("saddr", "ip", (IPV4,)),
    ("ip", "daddr"): Field("daddr", "ip", (IPV4,)),
    ("ip", "protocol"): Field("proto", "proto", (IPV4,)),
    ("ip", "ttl"): Field("ttl", "byte", (IPV4,)),
    ("ip", "length"): Field("length", "length", (IPV4,)),
    ("ip6", "saddr"): Field("saddr", "ip6", (IPV6,)),
    ("ip6", "daddr"): Field("daddr", "ip6", (IPV6,)),
    ("ip6", "nexthdr"): Field("proto", "proto", (IPV6,)),
    ("ip6", "hoplimit"): Field("ttl", "byte", (IPV6,)),
    ("ip", "dscp"): Field("tos", "dscp", (IPV4,)),
    ("ip", "ecn"): Field("tos", "ecn", (IPV4,)),
    ("ip6", "dscp"): Field("tos", "dscp", (IPV6,)),
    ("ip6", "ecn"): Field("tos", "ecn", (IPV6,)),
    ("dccp", "type"): Field("dccp-type", "capitals", (_proto("dccp"),)),
    ("ah", "spi"): Field("spi", "length", (_proto("ah"),)),
    ("esp", "spi"): Field("spi", "length", (_proto("esp"),)),
    ("comp", "cpi"): Field("spi", "length", (_proto("ipcomp"),)),
    ("tcp", "flags"): Field("tcp-flags", "tcp-flags", (_proto("tcp"),)),
    ("icmp", "type"): Field("icmp-type", "icmp", (_ICMP,)),
    ("icmp", "code"): Field("icmp-code", "icmp-code", (_ICMP,)),
    ("icmpv6", "type"): Field("icmp-type", "icmp6", (_ICMPV6,)),
    ("icmpv6", "code"): Field("icmp-code", "icmp6-code", (_ICMPV6,)),
    ("ether", "saddr"): Field("mac", "mac"),
    ("ether", "daddr"): Field("mac-dst", "mac"),
    ("arp", "operation"): Field("arp-op", "arp-op", (ARP,)),
    ("arp", "saddr ip"): Field("arp-saddr", "ip", (ARP,)),
    ("arp", "daddr ip"): Field("arp-daddr", "ip", (ARP,)),
    ("arp", "saddr ether"): Field("arp-mac", "mac", (ARP,)),
    ("arp", "daddr ether"): Field("arp-target-mac", "mac", (ARP,)),
    ("arp", "htype"): Field("arp-htype", "length", (ARP,)),
    ("arp", "ptype"): Field("arp-ptype", "ethertype", (ARP,)),
    ("arp", "hlen"): Field("arp-hlen", "byte", (ARP,)),
    ("arp", "plen"): Field("arp-plen", "byte", (ARP,)),
    ("th", "sport"): Field("th-sport", "port"),
    ("th", "dport"): Field("th-dport", "port"),
} | {(name, port): Field(port, "port", (_proto(name),)) for name in sorted(PORT_PROTOCOLS) for port in _PORTS}

_META: dict[str, Field] = {
    "iifname": Field("iif", "ifname"),
    "oifname": Field("oif", "ifname"),
    "iif": Field("iif", "ifindex"),
    "oif": Field("oif", "ifindex"),
    "ibrname": Field("ibrname", "ifname"),
    "obrname": Field("obrname", "ifname"),
    "mark": Field("mark", "mark"),
    "l4proto": Field("proto", "proto"),
    "nfproto": Field("nfproto", "nfproto"),
    "protocol": Field("nfproto", "ethertype"),
    "pkttype": Field("pkttype", "pkttype"),
    "length": Field("length", "length"),
    "iifgroup": Field("iifgroup", "group"),
    "oifgroup": Field("oifgroup", "group"),
    "iifkind": Field("iifkind", "word"),
    "oifkind": Field("oifkind", "word"),
    "iiftype": Field("iiftype", "word"),
    "oiftype": Field("oiftype", "word"),
    "skuid": Field("skuid", "word"),
    "skgid": Field("skgid", "word"),
    "cgroup": Field("cgroup", "word"),
    "priority": Field("priority", "priority"),
    "rtclassid": Field("realm", "mark"),
    "random": Field(FieldText("meta random"), "number"),
}
_HEADERS: dict[str, tuple[Match, ...]] = {
    "ip": (IPV4,),
    "ip6": (IPV6,),
    "arp": (ARP,),
    "icmp": (_ICMP,),
    "icmpv6": (_ICMPV6,),
    "comp": (_proto("ipcomp"),),
    **{name: (_proto(name),) for name in (*PORT_PROTOCOLS, "igmp", "ah", "esp")},
}
"""What must hold for a header to be there, of which a field isn't modelled."""
_HASHES = frozenset({"numgen", "jhash", "symhash"})

_CT: dict[str, Field] = {
    "state": Field("ctstate", "ctstate"),
    "mark": Field("ctmark", "mark"),
    "direction": Field("ctdir", "ctdir"),
    "protocol": Field("ctproto", "proto"),
    "l3proto": Field("ct-l3proto", "nfproto", (TRACKED,)),
    "helper": Field("ct-helper", "word", (TRACKED, Match(field="ct-helper", values=("",)))),
    "expiration": Field("ct-expires", "length", (TRACKED,)),
    "zone": Field("ct-zone", "length", (TRACKED,)),
}
_SPOKEN = {"iifname", "oifname", "iif", "oif", "ibrname", "obrname", "iifgroup", "oifgroup", "iifkind", "oifkind",
           "iiftype", "oiftype", "l4proto"}  # fmt: skip
MODELLED_KEYS = frozenset({*_META, *_CT, *(key for _, key in PLAIN_HEADERS)}) - _SPOKEN
"""The keys of ``meta`` and ``ct``, and the odd header fields, that are modelled; without those of interfaces."""

_CT_TUPLE: dict[tuple[str, str], MatchField] = {
    ("original", "saddr"): "ctorigsrc",
    ("original", "daddr"): "ctorigdst",
    ("original", "proto-src"): "ctorigsrcport",
    ("original", "proto-dst"): "ctorigdstport",
    ("reply", "saddr"): "ctreplsrc",
    ("reply", "daddr"): "ctrepldst",
    ("reply", "proto-src"): "ctreplsrcport",
    ("reply", "proto-dst"): "ctrepldstport",
}
_FIB_TYPES: dict[tuple[str, str], MatchField] = {
    ("daddr", ""): "dst-type",
    ("daddr", "iif"): "dst-type-in",
    ("daddr", "oif"): "dst-type-out",
    ("saddr", ""): "src-type",
    ("saddr", "iif"): "src-type-in",
    ("saddr", "oif"): "src-type-out",
}
_PLAIN_PORTS: dict[FieldName, MatchField] = {"th-sport": "sport", "th-dport": "dport"}


def field_of(left: Json, family: TableFamily) -> Field:
    """The field that an expression looks at, in a table of this family.

    Raises:
        CannotModelError: it isn't modelled.
    """
    name, body = single(left)
    if name == "&":
        parts = items(body)
        if len(parts) != 2:
            raise fail("not one value under one mask")
        inner = field_of(parts[0], family)
        if inner.kind != "mark" or inner.mask is not None:
            raise fail("a mask on something else than a mark")
        return inner._replace(mask=whole(parts[1]))
    if name in _HASHES and whole(mapping(body).get("mod")):
        parts = concatenated(mapping(body).get("expr"))
        needs = tuple(dict.fromkeys(need for part in parts for need in needs_of(part)))
        return _without_given(Field(FieldText(expression(left)), "number", needs), family)
    if name == "rt" and mapping(body).get("key") == "classid":
        return Field("realm", "mark")
    if name == "tcp option" and (fields(body).get("name"), fields(body).get("field")) == ("maxseg", "size"):
        return Field("mss", "length", (_proto("tcp"),))
    read = {"payload": _payload, "meta": _meta, "ct": _ct, "fib": _fib}.get(name)
    if read is None:
        raise fail(f"{name} isn't modelled")
    return _without_given(read(body, family), family)


def loose_field(left: Json, family: TableFamily) -> Field:
    """As :func:`field_of`, but what isn't modelled becomes a field that is named by its text and never decided."""
    try:
        return field_of(left, family)
    except ValueError:
        return _without_given(Field(FieldText(expression(left)), TEXT, needs_of(left)), family)


def needs_to_change(key: Json, family: TableFamily) -> tuple[Match, ...]:
    """What must hold for a header field to be there to be written; the rule ends for a packet without it.

    A connection's field isn't written then, and the rule goes on (nft_ct_set_eval).
    """
    if only(key)[0] not in {"payload", "tcp option"}:
        return ()
    return tuple(need for need in needs_of(key) if not _is_given(need, family))


def needs_of(left: Json) -> tuple[Match, ...]:
    """What must hold for an expression that isn't modelled to have a value at all.  Never raises."""
    try:
        return _needs_of(left)
    except MALFORMED:
        return ()


def _needs_of(left: Json) -> tuple[Match, ...]:
    name, body = only(left)
    if name == "&" and isinstance(body, list) and body:
        return needs_of(body[0])
    found = fields(body)
    if name == "payload":
        return _HEADERS.get(str(found.get("protocol")), ())
    if name in {"tcp option", "sctp chunk"}:
        return (_proto(name.partition(" ")[0]),)
    if name == "exthdr":
        return (Match(field="exthdr", values=(word(found["name"]),)),)
    return (TRACKED,) if name == "ct" and found.get("key") not in {"state", "zone"} else ()


def with_ports(field: Field, protocols: tuple[str, ...] | None) -> Field:
    """The field, with ``th`` ports made ordinary ones where the rule has made sure that there are ports.

    Args:
        field: any field.
        protocols: what the packet's protocol is known to be one of; None when anything.
    """
    if field.name in _PLAIN_PORTS and protocols and set(protocols) <= PORT_PROTOCOLS:
        return field._replace(name=_PLAIN_PORTS[field.name])
    return field


@lru_cache(maxsize=1024)
def _without_given(field: Field, family: TableFamily) -> Field:
    return field._replace(needs=tuple(need for need in field.needs if not _is_given(need, family)))


def _is_given(need: Match, family: TableFamily) -> bool:
    """Whether every packet that a table of this family sees meets the need."""
    return need == {"ip": IPV4, "ip6": IPV6, "arp": ARP}.get(family)


def _payload(body: Json, family: TableFamily) -> Field:
    found = mapping(body)
    key = (word(found.get("protocol")), word(found.get("field")))
    if key == ("ether", "type"):
        return Field("nfproto" if family in {"bridge", "netdev"} else "ether-type", "ethertype")
    if key in PLAIN_HEADERS:
        return Field(FieldText(PLAIN_HEADERS[key]), "number", _HEADERS[key[0]])
    if key not in _PAYLOAD:
        raise fail("a header field that isn't modelled")
    return _PAYLOAD[key]


def _meta(body: Json, family: TableFamily) -> Field:
    key = word(mapping(body).get("key"))
    if key not in _META or (key == "nfproto" and family not in {"ip", "ip6", "inet"}):
        raise fail("a meta key that isn't modelled")
    return _META[key]


def _ct(body: Json, family: TableFamily) -> Field:
    found = mapping(body)
    key, way = word(found.get("key")), found.get("dir")
    if way is None:
        if key not in _CT:
            raise fail("a ct key that isn't modelled")
        return _CT[key]
    which, _space, end = key.rpartition(" ")
    name = _CT_TUPLE.get((way, end)) if isinstance(way, str) else None
    if name is None or which not in {"", "ip", "ip6"}:
        raise fail("a part of a connection's tuple that isn't modelled")
    if end.startswith("proto"):
        return Field(name, "port")
    which = which or ("" if family not in {"ip", "ip6"} else family)
    if not which:
        raise fail("an address of an unknown family")
    return Field(name, which, (IPV4 if which == "ip" else IPV6,))


def _fib(body: Json, _: TableFamily) -> Field:
    found = mapping(body)
    flags = flag_words(found.get("flags"))
    sides = [flag for flag in flags if flag in {"daddr", "saddr"}]
    devices = [flag for flag in flags if flag in {"iif", "oif"}]
    if len(sides) != 1 or len(devices) > 1 or len(sides) + len(devices) + ("mark" in flags) != len(flags):
        raise fail("a routing look-up that isn't modelled")
    if found.get("result") in {"oif", "oifname"}:
        return Field(FieldText(".".join(("fib", *flags))), "ifindex" if found["result"] == "oif" else "ifname")
    if found.get("result") != "type" or "mark" in flags:
        raise fail("a routing look-up that isn't modelled")
    return Field(_FIB_TYPES[sides[0], devices[0] if devices else ""], "addrtype")
