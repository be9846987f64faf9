"""ipset's listings, from their text into the rule model.  Pure.

A set whose elements can't all be said exactly is one whose elements weren't
read: leaving out just the odd one would turn a match into a miss.

An element with a timeout vanishes by itself unless that is 0 (ipset(8)); which
sets packets themselves fill, the rules say.

Source: ipset(8) and the print functions of ipset's lib/print.c.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from dnet_tui.inspect.iptables.save_grammar import RuleSyntaxError, split_words
from dnet_tui.inspect.model.firewall import Element, NamedSet

MOST_ELEMENTS = 65_536
"""A larger set isn't kept."""

_FIELD = re.compile(r"([A-Z][A-Za-z ]*): (.*)")
_VALUED = frozenset({"timeout", "packets", "bytes", "comment", "skbmark", "skbprio", "skbqueue"})
"""What hangs on an element with a value, and doesn't decide whether a look-up finds it."""
_EXCEPTIONAL = frozenset({"nomatch", "wildcard"})
_REFUSED_OPTIONS = frozenset({"bitmask"})


class SetHeader(NamedTuple):
    """A set's type, such as ``hash:ip,port``, and how many elements it has; None when it isn't said."""

    type: str
    entries: int | None = None


class ParsedSet(NamedTuple):
    """A set, and why its elements aren't there although they were listed (empty: they are)."""

    set: NamedSet
    problem: str = ""


def parse_headers(text: str) -> Mapping[str, SetHeader]:
    """Read ``ipset -t list``: every set's name, type and size, without elements."""
    found: dict[str, SetHeader] = {}
    name = ""
    for line in text.splitlines():
        field = _FIELD.fullmatch(line)
        if field is None:
            continue
        key, value = field.groups()
        if key == "Name":
            name = value
        elif key == "Type" and name:
            found[name] = SetHeader(value)
        elif key == "Number of entries" and name in found and value.isdecimal():
            found[name] = found[name]._replace(entries=int(value))
    return found


def parse_saved(text: str, name: str) -> ParsedSet | None:
    """Read ``ipset save NAME``; None when it doesn't create a set of that name."""
    kind = ""
    options: list[str] = []
    elements: list[Element] = []
    problem = ""
    for line in text.splitlines():
        try:
            words, _ = split_words(line)
        except RuleSyntaxError:
            words = []
        if words[:2] == ["create", name] and len(words) > 2:
            kind, options = words[2], words[3:]
        elif words[:2] == ["add", name] and len(words) > 2 and kind:
            try:
                elements.append(_element(words[2], words[3:], kind, options))
            except ValueError as error:
                problem = problem or str(error)
        elif line.strip():
            problem = problem or "part of its listing isn't understood"
    if not kind:
        return None
    if _REFUSED_OPTIONS & set(options):
        problem = problem or "it compares under a bit mask"
    if len(elements) > MOST_ELEMENTS:
        problem = problem or f"it has more than {MOST_ELEMENTS} elements"
    return ParsedSet(NamedSet(name=name, type=kind, elements=None if problem else tuple(elements)), problem)


def members(found: NamedSet) -> tuple[str, ...]:
    """The names of the sets that a ``list:set`` consists of."""
    if not found.type.endswith(":set") or found.elements is None:
        return ()
    return tuple(element.key[0] for element in found.elements)


def _element(text: str, rest: list[str], kind: str, options: list[str]) -> Element:
    """One element.

    Raises:
        ValueError: it is an exception from the others, or isn't understood.
    """
    words = iter(rest)
    expires: float | None = None
    for word in words:
        if word in _EXCEPTIONAL:
            msg = f"some of its elements are special ({word})"
            raise ValueError(msg)
        value = next(words, None)
        if word not in _VALUED or value is None:
            msg = "part of its listing isn't understood"
            raise ValueError(msg)
        if word == "timeout" and value != "0":
            expires = float(value)
    dimensions = kind.partition(":")[2].split(",")
    parts = text.split(",")
    if any(part.startswith("physdev:") for part in parts):
        msg = "some of its elements are bridge ports (physdev)"
        raise ValueError(msg)
    netmask = options[options.index("netmask") + 1 :][:1] if "netmask" in options else []
    if netmask:
        parts = [
            f"{part}/{netmask[0]}" if dimension == "ip" and "/" not in part else part
            for part, dimension in zip(parts, dimensions, strict=False)
        ]
    key = tuple(part.lower() if ":" in part and _is_mac(part) else part for part in parts)
    return Element(key=key, expires=expires)


def _is_mac(part: str) -> bool:
    return len(part) == 17 and part.count(":") == 5
