"""JSON from outside, taken apart with care.  Pure.

In two ways: strictly, for what is only understood as a whole (nftables'
expressions), and leniently, for documents that may lack anything (engines).
The strict ones raise :class:`~dnet_tui.inspect.errors.CannotModelError`, so
that one odd expression costs that expression and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.text.encoding import storable

Json = object
"""What a JSON decoder returns: dict, list, str, int, float, bool or None."""

MALFORMED = (CannotModelError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
"""What reading JSON that isn't as it should be can raise."""


def fail(what: str) -> CannotModelError:
    """An error that says what can't be modelled."""
    return CannotModelError(what)


def mapping(value: Json) -> Mapping[str, Json]:
    """The value as an object.

    Raises:
        CannotModelError: it isn't one.
    """
    if isinstance(value, dict):
        return value
    raise fail("not an object")


def single(value: Json) -> tuple[str, Json]:
    """The only member of an object, as ``{"match": …}``.

    Raises:
        CannotModelError: it isn't an object with one member.
    """
    found = mapping(value)
    if len(found) != 1:
        raise fail("not an object with one member")
    return next(iter(found.items()))


def array(value: Json) -> list[Json]:
    """The value as an array.

    Raises:
        CannotModelError: it isn't one.
    """
    if isinstance(value, list):
        return value
    raise fail("not an array")


def several(value: Json) -> list[Json]:
    """An array's members; anything else is an array of one.  Nothing (null) is an empty one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def word(value: Json) -> str:
    """The value as text that can be stored.

    Raises:
        CannotModelError: it isn't text, or is empty.
    """
    if isinstance(value, str) and value:
        return storable(value)
    raise fail("not a word")


def whole(value: Json, limit: int = 0xFFFFFFFF) -> int:
    """The value as a number from 0 to ``limit``.

    Raises:
        CannotModelError: it isn't a number, or out of range.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit:
        return value
    raise fail("not a number in range")


def counted(value: Json) -> int | None:
    """A counter's number; None when it isn't one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def flag_words(value: Json) -> tuple[str, ...]:
    """Flags, which are written as one word or as an array of words."""
    return tuple(word(item) for item in several(value))


# -- leniently: what isn't as expected is taken for "not told"


def fields(value: Json) -> Mapping[str, Any]:
    """The members of an object; none of anything else."""
    return value if isinstance(value, dict) else {}


def items(value: Json) -> list[Any]:
    """The elements of an array; none of anything else."""
    return value if isinstance(value, list) else []


def string(value: Json) -> str:
    """Text, made storable; empty for anything else."""
    return storable(value) if isinstance(value, str) else ""


def integer(value: Json) -> int:
    """A whole number; 0 for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def only(value: Json) -> tuple[str, Any]:
    """The only member of an object, as ``{"match": …}``; an empty name for anything else."""
    return next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else ("", None)
