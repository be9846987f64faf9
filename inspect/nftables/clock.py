"""nftables' conditions on the clock: ``meta time``, ``hour`` and ``day``, in UTC.  Pure.

nft prints them in the time zone of its own environment, which is UTC where
dnet-tui runs it; the kernel's nft_meta.c knows no other.
"""

from __future__ import annotations

from datetime import UTC, datetime

from dnet_tui.inspect.model.firewall import Match
from dnet_tui.inspect.text.json_access import Json, array, fail, single, whole, word

KEYS = frozenset({"time", "hour", "day"})
_DAYS = {"Monday": 1, "Tuesday": 2, "Wednesday": 3, "Thursday": 4, "Friday": 5, "Saturday": 6, "Sunday": 7}
_LAST_SECOND = 86_399
_LATEST = 2**63


def clock_match(key: str, operator: str, right: Json) -> Match:
    """The match of a clock's key.

    Raises:
        CannotModelError: the comparison isn't modelled.
    """
    negate = operator == "!="
    if key == "day":
        if operator not in {"==", "!="}:
            raise fail("an order of days")
        days = array(right["set"]) if isinstance(right, dict) and "set" in right else [right]
        wanted = ",".join(str(_day(day)) for day in days)
        return Match(field="time", values=(f"weekdays={wanted}",), negate=negate)
    read, last = (_second, _LAST_SECOND) if key == "hour" else (_moment, _LATEST)
    if isinstance(right, dict):
        name, body = single(right)
        ends = array(body)
        if name != "range" or len(ends) != 2 or operator not in {"==", "!="}:
            raise fail("not a span of time")
        low, high = read(ends[0]), read(ends[1])
    else:
        value = read(right)
        spans = {"==": (value, value), "!=": (value, value), "<": (0, value - 1), "<=": (0, value)}
        spans |= {">": (value + 1, last), ">=": (value, last)}
        low, high = spans[operator]
    words = ("from", "to") if key == "hour" else ("after", "before")
    return Match(field="time", values=(f"{words[0]}={low} {words[1]}={high}",), negate=negate)


def _second(raw: Json) -> int:
    parts = [int(part) for part in word(raw).split(":")]
    return sum(part * size for part, size in zip(parts, (3600, 60, 1), strict=False))


def _moment(raw: Json) -> int:
    if isinstance(raw, int):
        return whole(raw, _LATEST)
    return int(datetime.strptime(word(raw), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())


def _day(raw: Json) -> int:
    return _DAYS[word(raw)] if isinstance(raw, str) else (whole(raw, 6) or 7)
