"""What ``-m u32`` asks of a packet's bytes: ``0x6&0xff=0x1&&0x4&0x3fff=0x0:0x5,0x7``.  Pure.

Source: iptables' libxt_u32.c and the kernel's xt_u32.h for the form and its limits.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_MOST = 10
"""Tests in a match, and steps and ranges in a test (XT_U32_MAXSIZE)."""
_NUMBER = r"(?:0x[0-9a-fA-F]{1,8}|[0-9]{1,10})"
_TEST = re.compile(
    rf"({_NUMBER})((?:(?:&|<<|>>|@){_NUMBER})*)=({_NUMBER}(?::{_NUMBER})?(?:,{_NUMBER}(?::{_NUMBER})?)*)"
)
_STEP = re.compile(rf"(&|<<|>>|@)({_NUMBER})")


class U32Test(NamedTuple):
    """Four bytes at an offset, what is done with them in turn, and the ranges of which one must have the result."""

    offset: int
    steps: tuple[tuple[str, int], ...]
    ranges: tuple[tuple[int, int], ...]


@lru_cache(maxsize=1024)
def parse_u32(text: str) -> tuple[U32Test, ...] | None:
    """The tests, all of which must hold; None for what isn't such a text."""
    found = []
    for part in "".join(text.split()).split("&&"):
        fitting = _TEST.fullmatch(part)
        if fitting is None:
            return None
        steps = tuple((how, _number(value)) for how, value in _STEP.findall(fitting[2]))
        spans = [item.partition(":") for item in fitting[3].split(",")]
        ranges = tuple((_number(low), _number(high or low)) for low, _, high in spans)
        found.append(U32Test(_number(fitting[1]), steps, ranges))
    numbers = [number for test in found for number in (test.offset, *(value for _, value in test.steps))]
    numbers += [number for test in found for span in test.ranges for number in span]
    short = all(len(test.steps) <= _MOST and len(test.ranges) <= _MOST for test in found)
    return tuple(found) if len(found) <= _MOST and short and max(numbers) <= 0xFFFFFFFF else None


def _number(text: str) -> int:
    """As ``strtoul(…, 0)`` reads it, but for octal numbers, which iptables never prints."""
    return int(text, 16) if text[:2] in {"0x", "0X"} else int(text)
