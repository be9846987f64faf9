"""iptables' matches ``recent`` and ``time``, compiled into the rule model.  Pure.

Sources: iptables-extensions(8), the print functions of libxt_recent.c and
libxt_time.c; the kernel's xt_recent.c and xt_time.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.iptables.match_words import GivenOption, given
from dnet_tui.inspect.iptables.save_grammar import number
from dnet_tui.inspect.model.firewall import AnyExpr, Match, Remember

_RECENT = {
    "set": 0, "rcheck": 0, "update": 0, "remove": 0, "seconds": 1, "reap": 0, "hitcount": 1, "rttl": 0, "name": 1,
    "rsource": 0, "rdest": 0, "mask": 1,
}  # fmt: skip
_WORDS = {"rcheck": "check", "update": "update", "remove": "remove"}
_TIME = {
    "timestart": 1, "timestop": 1, "datestart": 1, "datestop": 1, "weekdays": 1, "monthdays": 1, "contiguous": 0,
    "kerneltz": 0, "utc": 0, "localtz": 0,
}  # fmt: skip
_DAYS = {"Mon": 1, "Tue": 2, "Wed": 3, "Thu": 4, "Fri": 5, "Sat": 6, "Sun": 7}
_LAST_SECOND = 86_399


def recent(words: Sequence[str]) -> tuple[AnyExpr, ...]:
    """``--set`` remembers the address and always holds; the others ask for it, ``--update`` then remembers it anew.

    Raises:
        CannotModelError: it isn't modelled.
    """
    found = given(words, _RECENT)
    name = found["name"].value if "name" in found else "DEFAULT"
    side = "dst" if "rdest" in found else "src"
    mask = found["mask"].value if "mask" in found else ""
    (verb,) = (word for word in ("set", *_WORDS) if word in found)
    if " " in name or (verb == "set" and found[verb].negate):
        raise CannotModelError("a list or a negation that isn't modelled")
    remembered = Remember(kind="recent", name=name, key=(side, mask), remove=verb == "remove")
    if verb == "set":
        return (remembered,)
    parts = [name, side, mask or "-", _WORDS[verb]]
    parts += [f"{option}={number(found[option].value)}" for option in ("seconds", "hitcount") if option in found]
    if "rttl" in found:
        parts.append("ttl")
    match = Match(field="recent", values=(" ".join(parts),), negate=found[verb].negate)
    return (match,) if verb == "rcheck" or found[verb].negate else (match, remembered)


def time(words: Sequence[str]) -> tuple[AnyExpr, ...]:
    """A span of the day, days of the week and the month, and a span of dates, all of which must hold.

    Raises:
        CannotModelError: it isn't modelled.
    """
    found = given(words, _TIME)
    parts: list[str] = []
    if "timestart" in found or "timestop" in found:
        parts.append(f"from={_seconds(found['timestart'].value) if 'timestart' in found else 0}")
        parts.append(f"to={_seconds(found['timestop'].value) if 'timestop' in found else _LAST_SECOND}")
    for option, word in (("datestart", "after"), ("datestop", "before")):
        if option in found:
            parts.append(f"{word}={_date(found[option].value)}")
    for option, days in (("weekdays", range(1, 8)), ("monthdays", range(1, 32))):
        if option in found:
            chosen = _days(found[option], days)
            parts.append(f"{option}={','.join(map(str, chosen))}")
    parts += [word for option, word in (("contiguous", "contiguous"), ("kerneltz", "local")) if option in found]
    return (Match(field="time", values=(" ".join(parts),)),)


def _seconds(text: str) -> int:
    hours, minutes, seconds = (int(part) for part in text.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def _date(text: str) -> int:
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp())


def _days(option: GivenOption, known: range) -> list[int]:
    chosen = {_DAYS.get(part) or int(part) for part in option.value.split(",")}
    return [day for day in known if (day in chosen) != option.negate]
