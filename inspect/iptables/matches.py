"""iptables' matches, compiled into the rule model.  Pure.

A table of the options that can be said exactly in the model.  A match with
any other option, or with a value that doesn't fit, stays opaque as a whole:
nothing is guessed and nothing is dropped.

Sources: iptables-extensions(8) and the print functions of iptables' libxt_*.c.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.iptables.header_matches import chunk_types
from dnet_tui.inspect.iptables.names import ICMP_TYPES, ICMPV6_TYPES
from dnet_tui.inspect.iptables.save_grammar import masked, number, number_range, quote
from dnet_tui.inspect.model.firewall import AnyExpr, Match, Note, SetLookup
from dnet_tui.inspect.model.match_fields import FieldText, MatchField
from dnet_tui.inspect.model.protocols import TCP_FLAG_BITS, protocol

CompileMatch = Callable[[list[str], bool], "AnyExpr | None"]


class Option(NamedTuple):
    """One option of a match: how many values it takes and what they mean; None adds no condition."""

    arity: int
    compile: CompileMatch


@lru_cache(maxsize=4096)
def network(text: str) -> str:
    """Return an address or network as CIDR; under a mask that is no prefix with that mask.

    Raises:
        CannotModelError: a host's name.
    """
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return _under_mask(text)


def _under_mask(text: str) -> str:
    """``ADDRESS/MASK`` for a mask that is no prefix, as ``10.0.12.0/255.0.255.0``."""
    address, slash, mask = text.partition("/")
    try:
        found, under = ipaddress.ip_address(address), ipaddress.ip_address(mask)
    except ValueError as error:
        msg = f"{text!r} is not a network"
        raise CannotModelError(msg) from error
    if not slash or found.version != under.version:
        msg = f"{text!r} is not a network"
        raise CannotModelError(msg)
    return f"{type(found)(int(found) & int(under))}/{under}"


@lru_cache(maxsize=4096)
def address_range(text: str) -> str:
    """Return ``a-b`` (or one address) in canonical form.

    Raises:
        CannotModelError: not addresses of one family, in order.
    """
    low, dash, high = text.partition("-")
    try:
        first = ipaddress.ip_address(low)
        last = ipaddress.ip_address(high) if dash else first
    except ValueError as error:
        msg = f"{text!r} is not an address range"
        raise CannotModelError(msg) from error
    if first.version != last.version or int(last) < int(first):
        msg = f"{text!r} is not an address range"
        raise CannotModelError(msg)
    return f"{first}-{last}" if dash else str(first)


def proto_name(text: str) -> str:
    """Return the model's name of a protocol.

    Raises:
        CannotModelError: an unknown name.
    """
    name = protocol(text)
    if name is None:
        msg = f"{text!r} is not a protocol"
        raise CannotModelError(msg)
    return name


def masked_text(text: str) -> str:
    """Return ``VALUE[/MASK]`` as ``0xVALUE/0xMASK``."""
    value, mask = masked(text)
    return f"{value:#x}/{mask:#x}"


def _one(field: MatchField, read: Callable[[str], str]) -> Option:
    return Option(1, lambda values, negate: Match(field=field, values=(read(values[0]),), negate=negate))


def _many(field: MatchField, read: Callable[[str], str]) -> Option:
    def build(values: list[str], negate: bool) -> Match:  # noqa: FBT001  one signature for all options
        parts = tuple(read(part) for part in values[0].split(","))
        return Match(field=field, values=parts, negate=negate)

    return Option(1, build)


def _word(allowed: frozenset[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        upper = text.upper()
        if upper not in allowed:
            msg = f"{text!r} is not one of {', '.join(sorted(allowed))}"
            raise CannotModelError(msg)
        return upper

    return read


_EVERY_BIT = 0xFFFFFFFF
_TCP_FLAGS = tuple(TCP_FLAG_BITS)[:6]
"""Those that iptables knows, in the order in which it prints them."""
LIMIT = FieldText("limit-iface")
"""Stands for ``--limit-iface-…`` until the match is complete."""
_OWNER = re.compile(r"\d{1,10}(?:-\d{1,10})?", re.ASCII)
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_PACKET_TYPES = frozenset({"unicast", "broadcast", "multicast"})
_STATES = frozenset({"NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED", "SNAT", "DNAT"})
_STATUSES = frozenset({"NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED"})
_ADDRESS_TYPES = frozenset(
    {
        "UNSPEC",
        "UNICAST",
        "LOCAL",
        "BROADCAST",
        "ANYCAST",
        "MULTICAST",
        "BLACKHOLE",
        "UNREACHABLE",
        "PROHIBIT",
        "THROW",
        "NAT",
        "XRESOLVE",
    }
)


def _mac(text: str) -> str:
    lower = text.lower()
    if not _MAC.fullmatch(lower):
        msg = f"{text!r} is not a MAC address"
        raise CannotModelError(msg)
    return lower


def _packet_type(text: str) -> str:
    if text.lower() not in _PACKET_TYPES:
        msg = f"{text!r} is not a packet type"
        raise CannotModelError(msg)
    return text.lower()


def interface(text: str) -> str:
    """Return an interface's name or pattern.

    Raises:
        CannotModelError: empty, so no interface at all.
    """
    if not text:
        msg = "an interface needs a name"
        raise CannotModelError(msg)
    return text


def _icmp(names: dict[str, str]) -> Option:
    def build(values: list[str], negate: bool) -> AnyExpr | None:  # noqa: FBT001  one signature for all options
        text = names.get(values[0].lower(), values[0])
        if text in {"any", "255"}:
            if negate:
                msg = "not any type"
                raise CannotModelError(msg)
            return None
        kind, slash, code = text.partition("/")
        value = str(number(kind, 255)) + (f"/{number(code, 255)}" if slash else "")
        return Match(field="icmp-type", values=(value,), negate=negate)

    return Option(1, build)


def _flag_names(text: str) -> tuple[str, ...]:
    given = frozenset(_TCP_FLAGS) if text == "ALL" else frozenset() if text == "NONE" else frozenset(text.split(","))
    if not given <= set(_TCP_FLAGS):
        msg = f"{text!r} are not TCP flags"
        raise CannotModelError(msg)
    return tuple(name for name in _TCP_FLAGS if name in given)


def _tcp_flags(values: list[str], negate: bool) -> Match:  # noqa: FBT001  one signature for all options
    mask, wanted = (",".join(_flag_names(value)) or "NONE" for value in values)
    return Match(field="tcp-flags", values=(f"{mask}/{wanted}",), negate=negate)


def _syn(_: list[str], negate: bool) -> Match:  # noqa: FBT001  one signature for all options
    return _tcp_flags(["FIN,SYN,RST,ACK", "SYN"], negate)


def _comment(values: list[str], negate: bool) -> Note:  # noqa: FBT001  one signature for all options
    if negate:
        msg = "a comment can't be negated"
        raise CannotModelError(msg)
    return Note(text=f"-m comment --comment {quote(values[0])}")


def _set_lookup(values: list[str], negate: bool) -> SetLookup:  # noqa: FBT001  one signature for all options
    dirs = tuple(values[1].split(","))
    if not values[0] or not set(dirs) <= {"src", "dst"}:
        msg = "not a set and its directions"
        raise CannotModelError(msg)
    return SetLookup(name=values[0], dirs=dirs, negate=negate)


def _flag(field: MatchField, value: str) -> Option:
    return Option(0, lambda _, negate: Match(field=field, values=(value,), negate=negate))


def _limit(end: str, *, negate: bool) -> Match:
    if negate:
        msg = "a limit can't be negated"
        raise CannotModelError(msg)
    return Match(field=LIMIT, values=(end,))


def _below(text: str) -> str:
    top = number(text, 255)
    if top == 0:
        msg = "nothing is below 0"
        raise CannotModelError(msg)
    return f"0:{top - 1}"


def _above(text: str) -> str:
    bottom = number(text, 255)
    if bottom == 255:
        msg = "nothing is above 255"
        raise CannotModelError(msg)
    return f"{bottom + 1}:255"


def _group(text: str) -> str:
    """A group's number; iproute2 calls 0 ``default`` (/etc/iproute2/group)."""
    value, mask = (0, _EVERY_BIT) if text == "default" else masked(text)
    return f"{value:#x}/{mask:#x}"


