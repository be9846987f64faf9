"""The words of one match of iptables-save, cut into its options.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dnet_tui.inspect.errors import CannotModelError


class GivenOption(NamedTuple):
    """An option as it was given: its name without dashes, its values, and whether a ``!`` stands before it."""

    name: str
    values: tuple[str, ...] = ()
    negate: bool = False

    @property
    def value(self) -> str:
        """Its only value."""
        return self.values[0]


def given(words: Sequence[str], arity: Mapping[str, int]) -> dict[str, GivenOption]:
    """The options of a match by name.

    Args:
        words: what follows the match's name.
        arity: how many values each option takes, by its name without dashes.

    Raises:
        CannotModelError: an option isn't among those, is given twice, or lacks a value.
    """
    found: dict[str, GivenOption] = {}
    at = 0
    while at < len(words):
        negate = words[at] == "!"
        at += negate
        name = words[at].removeprefix("--") if at < len(words) else ""
        count = arity.get(name)
        values = tuple(words[at + 1 : at + 1 + (count or 0)])
        if count is None or name in found or len(values) < count:
            msg = f"{name!r} is not modelled"
            raise CannotModelError(msg)
        found[name] = GivenOption(name, values, negate)
        at += 1 + count
    return found
