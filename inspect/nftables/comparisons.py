"""nftables' comparisons by size, as the ranges they stand for.  Pure."""

from __future__ import annotations

import ipaddress

from dnet_tui.inspect.text.json_access import Json, fail, whole, word

_ALL = 0xFFFFFFFF
_LIMITS: dict[str, int] = {"port": 0xFFFF, "byte": 0xFF, "length": _ALL, "mark": _ALL, "number": _ALL}
"""The largest value of each kind that has an order."""


def compared(kind: str, operator: str, raw: Json) -> dict[str, Json]:
    """The range that a comparison (``<``, ``<=``, ``>``, ``>=``) stands for, as JSON.

    Raises:
        CannotModelError: this kind has no order, or nothing lies there.
    """
    if kind == "ip":
        low, high = _span(operator, int(ipaddress.IPv4Address(word(raw))), _ALL)
        return {"range": [str(ipaddress.IPv4Address(low)), str(ipaddress.IPv4Address(high))]}
    limit = _LIMITS.get(kind)
    if limit is None:
        raise fail(f"{kind} has no order")
    low, high = _span(operator, whole(raw, limit), limit)
    return {"range": [low, high]}


def _span(operator: str, value: int, limit: int) -> tuple[int, int]:
    low, high = {
        "<": (0, value - 1),
        "<=": (0, value),
        ">": (value + 1, limit),
        ">=": (value, limit),
    }[operator]
    if low > high:
        raise fail("nothing lies there")
    return low, high
