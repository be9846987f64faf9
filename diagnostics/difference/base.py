"""What the comparisons of two snapshots have in common.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from dnet_tui.inspect.model import Namespace, Partial, Settings
from dnet_tui.inspect.model.coverage.gaps import NAMESPACE_FIELDS

DifferenceKind = Literal["added", "removed", "changed", "moved"]


class DifferenceItem(msgspec.Struct, frozen=True, kw_only=True):
    """One difference.

    ``section`` as in a gap (``links``, ``routes``, ``firewall`` …); ``scope``
    what it belongs to: a namespace's label (``host``, ``web``), ``network
    app``, ``engine docker``.  ``what`` is the thing, ``before`` and ``after``
    what it was and is, empty where it wasn't or isn't.  ``text`` says it all
    as a person would, but for the scope.
    """

    kind: DifferenceKind
    section: str
    scope: str
    what: str
    text: str
    before: str = ""
    after: str = ""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace as it was and as it is.

    ``renamed``: interfaces that have another name now, by the old one;
    ``gone`` and ``new_links``: those that are only in one of the two.
    """

    label: str
    old: Namespace
    new: Namespace
    renamed: Mapping[str, str] = {}
    gone: frozenset[str] = frozenset()
    new_links: frozenset[str] = frozenset()


def opened(pair: Pair) -> Pair:
    """The pair with what was read in part as what is there of it: whoever compares asks elsewhere what is missing."""
    return msgspec.structs.replace(pair, old=_opened(pair.old), new=_opened(pair.new))


def _opened(ns: Namespace) -> Namespace:
    partial = {field: getattr(ns, field) for field in NAMESPACE_FIELDS if isinstance(getattr(ns, field), Partial)}
    changed: dict[str, object] = {field: section.items for field, section in partial.items()}
    if isinstance(ns.sysctls, Settings) and ns.sysctls.lacks:
        changed["sysctls"] = Settings(values=ns.sysctls.values)
    return msgspec.structs.replace(ns, **changed) if changed else ns


def devices(ns: Namespace, renamed: Mapping[str, str] | None = None) -> dict[int, str]:
    """The names of a namespace's interfaces by index, the old ones under their new names."""
    return {link.ifindex: (renamed or {}).get(link.name, link.name) for link in ns.links}


def device(names: Mapping[int, str], ifindex: int) -> str:
    """What to call an interface."""
    return names.get(ifindex, f"interface {ifindex}")


def arrow(before: object, after: object) -> str:
    """A value and what became of it."""
    return f"{said(before)} → {said(after)}"


def said(value: object) -> str:
    """A value as people write it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if value != "" else "none"


class DifferenceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of an unordered section: two with one key are the same thing if there is only one such on each side."""

    key: Hashable
    what: str
    text: str


def entries(
    section: str,
    scope: str,
    before: Iterable[DifferenceEntry],
    after: Iterable[DifferenceEntry],
    word: Callable[[DifferenceKind, DifferenceEntry], str],
) -> Iterator[DifferenceItem]:
    """Compare two unordered sections; ``word`` says that an entry came or went."""
    was, now = list(before), list(after)
    gone, come = Counter(was) - Counter(now), Counter(now) - Counter(was)
    keys = Counter(entry.key for entry in gone.elements()), Counter(entry.key for entry in come.elements())
    successors = {entry.key: entry for entry in come if keys[0][entry.key] == keys[1][entry.key] == 1}
    for old in gone.elements():
        new = successors.get(old.key)
        if new is None:
            text = word("removed", old)
            yield DifferenceItem(
                kind="removed", section=section, scope=scope, what=old.what, text=text, before=old.text
            )
        else:
            text = f"{new.what}: {arrow(old.text, new.text)}"
            yield DifferenceItem(
                kind="changed", section=section, scope=scope, what=new.what, text=text, before=old.text, after=new.text
            )
    for new in come.elements():
        if new.key not in successors:
            text = word("added", new)
            yield DifferenceItem(kind="added", section=section, scope=scope, what=new.what, text=text, after=new.text)


def fields(before: msgspec.Struct, after: msgspec.Struct, leave: Iterable[str] = ()) -> Iterator[tuple[str, str, str]]:
    """The fields of two values of one type that differ: name in words, before, after."""
    skipped = frozenset(leave)
    for field in before.__struct_fields__:
        was, now = getattr(before, field), getattr(after, field)
        if field not in skipped and was != now:
            yield field.replace("_", " "), said(was), said(now)
