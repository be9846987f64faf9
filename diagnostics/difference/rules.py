"""What changed in a firewall: tables, chains, policies, sets, and each rule with its place.  Pure.

Rules are compared in order.  The longest run of rules that kept their order
is taken to have stayed; of the others, a rule that is in both was moved, one
that is only in one was added or removed, and one that gave way to a similar
one at the same place was changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from dnet_tui.diagnostics.difference.base import DifferenceItem, DifferenceKind, Pair, fields
from dnet_tui.inspect.model import require
from dnet_tui.inspect.model.firewall import Chain, Firewall, NamedSet, Rule, Table

_MANY = 5
"""So many rules of a chain that all went are told as one change."""
_SIMILAR = 0.6
"""A rule that shares so much of its words with the one in its place is that one, changed."""
_ELEMENTS_SHOWN = 6


class Blind(NamedTuple):
    """Whether tables may be missing because they weren't read, in the earlier snapshot and in the later one."""

    before: bool
    after: bool


def firewall(pair: Pair, blind: Blind) -> Iterator[DifferenceItem]:
    """Every change of the tables that could be read both times."""
    old, new = require(pair.old.firewall), require(pair.new.firewall)
    unread = {(item.backend, item.family, item.name) for item in (*old.unread, *new.unread)}
    was, now = ({key: table for key, table in _by_key(side) if key not in unread} for side in (old, new))
    for key, table in was.items():
        if key in now:
            yield from _table(pair.label, table, now[key])
        elif not blind.after:
            yield _change(pair.label, "removed", _name(table), f"table {_said(table)} is gone ({_size(table)})")
    for key, table in now.items():
        if key not in was and not blind.before:
            yield _change(pair.label, "added", _name(table), f"table {_said(table)} appeared ({_size(table)})")
    yield from _sets(pair.label, "", old.ipsets, new.ipsets, "ipset")


def _by_key(side: Firewall) -> Iterator[tuple[tuple[str, str, str], Table]]:
    yield from (((table.backend, table.family, table.name), table) for table in side.tables)


def _change(
    scope: str, kind: DifferenceKind, what: str, text: str, before: str = "", after: str = ""
) -> DifferenceItem:
    return DifferenceItem(kind=kind, section="firewall", scope=scope, what=what, text=text, before=before, after=after)


def _name(table: Table) -> str:
    return f"{table.backend} {table.family} {table.name}"


def _said(table: Table) -> str:
    """A table in a few words; that of ``iptables`` itself by its bare name."""
    if table.backend == "nftables":
        return f"nft {table.family} {table.name}"
    family = {"ip": "", "ip6": "IPv6 "}.get(table.family, f"{table.family} ")
    return f"{'legacy ' if table.backend == 'iptables-legacy' else ''}{family}{table.name}"


def _size(table: Table) -> str:
    rules = sum(len(chain.rules) for chain in table.chains)
    return f"{_count(len(table.chains), 'chain')}, {_count(rules, 'rule')}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _table(scope: str, old: Table, new: Table) -> Iterator[DifferenceItem]:
    said, name = _said(new), _name(new)
    if old.dormant != new.dormant:
        text = f"table {said} {'is dormant now: nothing consults it' if new.dormant else 'is no longer dormant'}"
        yield _change(scope, "changed", name, text)
    was, now = {chain.name: chain for chain in old.chains}, {chain.name: chain for chain in new.chains}
    for chain in old.chains:
        place = f"{said} {chain.name}"
        if chain.name in now:
            yield from _chain(scope, f"{name} {chain.name}", place, chain, now[chain.name])
        else:
            rules = _count(len(chain.rules), "rule")
            text = f"{place}: chain is gone ({rules})"
            yield _change(scope, "removed", f"{name} {chain.name}", text, before=_texts(chain.rules))
    for chain in new.chains:
        if chain.name not in was:
            text = f"{said} {chain.name}: chain added ({_count(len(chain.rules), 'rule')})"
            yield _change(scope, "added", f"{name} {chain.name}", text, after=_texts(chain.rules))
    yield from _sets(scope, f"{said} ", old.sets, new.sets, "set")


def _texts(rules: Sequence[Rule]) -> str:
    return "\n".join(rule.text for rule in rules)


def _chain(scope: str, name: str, place: str, old: Chain, new: Chain) -> Iterator[DifferenceItem]:
    for field, before, after in fields(old, new, ("name", "rules", "packets", "bytes")):
        yield _change(scope, "changed", name, f"{place}: {field} {before} → {after}", before, after)
    if not new.rules and len(old.rules) > _MANY:
        text = f"{place}: all {len(old.rules)} rules are gone"
        yield _change(scope, "removed", name, text, before=_texts(old.rules))
        return
    steps = _steps(old.rules, new.rules)
    last = len(new.rules)
    for step in steps:
        yield _worded(scope, name, place, step, last)


class AlignmentStep(NamedTuple):
    """What happened to one rule: ``old`` alone was removed, ``new`` alone added; both: moved or changed."""

    old: Rule | None
    new: Rule | None


