"""Ranges of numbers as rules write them: ``80``, ``80:90``, ``:90``, ``80:``, ``80-90``.  Pure.

The rule model writes ``80:90`` for what is compared and ``80-90`` for what a
packet is translated to, as iptables does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

MOST = 0xFFFFFFFF
PORTS = 0xFFFF
"""The largest number of all, and the largest port."""


class NumberRange(NamedTuple):
    """From ``low`` to ``high``, both included."""

    low: int
    high: int

    def __contains__(self, number: object) -> bool:
        """Whether a number is one of them."""
        return isinstance(number, int) and self.low <= number <= self.high

    def text(self, separator: str = ":") -> str:
        """As rules write it; a single number alone."""
        return str(self.low) if self.low == self.high else f"{self.low}{separator}{self.high}"


@lru_cache(maxsize=4096)
def parse_range(text: str, limit: int = MOST, separators: str = ":") -> NumberRange | None:
    """Read one number, or two with one of ``separators`` between them; None for anything else.

    An end that is missing is 0 or ``limit``.  The ends aren't put in order.
    """
    low, separator, high = text, "", ""
    for item in separators:
        low, separator, high = text.partition(item)
        if separator:
            break
    first = _number(low, 0 if separator else None)
    last = _number(high, limit) if separator else first
    return NumberRange(first, last) if first is not None and last is not None else None


def _number(text: str, missing: int | None) -> int | None:
    if not text:
        return missing
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else None
