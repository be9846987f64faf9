"""What the fields of a rule's conditions are called in plain English.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from dnet_tui.inspect.model.match_fields import ConnectionField, HeaderField, MatchField
from dnet_tui.inspect.text.sanitize import clean

_FIELDS = {
    "saddr": "source",
    "daddr": "destination",
    "sport": "source port",
    "dport": "destination port",
    "iif": "arriving interface",
    "oif": "leaving interface",
    "proto": "protocol",
    "ctstate": "connection state",
}


def field_names(fields: Iterable[str]) -> str:
    """The model's fields in words, joined by "and"."""
    return " and ".join(_FIELDS.get(field, clean(field)) for field in fields)


def subject_of(field: MatchField) -> str:  # noqa: C901, PLR0912 - the table of fields
    """What a field is, in words that a value follows."""
    match field:
        case "pkttype":
            return "whose frames are"
        case "mac":
            return "whose source MAC is"
        case "length":
            return "whose length in bytes is"
        case "ttl":
            return "whose hop limit is"
        case "icmp-code":
            return "whose ICMP code is"
        case "th-sport":
            return "whose source port is"
        case "th-dport":
            return "whose destination port is"
        case (
            "tos" | "mss" | "priority" | "chunks" | "dccp-type" | "spi" | "ipv6-headers" | "eui64" | "u32" | "contents"
        ):
            return _header(field)
        case (
            "ctstate" | "ctstatus" | "ctmark" | "ctdir" | "ctproto" | "ctorigsrc" | "ctorigdst" | "ctorigsrcport"
            | "ctorigdstport" | "ctreplsrc" | "ctrepldst" | "ctreplsrcport" | "ctrepldstport" | "ct-label"
            | "ct-helper" | "ct-expires" | "ct-zone" | "ct-l3proto"
        ):  # fmt: skip
            return _connection(field)
        case "cgroup":
            return "whose sender's cgroup is"
        case "realm":
            return "whose route's realm is"
        case "mac-dst":
            return "whose destination MAC is"
        case "iifgroup":
            return "whose arriving interface's group is"
        case "oifgroup":
            return "whose leaving interface's group is"
        case "iifkind":
            return "whose arriving interface's kind is"
        case "oifkind":
            return "whose leaving interface's kind is"
        case "iiftype":
            return "whose arriving interface's type is"
        case "oiftype":
            return "whose leaving interface's type is"
        case "ibrname":
            return "whose arriving bridge is"
        case "obrname":
            return "whose leaving bridge is"
        case "owner-uid" | "skuid":
            return "whose sender's user is"
        case "owner-gid" | "skgid":
            return "whose sender's group is"
        case "arp-op":
            return "whose ARP operation is"
        case "arp-saddr":
            return "whose ARP sender is"
        case "arp-daddr":
            return "whose ARP target is"
        case (
            "tcp-option" | "exthdr" | "nfproto" | "ether-type" | "arp-mac" | "arp-target-mac" | "arp-htype"
            | "arp-ptype" | "arp-hlen" | "arp-plen" | "dst-type-in" | "src-type-in" | "dst-type-out"
            | "src-type-out" | "fib" | "made-here" | "saddr" | "sport" | "iif" | "physin" | "daddr" | "dport"
            | "oif" | "physout" | "src-type" | "dst-type" | "proto" | "port" | "icmp-type"
            | "socket" | "recent" | "time"
            | "tcp-flags" | "mark" | "physdev" | "fragment" | "rpfilter" | "ipsec" | "owner-socket"
        ):  # fmt: skip
            return field  # they have clauses of their own, or no better name
        case _:
            assert_never(field)


def _header(field: HeaderField) -> str:
    match field:
        case "tos":
            return "whose type of service is"
        case "mss":
            return "whose maximum segment size is"
        case "priority":
            return "whose priority is"
        case "chunks":
            return "whose SCTP chunks are"
        case "dccp-type":
            return "whose DCCP type is"
        case "spi":
            return "whose index of security parameters is"
        case "ipv6-headers":
            return "whose IPv6 headers are"
        case "u32":
            return "whose bytes (u32) are"
        case "eui64" | "contents":
            return field  # they have clauses of their own
        case _:
            assert_never(field)


def _connection(field: ConnectionField) -> str:  # noqa: C901, PLR0912 - the table of fields
    match field:
        case "ctstatus":
            return "whose connection's status is"
        case "ctdir":
            return "whose direction in its connection is"
        case "ctproto":
            return "whose connection's protocol is"
        case "ct-l3proto":
            return "whose connection's family is"
        case "ctorigsrc":
            return "whose connection came from"
        case "ctorigdst":
            return "whose connection first went to"
        case "ctorigsrcport":
            return "whose connection came from port"
        case "ctorigdstport":
            return "whose connection first went to port"
        case "ctreplsrc":
            return "whose connection is answered by"
        case "ctrepldst":
            return "whose connection is answered to"
        case "ctreplsrcport":
            return "whose connection is answered from port"
        case "ctrepldstport":
            return "whose connection is answered to port"
        case "ct-label":
            return "whose connection has a label that is"
        case "ct-helper":
            return "whose connection was expected by a helper that is"
        case "ct-expires":
            return "whose connection expires in seconds that are"
        case "ct-zone":
            return "whose conntrack zone is"
        case "ctstate" | "ctmark":
            return field  # they have clauses of their own
        case _:
            assert_never(field)
