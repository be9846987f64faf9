"""The conditions of a rule in plain English: to which traffic it applies.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dnet_tui.diagnostics.explain.field_names import field_names, subject_of
from dnet_tui.inspect.model.firewall import Lookup, Match, SetLookup, StatefulMatch, VerdictMap
from dnet_tui.inspect.model.match_fields import MatchField, is_modelled
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

    def add_stateful(self, match: StatefulMatch) -> None:
        """Add a condition on more than one packet, by its words."""
        self.parts.append((9, clean(match.words)))

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

    def _clause(self, match: Match) -> tuple[int, str]:  # noqa: C901, PLR0912 - the table of fields
        """A match in words, with its place among the clauses."""
        if not is_modelled(match.field):
            return _PROPERTY, _value_clause(match.field, match)  # it is named by its text
        values, negate = [clean(value) for value in match.values], match.negate
        other = "anything but " if negate else ""
        match match.field:
            case "saddr":
                return 1, f"from {other}{_either(map(_address, values))}"
            case "sport":
                return 2, f"from {other}{_either(map(_port, values))}"
            case "iif":
                return 3, f"arriving by {other}{_either(map(_interface, values))}"
            case "physin":
                return 3, f"arriving by bridge port {other}{_either(map(_interface, values))}"
            case "daddr":
                return 4, f"to {other}{_either(map(_address, values))}"
            case "dport":
                return 5, f"to {other}{_either(map(_port, values))}"
            case "oif":
                return 6, f"leaving by {other}{_either(map(_interface, values))}"
            case "physout":
                return 6, f"leaving by bridge port {other}{_either(map(_interface, values))}"
            case "ctstate":
                return 0, _state(values, negate=negate)
            case "src-type":
                return 1, f"from {other}{_address_types(values)}"
            case "dst-type":
                return 4, f"to {other}{_address_types(values)}"
            case "icmp-type":
                return _PROPERTY, f"{'other than' if negate else 'of'} type {_either(map(self._icmp, values))}"
            case _:
                return _PROPERTY, _property(match.field, match)

    def _icmp(self, value: str) -> str:
        name = icmp_words(self.family, value)
        return f"{value} ({name})" if name else value


_PROPERTY = 7
"""The place of what doesn't say where traffic comes from or goes to."""


def _property(field: MatchField, match: Match) -> str:  # noqa: C901, PLR0912 - the table of fields
    """A match on one of the other fields."""
    values, negate = [clean(value) for value in match.values], match.negate
    match field:
        case "proto":
            return f"other than {_either(map(_protocol, values))}"
        case "port":
            return f"{'neither ' if negate else ''}from {'nor' if negate else 'or'} to {_either(map(_port, values))}"
        case "tcp-flags":
            return _flags(values, negate=negate)
        case "mark":
            return f"with {'a mark other than' if negate else 'mark'} {_either(map(_mark, values))}"
        case "ctmark":
            return f"whose connection has {'a mark other than' if negate else 'mark'} {_either(map(_mark, values))}"
        case "physdev":
            return _either([_BRIDGED.get(value, ("that " + value, "that not " + value))[negate] for value in values])
        case "fragment":
            return "that is not a later fragment" if negate else "that is a later fragment"
        case "rpfilter":
            return "that fails the reverse path filter" if negate else "that passes the reverse path filter"
        case "ipsec":
            return "that IPsec doesn't protect" if negate else "that IPsec protects"
        case "socket":
            return f"that {'no' if negate else 'a'} local socket takes"
        case "eui64":
            return f"whose source was {'not ' if negate else ''}made of its MAC address"
        case "contents":
            return f"that {'lacks' if negate else 'contains'} a text of {values[0].split(' ')[2]} bytes"
        case "recent":
            name, side, *_ = values[0].split(" ")
            who = "destination" if side == "dst" else "source"
            return f"whose {who} was {'not ' if negate else ''}seen lately (list {name})"
        case "time":
            return f"at {'other ' if negate else ''}times ({values[0]})"
        case "owner-socket":
            return "that no socket of this host sent" if negate else "that a socket of this host sent"
        case "length" | "ttl" | "ctorigsrcport" | "ctorigdstport" | "ctreplsrcport" | "ctrepldstport":
            return _value_clause(subject_of(field), match, between=" to ")
        case _:
            return _value_clause(subject_of(field), match)


def _value_clause(subject: str, match: Match, *, between: str = ":") -> str:
    """``whose length is not 64 or 128``."""
    values = [clean(value).replace(":", between) if between != ":" else clean(value) for value in match.values]
    return f"{subject} {'not ' if match.negate else ''}{_either(values)}"


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


def _address_types(values: list[str]) -> str:
    return _either([_ADDRESS_TYPES.get(value, f"an address of type {value}") for value in values])


def _address(value: str) -> str:
    """Without the prefix length that says "this one address"."""
    return value.removesuffix("/128" if ":" in value else "/32")