def _worded(scope: str, name: str, place: str, step: AlignmentStep, last: int) -> DifferenceItem:
    old, new = step
    if new is None and old is not None:
        text = f"{place}: rule {old.number} “{old.text}” removed"
        return _change(scope, "removed", f"{name} rule", text, before=old.text)
    if old is None and new is not None:
        way = "appended" if new.number == last else "inserted"
        text = f"{place}: rule “{new.text}” {way} as number {new.number}"
        return _change(scope, "added", f"{name} rule", text, after=new.text)
    if old is None or new is None:
        raise ValueError("a step without a rule")
    if old.text == new.text:
        text = f"{place}: rule “{new.text}” moved from number {old.number} to {new.number}"
        return _change(scope, "moved", f"{name} rule", text, str(old.number), str(new.number))
    text = f"{place}: rule {new.number} “{old.text}” is now “{new.text}”"
    return _change(scope, "changed", f"{name} rule", text, old.text, new.text)


def _steps(old: Sequence[Rule], new: Sequence[Rule]) -> list[AlignmentStep]:
    """The fewest moves, and then the changes, removals and additions, that make the one out of the other."""
    partners = _partners(old, new)
    stayed = _longest_rising([(at, partners[at]) for at in range(len(old)) if at in partners])
    steps = [AlignmentStep(old[at], new[to]) for at, to in partners.items() if (at, to) not in stayed]
    met = set(partners.values())
    bounds = [(-1, -1), *sorted(stayed), (len(old), len(new))]
    for (low, new_low), (high, new_high) in pairwise(bounds):
        gone = [old[at] for at in range(low + 1, high) if at not in partners]
        come = [new[to] for to in range(new_low + 1, new_high) if to not in met]
        steps += _replaced(gone, come)
    return sorted(steps, key=lambda step: (step.new or step.old or old[0]).number)


def _partners(old: Sequence[Rule], new: Sequence[Rule]) -> dict[int, int]:
    """The place in ``new`` of each rule of ``old`` that is in both, by its place in ``old``.

    What both begin and end with is itself; of other equal texts the first is the first.
    """
    head = 0
    while head < min(len(old), len(new)) and old[head].text == new[head].text:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail].text == new[-1 - tail].text:
        tail += 1
    partners = {at: at for at in range(head)}
    partners |= {len(old) - 1 - at: len(new) - 1 - at for at in range(tail)}
    waiting: dict[str, list[int]] = {}
    for to in range(len(new) - tail - 1, head - 1, -1):
        waiting.setdefault(new[to].text, []).append(to)
    for at in range(head, len(old) - tail):
        if places := waiting.get(old[at].text):
            partners[at] = places.pop()
    return partners


def _longest_rising(pairs: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """The longest subsequence of pairs, ordered by their first, whose second rises too (patience sorting)."""
    ends: list[int] = []
    tops: list[int] = []
    before: list[int] = []
    for index, (_, to) in enumerate(pairs):
        at = bisect_left(ends, to)
        before.append(tops[at - 1] if at else -1)
        if at == len(ends):
            ends.append(to)
            tops.append(index)
        else:
            ends[at], tops[at] = to, index
    kept = set()
    index = tops[-1] if tops else -1
    while index >= 0:
        kept.add(pairs[index])
        index = before[index]
    return kept


def _replaced(gone: list[Rule], come: list[Rule]) -> Iterator[AlignmentStep]:
    """Rules that gave way to similar ones at their place, in order; the rest as removed and added."""
    rest = list(come)
    for rule in gone:
        found = next((at for at, other in enumerate(rest[:_ELEMENTS_SHOWN]) if _are_similar(rule, other)), None)
        if found is None:
            yield AlignmentStep(rule, None)
        else:
            yield from (AlignmentStep(None, other) for other in rest[:found])
            yield AlignmentStep(rule, rest[found])
            del rest[: found + 1]
    yield from (AlignmentStep(None, other) for other in rest)


def _are_similar(one: Rule, other: Rule) -> bool:
    words = set(one.text.split()), set(other.text.split())
    return len(words[0] & words[1]) >= _SIMILAR * max(map(len, words))


def _sets(
    scope: str, place: str, old: Sequence[NamedSet], new: Sequence[NamedSet], word: str
) -> Iterator[DifferenceItem]:
    was, now = {item.name: item for item in old}, {item.name: item for item in new}
    for name in dict.fromkeys((*was, *now)):
        before, after = was.get(name), now.get(name)
        said = f"{place}{'map' if (after or before or old[0]).is_map else word} {name}"
        if before is None or after is None:
            gone = after is None
            text = f"{said} {'is gone' if gone else 'appeared'}"
            yield _change(scope, "removed" if gone else "added", said, text)
        elif before.elements is not None and after.elements is not None and not (before.dynamic or after.dynamic):
            yield from _elements(scope, said, _keys(before), _keys(after))


def _keys(named: NamedSet) -> dict[str, None]:
    shown: dict[str, None] = {}
    for element in named.elements or ():
        value = element.data or (
            f"{element.verdict.kind} {element.verdict.chain}".strip() if element.verdict is not None else ""
        )
        shown[" . ".join(element.key) + (f" : {value}" if value else "")] = None
    return shown


def _elements(scope: str, said: str, before: dict[str, None], after: dict[str, None]) -> Iterator[DifferenceItem]:
    kinds: tuple[tuple[DifferenceKind, list[str]], ...] = (
        ("removed", [key for key in before if key not in after]),
        ("added", [key for key in after if key not in before]),
    )
    for kind, keys in kinds:
        if keys:
            more = ", …" if len(keys) > _ELEMENTS_SHOWN else ""
            shown = f"{', '.join(keys[:_ELEMENTS_SHOWN])}{more}"
            text = f"{said}: {_count(len(keys), 'element')} {kind} ({shown})"
            lost, got = ("\n".join(keys), "") if kind == "removed" else ("", "\n".join(keys))
            yield _change(scope, kind, said, text, lost, got)
