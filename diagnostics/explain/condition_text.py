"""The conditions of a rule in plain English: to which traffic it applies.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dnet_tui.inspect.model.firewall import Lookup, Match, SetLookup, VerdictMap
from dnet_tui.inspect.model.protocols import SPOKEN, icmp_words
from dnet_tui.inspect.text.sanitize import clean

_STATES = {
    "NEW": "new",
    "ESTABLISHED": "established",
    "RELATED": "related",
    "INVALID": "invalid",
    "UNTRACKED": "untracked",
    "DNAT": "destination-translated",
    "SNAT": "source-translated",
}
_ADDRESS_TYPES = {
    "LOCAL": "an address of this host",
    "BROADCAST": "a broadcast address",
    "MULTICAST": "a multicast address",
    "UNICAST": "a unicast address",
}
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
_ELEMENTS_SHOWN = 8
_SYN = "FIN,SYN,RST,ACK/SYN"


_LINKED = frozenset(
    {("arriving", "leaving")} | {(word, word) for word in ("from", "to", "with", "whose", "for", "that")}
)
"""Pairs of clauses, by their first words, that need an "and" between them."""


class Conditions:
    """Collects a rule's matches and says them in an order that reads well.

    ``family`` is the table's: ICMP types have other names in IPv6.
    """

    def __init__(self, family: str) -> None:
        self.family = family
        self.noun = "traffic"
        self.parts: list[tuple[int, str]] = []

    def add(self, match: Match) -> None:
        """Add a match."""
        if match.field == "proto" and not match.negate:
            self.noun = f"{_either([_protocol(value) for value in match.values])} traffic"
            return
        rank, text = self._clause(match)
        self.parts.append((rank, text))

    def add_set(self, lookup: SetLookup) -> None:
        """Add a look-up in a set."""
        what = " and ".join({"src": "source", "dst": "destination"}.get(way, clean(way)) for way in lookup.dirs)
        self.parts.append((8, f"whose {what} is {'not ' if lookup.negate else ''}in set {clean(lookup.name)}"))

    def add_lookup(self, lookup: Lookup) -> None:
        """Add nftables' look-up of one or more fields."""
        is_in = "are" if len(lookup.fields) > 1 else "is"
        no = "not " if lookup.negate else ""
        self.parts.append((8, f"whose {field_names(lookup.fields)} {is_in} {no}in {set_name(lookup)}"))

    def add_opaque(self, text: str) -> None:
        """Add a condition that isn't modelled, by its text."""
        self.parts.append((9, f"for which “{clean(text)}” holds (which can't be decided here)"))

    def subject(self) -> str:
        """The traffic, with a capital: ``TCP traffic from 10.0.0.0/8 to port 80``."""
        if not self.parts:
            return f"All {self.noun}"
        said = self.noun[0].upper() + self.noun[1:]
        before = ""
        for _, clause in sorted(self.parts, key=lambda part: part[0]):
            first, _, rest = clause.partition(" ")
            if rest.startswith("port") and before.startswith(f"{first} ") and "anything but" not in before:
                said = f"{said[: -len(before)]}{first} {rest} of {before.partition(' ')[2]}"
            elif (before.partition(" ")[0], first) in _LINKED:
                said += f" and {clause}"
            else:
                said += f" {clause}"
            before = clause
        return said

    def _clause(self, match: Match) -> tuple[int, str]:
        values = [clean(value) for value in match.values]
        places = {
            "saddr": (1, "from"),
            "sport": (2, "from"),
            "iif": (3, "arriving by"),
            "physin": (3, "arriving by bridge port"),
            "daddr": (4, "to"),
            "dport": (5, "to"),
            "oif": (6, "leaving by"),
            "physout": (6, "leaving by bridge port"),
        }
        if match.field in places:
            rank, word = places[match.field]
            if match.field in {"sport", "dport"}:
                values = [_port(value) for value in values]
            if match.field in {"saddr", "daddr"}:
                values = [_address(value) for value in values]
            if match.field in {"iif", "oif", "physin", "physout"}:
                values = [_interface(value) for value in values]
            return rank, f"{word} {'anything but ' if match.negate else ''}{_either(values)}"
        if match.field == "ctstate":
            return 0, _state(values, negate=match.negate)
        if match.field in {"src-type", "dst-type"}:
            return (1 if match.field == "src-type" else 4), _address_type(match, values)
        return 7, self._property(match, values)

    def _property(self, match: Match, values: list[str]) -> str:
        field, negate = match.field, match.negate
        no = "not " if negate else ""
        said = _either(values)
        if field == "proto":
            return f"other than {_either([_protocol(value) for value in values])}"
        if field == "port":
            return f"{'neither ' if negate else ''}from {'nor' if negate else 'or'} to {_either(map(_port, values))}"
        if field == "icmp-type":
            return f"{'other than' if negate else 'of'} type {_either([self._icmp(value) for value in values])}"
        if field == "tcp-flags":
            return _flags(values, negate=negate)
        if field in {"mark", "ctmark"}:
            whose = "whose connection has" if field == "ctmark" else "with"
            return f"{whose} {'a mark other than' if negate else 'mark'} {_either([_mark(value) for value in values])}"
        if field == "physdev":
            return _either([_BRIDGED.get(value, ("that " + value, "that not " + value))[negate] for value in values])
        if field in _SAID:
            return _SAID[field][negate]
        if field == "fragment":
            return "that is not a later fragment" if negate else "that is a later fragment"
        if field in _RANGES:
            said = _either([value.replace(":", " to ") for value in values])
        return f"{_WITH.get(field, field)} {no}{said}"

    def _icmp(self, value: str) -> str:
        name = icmp_words(self.family, value)
        return f"{value} ({name})" if name else value


