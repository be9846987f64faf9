"""What nftables draws by lot: numgen, jhash, symhash.  Pure.

Nobody can foretell the number, but it lies in a known span, so a map that has
an element for each of them certainly has the right one.

Source: nft(8); the kernel's nft_numgen.c and nft_hash.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from dnet_tui.inspect.text.number_ranges import parse_range

_DRAW = re.compile(r"(?:numgen (?:random|inc)|jhash .+|symhash) mod (\d{1,10})(?: offset (\d{1,10}))?")


class Draw(NamedTuple):
    """The numbers that may be drawn, both ends included."""

    low: int
    high: int


@lru_cache(maxsize=1024)
def drawn(field: str) -> Draw | None:
    """The numbers that a field may be, when it is drawn by lot."""
    if field == "meta random":
        return Draw(0, 0xFFFFFFFF)
    found = _DRAW.fullmatch(field)
    if found is None or int(found[1]) == 0:
        return None
    offset = int(found[2] or 0)
    return Draw(offset, offset + int(found[1]) - 1)


def share(field: str, values: Iterable[str]) -> float:
    """How much of what may be drawn is among the values; 0 for a field that isn't drawn."""
    draw = drawn(field)
    if draw is None:
        return 0
    spans = (parse_range(value) for value in values)
    hit = sum(max(0, min(span.high, draw.high) - max(span.low, draw.low) + 1) for span in spans if span is not None)
    return hit / (draw.high - draw.low + 1)


def leaves_none_out(field: str, values: Iterable[str]) -> bool:
    """Whether each number that may be drawn is among the values (``3`` or ``0:4``)."""
    draw = drawn(field)
    if draw is None:
        return False
    reached = draw.low
    for low, high in sorted(span for value in values if (span := parse_range(value)) is not None):
        if low > reached:
            break
        reached = max(reached, high + 1)
    return reached > draw.high
