"""One table of nftables, from its listing to the rule model.  Pure.

What isn't as it should be is said: a rule that can't be understood keeps its
place as one that can't be decided, and for anything else that is missing the
table is reported as one that wasn't read in full.

Sources: libnftables-json(5); nft(8) for the names of priorities.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, cast, get_args

import msgspec

from dnet_tui.inspect.model.firewall import PRIORITIES, Chain, Hook, NamedSet, Opaque, Rule, Table, TableFamily
from dnet_tui.inspect.nftables.conditions import Context
from dnet_tui.inspect.nftables.listing import NO_TEXTS, Texts
from dnet_tui.inspect.nftables.render import rule as rendered
from dnet_tui.inspect.nftables.rule import compile_rule, sets_filled, sets_used
from dnet_tui.inspect.nftables.sets import SetHead, read_set
from dnet_tui.inspect.text.json_access import MALFORMED, Json, array, counted, fail, mapping, several, single, word

_HOOKS: frozenset[str] = frozenset(get_args(Hook))
_BRIDGE_PRIORITIES: dict[str, int] = {"dstnat": -300, "filter": -200, "out": 100, "srcnat": 300}
_PRIORITY = re.compile(r"(?:(-?\d{1,10})|([a-z]+)(?: ([+-]) (\d{1,10}))?)", re.ASCII)
_HIGHEST = 0x7FFFFFFF


class ParsedTable(NamedTuple):
    """A table, what of it could not be read, and the sets its rules look into.

    ``table`` is None when the listing holds none.  ``wanted``: what each is
    (``set`` or ``map``) and its name.
    """

    table: Table | None
    problems: tuple[str, ...] = ()
    wanted: tuple[tuple[str, str], ...] = ()


def parse_table(
    listing: bytes, *, family: TableFamily, name: str, dormant: bool = False, texts: Texts = NO_TEXTS
) -> ParsedTable:
    """Read ``nft -j -a list table`` (terse: without the sets' elements).

    Args:
        listing: what nft printed.
        family: the table's family.
        name: its name.
        dormant: whether the kernel says that it isn't consulted.
        texts: the rules' texts; those that lack are made up from the JSON.
    """
    try:
        items = array(mapping(msgspec.json.decode(listing)).get("nftables"))
    except (msgspec.DecodeError, *MALFORMED):
        return ParsedTable(None, ("nft's answer isn't sound JSON",))
    return _TableParser(family, name, texts).parse(items, dormant=dormant)


def dormant_table(family: TableFamily, name: str, texts: Texts) -> Table:
    """A table that the kernel doesn't consult, from its plain listing: rules as text, none of them evaluated.

    nft 1.0.6 doesn't print sound JSON for such tables.
    """
    chains = []
    for chain, handles in texts.chains.items():
        rules = tuple(
            Rule(number=number, text=text, exprs=(Opaque(text=text), Opaque(text=text, role="target")), handle=handle)
            for number, (handle, text) in enumerate(((item, texts.rules.get(item, "")) for item in handles), 1)
        )
        base = texts.bases.get(chain)
        if base is None or base.hook not in _HOOKS or base.policy not in {"accept", "drop"}:
            chains.append(Chain(name=chain, rules=rules))
            continue
        chains.append(
            Chain(
                name=chain,
                rules=rules,
                hook=cast("Hook", base.hook),
                priority=_priority(base.priority, family),
                type=base.type,
                policy="drop" if base.policy == "drop" else "accept",
                devices=base.devices,
            )
        )
    return Table(family=family, name=name, backend="nftables", chains=tuple(chains), dormant=True)


def parse_elements(listing: bytes, *, family: TableFamily, name: str) -> tuple[NamedSet | None, str]:
    """Read ``nft -j list set`` (or ``map``): the set, and why its elements aren't there (empty: they are)."""
    try:
        items = array(mapping(msgspec.json.decode(listing)).get("nftables"))
        for item in items:
            what, body = single(item)
            if what in {"set", "map"} and mapping(body).get("name") == name:
                found = read_set(what, body, family, listed=True)
                return found.set, found.problem
    except (msgspec.DecodeError, *MALFORMED):
        return None, "nft's answer isn't sound JSON"
    return None, "nft didn't print it"


def with_elements(table: Table, sets: Iterable[NamedSet]) -> Table:
    """The table with what was read of its sets."""
    read = {item.name: item.elements for item in sets}
    return msgspec.structs.replace(
        table,
        sets=tuple(
            msgspec.structs.replace(item, elements=read[item.name]) if item.name in read else item
            for item in table.sets
        ),
    )


class _TableParser:
    """What has been read of one table."""

    def __init__(self, family: TableFamily, name: str, texts: Texts) -> None:
        self.family = family
        self.name = name
        self.texts = texts
        self.problems: list[str] = []
        self.chains: dict[str, Chain] = {}
        self.rules: dict[str, list[Rule]] = {}
        self.sets: dict[str, NamedSet] = {}
        self.heads: dict[str, SetHead] = {}
        self.used: dict[str, None] = {}
        self.filled: set[str] = set()
        self.objects: dict[tuple[str, str], Json] = {}

    def parse(self, items: list[Json], *, dormant: bool) -> ParsedTable:
        """Read all objects of the listing: first what rules refer to, then the rules."""
        present = False
        rules: list[Json] = []
        for item in items:
            try:
                what, body = single(item)
                if what == "rule":
                    rules.append(body)
                elif what == "table":
                    present = present or mapping(body).get("name") == self.name
                elif what in {"limit", "quota"}:
                    self.objects[what, word(mapping(body).get("name"))] = body
                elif what == "chain":
                    self._chain(body)
                elif what in {"set", "map"}:
                    found = read_set(what, body, self.family, listed=False)
                    self.sets[found.set.name], self.heads[found.set.name] = found.set, found.head
            except MALFORMED as error:
                self._problem(f"part of its listing isn't understood: {error}")
        if not present:
            return ParsedTable(None, ("nft didn't print it",))
        for body in rules:
            self._rule(body)
        table = Table(
            family=self.family,
            name=self.name,
            backend="nftables",
            chains=tuple(
                msgspec.structs.replace(chain, rules=tuple(self.rules[name])) for name, chain in self.chains.items()
            ),
            sets=tuple(self._set(found) for found in self.sets.values()),
            dormant=dormant,
        )
        wanted = tuple(("map" if self.sets[name].is_map else "set", name) for name in self.used if name in self.sets)
        return ParsedTable(table, tuple(self.problems), wanted)

    def _problem(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)

    def _set(self, found: NamedSet) -> NamedSet:
        return msgspec.structs.replace(found, dynamic=found.dynamic or found.name in self.filled)

    def _chain(self, body: Json) -> None:
        found = mapping(body)
        name = word(found.get("name"))
        if name in self.chains:
            raise fail("a chain that is there twice")
        self.rules[name] = []
        self.chains[name] = Chain(name=name)
        if not {"hook", "prio", "type"} & set(found):
            return
        hook, policy = word(found.get("hook")), found.get("policy", "accept")
        if hook not in _HOOKS or policy not in {"accept", "drop"}:
            raise fail(f"a base chain of an unknown kind: {name}")
        self.chains[name] = Chain(
            name=name,
            hook=cast("Hook", hook),
            priority=_priority(found.get("prio"), self.family),
            type=word(found.get("type")),
            policy="drop" if policy == "drop" else "accept",
            devices=self._devices(name, hook, found.get("dev")),
        )

    def _devices(self, chain: str, hook: str, raw: Json) -> tuple[str, ...]:
        """The devices that a chain at ingress or egress is bound to.  nft 1.0.6 leaves them out of its JSON."""
        if raw is not None:
            return tuple(word(item) for item in several(raw))
        base = self.texts.bases.get(chain)
        if hook in {"ingress", "egress"} and base is None:
            self._problem(f"nft doesn't say which devices chain {chain} is bound to")
        return base.devices if base is not None else ()

    def _rule(self, body: Json) -> None:
        try:
            found = mapping(body)
            rules = self.rules[word(found.get("chain"))]
        except MALFORMED:
            self._problem("a rule of a chain that isn't known")
            return
        expressions = found.get("expr")
        compiled = compile_rule(expressions, Context(self.family, self.heads, objects=self.objects))
        self.used.update(dict.fromkeys(sets_used(compiled.exprs)))
        self.filled.update(sets_filled(expressions))
        handle = counted(found.get("handle"))
        comment = _comment(found.get("comment"))
        rules.append(
            Rule(
                number=len(rules) + 1,
                text=(self.texts.rules.get(handle) if handle is not None else None) or rendered(expressions, comment),
                exprs=compiled.exprs,
                packets=compiled.packets,
                bytes=compiled.bytes,
                handle=handle,
                comment=comment,
            )
        )


def _comment(raw: Json) -> str:
    try:
        return word(raw)
    except MALFORMED:
        return ""


def _priority(raw: Json, family: TableFamily) -> int:
    """A base chain's priority, which may be written as ``filter - 10``."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        if abs(raw) > _HIGHEST + 1:
            raise fail("a priority out of range")
        return raw
    found = _PRIORITY.fullmatch(word(raw))
    if found is None:
        raise fail("an unknown priority")
    if found[1]:
        return _priority(int(found[1]), family)
    known = _BRIDGE_PRIORITIES if family == "bridge" else PRIORITIES
    offset = int(found[4] or 0)
    if found[2] not in known or offset > _HIGHEST:
        raise fail("an unknown priority")
    return known[found[2]] + (-offset if found[3] == "-" else offset)
