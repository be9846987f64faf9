"""What was read of the host, and what was not: "none" and "not seen" are different things, by type.  Pure.

Everything that is read is a section.  One that was read in full is plain
data: a tuple, a firewall, a number (:data:`Read`).  One that was not is an
:class:`Unread`, and touching it in any way raises :class:`NotSeen`, which says
what was not seen, of whom, why, and what to do about it.  So nobody can take
it for empty: the walk turns it into "unknown", a check into an outcome
"unknown", a list into "not seen".

A :class:`Partial` list was read in part.  What is there is believed; that
something is *not* there can't be told.  So it yields its items and then
raises: ``any`` and ``next`` find what is there, and whoever has looked
through all of it in vain learns that it was not all.

Two functions say on purpose how a section is meant: :func:`require` gives all of
it or raises; :func:`known_items` gives what is there, be it not all, to whoever
lists things and says beside the list that there may be more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Generic, NoReturn, TypeVar, Union, overload

import msgspec

from dnet_tui.inspect.errors import CannotInspectError

T = TypeVar("T")

NOT_ASKED = "it was not asked for"
"""The reason of a section that this snapshot was not meant to hold."""

NOT_READ = "it was not read"
"""The reason where nobody says more."""

WORDS = {
    "traffic-control": "traffic control",
    "policy-rules": "policy rules",
    "fdb": "forwarding entries",
    "engine": "container engines",
    "names": "resolv.conf",
    "xfrm": "IPsec policies",
    "wireguard": "WireGuard's peers",
    "conntrack": "tracked connections",
    "nat-ports": "ports taken by translation",
    "log": "engine log",
    "checksums": "checksum counters",
}
"""What people call a section, where that isn't its own name."""


class NotSeen(CannotInspectError):  # noqa: N818 - a statement more than an error
    """A section was touched that was not read, or not in full.

    ``section`` is one of ``gaps.SECTIONS``; ``scope`` whose it is (a
    namespace's id, a container's or an engine's name; empty: the host's).
    """

    def __init__(self, section: str, scope: str, reason: str, hint: str = "") -> None:
        self.section, self.scope, self.reason = section, scope, reason
        super().__init__(self.text(scope), hint)

    def again(self) -> NotSeen:
        """The same statement, for whoever comes to it later."""
        return NotSeen(self.section, self.scope, self.reason, self.hint)

    def text(self, whose: str = "") -> str:
        """The statement; ``whose`` is what to call the scope."""
        what = WORDS.get(self.section, self.section)
        return f"{what} of {whose} not seen: {self.reason}" if whose else f"{what} not seen: {self.reason}"


class Lack(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is missing of something that was read in part, and why.

    ``scope`` says of what, where that isn't plain from the place: in lists of the whole host the engine, the
    container or the namespace.
    """

    reason: str
    hint: str = ""
    scope: str = ""


class _Owned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True, tag_field="read"):
    """Knows which section it is and whose: told by the struct that holds it, and not kept in files."""

    @property
    def section(self) -> str:
        """The section's name."""
        found: str = self.__dict__.get("section", "a section")
        return found

    @property
    def scope(self) -> str:
        """Whose it is."""
        found: str = self.__dict__.get("scope", "")
        return found


class Unread(_Owned, frozen=True, kw_only=True, omit_defaults=True, tag="no"):
    """A section that was not read.  Whatever touches it gets :class:`NotSeen`, but for ``reason`` and ``hint``."""

    reason: str
    hint: str = ""

    def not_seen(self) -> NotSeen:
        """What touching it raises."""
        return NotSeen(self.section, self.scope, self.reason, self.hint)

    def __iter__(self) -> Iterator[NoReturn]:
        raise self.not_seen()

    def __len__(self) -> int:
        raise self.not_seen()

    def __bool__(self) -> bool:
        raise self.not_seen()

    def __getitem__(self, _: object) -> NoReturn:
        raise self.not_seen()

    def __contains__(self, _: object) -> bool:
        raise self.not_seen()

    def __reversed__(self) -> Iterator[NoReturn]:
        raise self.not_seen()

    def __or__(self, _: object) -> NoReturn:
        raise self.not_seen()

    def __getattr__(self, name: str) -> NoReturn:
        # What Python itself asks an object for (copying, printing) is no touch.
        if name.startswith("_"):
            raise AttributeError(name)
        raise self.not_seen()


class Partial(_Owned, Generic[T], frozen=True, kw_only=True, omit_defaults=True, tag="partly"):
    """A list that was read in part: ``items`` are there, and for each of ``lacks`` something may be missing."""

    items: tuple[T, ...]
    lacks: tuple[Lack, ...]

    @property
    def reason(self) -> str:
        """Why it isn't all."""
        return "; ".join(dict.fromkeys(lack.reason for lack in self.lacks)) or NOT_READ

    @property
    def hint(self) -> str:
        """What to do about it."""
        return next((lack.hint for lack in self.lacks if lack.hint), "")

    def not_seen(self) -> NotSeen:
        """What looking for more than there is raises."""
        scope = self.scope or next((lack.scope for lack in self.lacks), "")
        return NotSeen(self.section, scope, self.reason, self.hint)

    def __iter__(self) -> Iterator[T]:
        yield from self.items
        raise self.not_seen()

    def __len__(self) -> int:
        raise self.not_seen()

    def __bool__(self) -> bool:
        if self.items:
            return True
        raise self.not_seen()

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, int) and 0 <= index < len(self.items):
            return self.items[index]
        raise self.not_seen()

    def __contains__(self, item: object) -> bool:
        if item in self.items:
            return True
        raise self.not_seen()

    def __reversed__(self) -> Iterator[T]:
        yield from reversed(self.items)
        raise self.not_seen()