_SAID = {
    "rpfilter": ("that passes the reverse path filter", "that fails the reverse path filter"),
    "ipsec": ("that IPsec protects", "that IPsec doesn't protect"),
    "owner-socket": ("that a socket of this host sent", "that no socket of this host sent"),
}
"""Fields that are there or not, whatever their values."""

_WITH = {
    "pkttype": "whose frames are",
    "mac": "whose source MAC is",
    "length": "whose length in bytes is",
    "ttl": "whose hop limit is",
    "icmp-code": "whose ICMP code is",
    "th-sport": "whose source port is",
    "th-dport": "whose destination port is",
    "mac-dst": "whose destination MAC is",
    "iifgroup": "whose arriving interface's group is",
    "oifgroup": "whose leaving interface's group is",
    "iifkind": "whose arriving interface's kind is",
    "oifkind": "whose leaving interface's kind is",
    "iiftype": "whose arriving interface's type is",
    "oiftype": "whose leaving interface's type is",
    "ibrname": "whose arriving bridge is",
    "obrname": "whose leaving bridge is",
    "owner-uid": "whose sender's user is",
    "owner-gid": "whose sender's group is",
    "skuid": "whose sender's user is",
    "skgid": "whose sender's group is",
    "arp-op": "whose ARP operation is",
    "arp-saddr": "whose ARP sender is",
    "arp-daddr": "whose ARP target is",
    "ctstatus": "whose connection's status is",
    "ctdir": "whose direction in its connection is",
    "ctproto": "whose connection's protocol is",
    "ctorigsrc": "whose connection came from",
    "ctorigdst": "whose connection first went to",
    "ctorigsrcport": "whose connection came from port",
    "ctorigdstport": "whose connection first went to port",
    "ctreplsrc": "whose connection is answered by",
    "ctrepldst": "whose connection is answered to",
    "ctreplsrcport": "whose connection is answered from port",
    "ctrepldstport": "whose connection is answered to port",
}


def field_names(fields: Iterable[str]) -> str:
    """The model's fields in words, joined by "and"."""
    return " and ".join(_FIELDS.get(field, clean(field)) for field in fields)


def set_name(lookup: Lookup | VerdictMap) -> str:
    """A set by its name, or its first elements."""
    if lookup.set:
        return f"{'map' if isinstance(lookup, VerdictMap) else 'set'} {clean(lookup.set)}"
    shown = [clean(" . ".join(element.key)) for element in lookup.elements[:_ELEMENTS_SHOWN]]
    more = ", …" if len(lookup.elements) > _ELEMENTS_SHOWN else ""
    return f"{{{', '.join(shown)}{more}}}"


def _either(values: Iterable[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    words = list(values)
    return ", ".join(words[:-1]) + " or " + words[-1] if len(words) > 1 else "".join(words)


_RANGES = frozenset({"length", "ttl", "ctorigsrcport", "ctorigdstport", "ctreplsrcport", "ctrepldstport"})
_BRIDGED = {
    "in": ("that arrived by a bridge port", "that did not arrive by a bridge port"),
    "out": ("that leaves by a bridge port", "that does not leave by a bridge port"),
    "bridged": ("that is bridged, not routed", "that is not bridged"),
}


def _protocol(value: str) -> str:
    return SPOKEN.get(value) or (f"protocol {value}" if value.isdecimal() else clean(value))


def _port(value: str) -> str:
    low, colon, high = value.partition(":")
    return f"ports {low} to {high}" if colon else f"port {value}"


def _interface(value: str) -> str:
    return f"{value[:-1]}*" if value.endswith("+") else value


def _mark(value: str) -> str:
    number, _, mask = value.partition("/")
    return f"{number} (bits {mask})" if mask and mask != "0xffffffff" else number


def _flags(values: list[str], *, negate: bool) -> str:
    if values == [_SYN]:
        return f"that {'does not open' if negate else 'opens'} a connection (SYN)"
    said = []
    for value in values:
        mask, _, wanted = value.partition("/")
        said.append(f"with {wanted} of the flags {mask} set".replace("with NONE of", "with none of"))
    return f"{'not ' if negate else ''}{_either(said)}"


def _state(values: list[str], *, negate: bool) -> str:
    kinds = _either([_STATES.get(value, value) for value in values])
    return f"{'not ' if negate else ''}of {kinds} connections"


def _address_type(match: Match, values: list[str]) -> str:
    kinds = _either([_ADDRESS_TYPES.get(value, f"an address of type {value}") for value in values])
    word = "to" if match.field == "dst-type" else "from"
    return f"{word} {'anything but ' if match.negate else ''}{kinds}"


def _address(value: str) -> str:
    """Without the prefix length that says "this one address"."""
    return value.removesuffix("/128" if ":" in value else "/32")