def _owner(text: str) -> str:
    if not _OWNER.fullmatch(text):
        msg = f"{text!r} is not a user's or group's number"
        raise CannotModelError(msg)
    return text


def _byte(text: str) -> str:
    return str(number(text, 255))


_SPORT = _one("sport", number_range)
_DPORT = _one("dport", number_range)
_PORTS = {"--sport": _SPORT, "--source-port": _SPORT, "--dport": _DPORT, "--destination-port": _DPORT}

MATCHES: dict[str, dict[str, Option]] = {
    "tcp": _PORTS
    | {"--tcp-flags": Option(2, _tcp_flags), "--syn": Option(0, _syn), "--tcp-option": _one("tcp-option", _byte)},
    "udp": _PORTS,
    "sctp": _PORTS | {"--chunk-types": Option(2, chunk_types)},
    "dccp": _PORTS | {"--dccp-types": _many("dccp-type", str)},
    "multiport": {
        "--sports": _many("sport", number_range),
        "--source-ports": _many("sport", number_range),
        "--dports": _many("dport", number_range),
        "--destination-ports": _many("dport", number_range),
        "--ports": _many("port", number_range),
    },
    "icmp": {"--icmp-type": _icmp({name.lower(): value for name, value in ICMP_TYPES.items()})},
    "icmp6": {"--icmpv6-type": _icmp(ICMPV6_TYPES)},
    "conntrack": {
        "--ctstate": _many("ctstate", _word(_STATES)),
        "--ctexpire": _one("ct-expires", lambda text: number_range(text, _EVERY_BIT)),
        "--ctstatus": _many("ctstatus", _word(_STATUSES)),
        "--ctdir": _one("ctdir", _word(frozenset({"ORIGINAL", "REPLY"}))),
        "--ctproto": _one("ctproto", proto_name),
        "--ctorigsrc": _one("ctorigsrc", network),
        "--ctorigdst": _one("ctorigdst", network),
        "--ctreplsrc": _one("ctreplsrc", network),
        "--ctrepldst": _one("ctrepldst", network),
        "--ctorigsrcport": _one("ctorigsrcport", number_range),
        "--ctorigdstport": _one("ctorigdstport", number_range),
        "--ctreplsrcport": _one("ctreplsrcport", number_range),
        "--ctrepldstport": _one("ctrepldstport", number_range),
    },
    "state": {"--state": _many("ctstate", _word(_STATES - {"SNAT", "DNAT"}))},
    "mark": {"--mark": _one("mark", masked_text)},
    "connmark": {"--mark": _one("ctmark", masked_text)},
    "addrtype": {
        "--src-type": _many("src-type", _word(_ADDRESS_TYPES)),
        "--dst-type": _many("dst-type", _word(_ADDRESS_TYPES)),
        "--limit-iface-in": Option(0, lambda _, negate: _limit("in", negate=negate)),
        "--limit-iface-out": Option(0, lambda _, negate: _limit("out", negate=negate)),
    },
    "devgroup": {"--src-group": _one("iifgroup", _group), "--dst-group": _one("oifgroup", _group)},
    "owner": {
        "--uid-owner": _one("owner-uid", _owner),
        "--gid-owner": _one("owner-gid", _owner),
        "--socket-exists": _flag("owner-socket", "yes"),
    },
    "comment": {"--comment": Option(1, _comment)},
    "set": {"--match-set": Option(2, _set_lookup)},
    "iprange": {"--src-range": _one("saddr", address_range), "--dst-range": _one("daddr", address_range)},
    "physdev": {
        "--physdev-in": _one("physin", interface),
        "--physdev-out": _one("physout", interface),
        "--physdev-is-in": _flag("physdev", "in"),
        "--physdev-is-out": _flag("physdev", "out"),
        "--physdev-is-bridged": _flag("physdev", "bridged"),
    },
    "mac": {"--mac-source": _one("mac", _mac)},
    "pkttype": {"--pkt-type": _one("pkttype", _packet_type)},
    "ttl": {"--ttl-eq": _one("ttl", _byte), "--ttl-lt": _one("ttl", _below), "--ttl-gt": _one("ttl", _above)},
    "hl": {"--hl-eq": _one("ttl", _byte), "--hl-lt": _one("ttl", _below), "--hl-gt": _one("ttl", _above)},
    "length": {"--length": _one("length", number_range)},
}
"""The options that are modelled, by the match they belong to."""

BARE_MATCHES = frozenset({"tcp", "udp", "sctp", "dccp", "icmp", "icmp6"})
"""Matches that, without options, say no more than the ``-p`` before them."""

IMPLIED: dict[str, str] = {
    "tcp": "tcp",
    "udp": "udp",
    "sctp": "sctp",
    "dccp": "dccp",
    "icmp": "icmp",
    "icmpv6": "icmp6",
}
"""The match that ``-p`` makes available without ``-m``."""