Read = tuple[T, ...]
"""A list that was read in full."""

Section = Union[tuple[T, ...], Partial[T], Unread]  # noqa: UP007 - a generic alias
"""A list as it was read: ``Section[Route]``."""


class Settings(_Owned, frozen=True, kw_only=True, omit_defaults=True, tag="yes"):
    """Named values that were read, such as sysctls.  A name that isn't among them doesn't exist there.

    With ``lacks`` they were read in part: then of a name that isn't there nothing is known.  ``unreadable`` says
    which names that are; empty where it may be any.
    """

    values: dict[str, str] = {}
    lacks: tuple[Lack, ...] = ()
    unreadable: tuple[str, ...] = ()

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value; ``default`` where there certainly is none."""
        found = self.values.get(name)
        if found is None and self.lacks and (not self.unreadable or name in self.unreadable):
            raise self.not_seen(name)
        return default if found is None else found

    def not_seen(self, name: str = "") -> NotSeen:
        """What asking for a value that could not be read raises."""
        reason = "; ".join(dict.fromkeys(lack.reason for lack in self.lacks)) or NOT_READ
        hint = next((lack.hint for lack in self.lacks if lack.hint), "")
        return NotSeen(self.section, self.scope, f"{name}: {reason}" if name else reason, hint)

    def __getitem__(self, name: str) -> str:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def all(self) -> dict[str, str]:
        """Every value by its name.

        Raises:
            NotSeen: some could not be read.
        """
        if self.lacks:
            raise self.not_seen()
        return self.values

    def keys(self) -> Iterable[str]:
        """Every name; see :meth:`all`."""
        return self.all().keys()

    def items(self) -> Iterable[tuple[str, str]]:
        """Every name with its value; see :meth:`all`."""
        return self.all().items()

    def __iter__(self) -> Iterator[str]:
        return iter(self.all())

    def __or__(self, others: Mapping[str, str]) -> Settings:
        """These values with others in their place, or beside them."""
        return msgspec.structs.replace(self, values=self.values | dict(others))


@overload
def require(section: tuple[T, ...] | Partial[T] | Unread) -> tuple[T, ...]: ...
@overload
def require(section: T | Unread) -> T: ...
def require(section: object) -> object:
    """All of a section.

    Raises:
        NotSeen: it was not read, or not in full.
    """
    if isinstance(section, Unread | Partial):
        raise section.not_seen()
    return section


def known_items(section: tuple[T, ...] | Partial[T] | Unread) -> tuple[T, ...]:
    """What is there of a list, be it not all: for whoever says elsewhere that there may be more."""
    if isinstance(section, Unread):
        return ()
    return section.items if isinstance(section, Partial) else section


def unless_unasked(section: tuple[T, ...] | Partial[T] | Unread) -> tuple[T, ...]:
    """What is there of a list that is read only where somebody asks for it: nothing where nobody did.

    Raises:
        NotSeen: it was asked for, and could not be read.
    """
    if isinstance(section, Unread) and section.reason != NOT_ASKED:
        raise section.not_seen()
    return known_items(section)


def lacks_of(section: object) -> tuple[Lack, ...]:
    """What is missing of a section; nothing of one that was read in full."""
    if isinstance(section, Unread):
        return (Lack(reason=section.reason, hint=section.hint),)
    found: tuple[Lack, ...] = getattr(section, "lacks", ())
    return found


def owned_by(holder: msgspec.Struct, fields: Mapping[str, str], scope: str) -> None:
    """Tell a new struct's sections what they are and whose: for its ``__post_init__``.

    Each gets a copy of its own, for one may be held by several.  Those that were not asked for are many, and nobody
    reports them: of each section there is one, of no scope.
    """
    for field, section in fields.items():
        value = getattr(holder, field)
        if type(value) is tuple or not isinstance(value, _Owned):
            continue
        if isinstance(value, Unread) and value.reason == NOT_ASKED:
            msgspec.structs.force_setattr(holder, field, left_out(section))
        elif (value.section, value.scope) != (section, scope):
            copy = type(value)(**{name: getattr(value, name) for name in value.__struct_fields__})
            copy.__dict__.update(section=section, scope=scope)
            msgspec.structs.force_setattr(holder, field, copy)


@cache
def left_out(section: str) -> Unread:
    """What stands for a section that was not asked for: always the same, of no scope."""
    unasked = Unread(reason=NOT_ASKED)
    unasked.__dict__.update(section=section, scope="")
    return unasked


def with_items(section: tuple[T, ...] | Partial[T] | Unread, items: tuple[T, ...]) -> Section[T]:
    """A list with other items, and as much of it missing as before."""
    if isinstance(section, Partial):
        return Partial(items=items, lacks=section.lacks)
    return section if isinstance(section, Unread) else items
