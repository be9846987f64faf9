"""Conditions on lists of recent addresses and on the clock.  Three-valued and pure.

They hold for the moment of the snapshot alone, so they are decided only for a
packet of which that is taken for granted (``plain``).

Sources: the kernel's xt_recent.c (recent_mt), xt_time.c (time_mt).
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

from dnet_tui.diagnostics.walk.match.context import MatchContext
from dnet_tui.diagnostics.walk.match.remembered import times_remembered
from dnet_tui.diagnostics.walk.packet import Packet, Truth
from dnet_tui.inspect.model.filter_state import RecentAddress

_DAY = 86_400
_QUARTER = 900
_ZONES = range(-14 * 3600, 14 * 3600 + 1, _QUARTER)
"""The differences that a local clock may have from UTC."""


def recent(value: str, packet: Packet, context: MatchContext) -> Truth:
    """Whether the address is on the list, as often and as lately as is asked."""
    name, side, mask, verb, *options = value.split(" ")
    wanted = dict(option.partition("=")[::2] for option in options)
    exact = mask in {"-", "255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}
    added = times_remembered(packet, context.namespace, name, side, exact=exact)
    if added is None or not packet.plain:
        return None
    listed = context.recent(name)
    if listed is None:
        return None
    address = _under(packet.dst if side == "dst" else packet.src, mask)
    ttl = (packet.ttl or 0) + bool(packet.oif and packet.iif)  # as it was before it was forwarded
    found = next((item for item in listed if item.address == address), None)
    if found is not None and "ttl" in wanted and found.ttl not in {0, ttl}:
        found = None
    hits = _hits(found, int(wanted.get("seconds", 0)))
    if hits is None:
        return None
    return hits + added >= max(1, int(wanted.get("hitcount", 0))) if verb != "remove" else hits + added > 0


def _hits(found: RecentAddress | None, seconds: int) -> int | None:
    if found is None:
        return 0
    if not seconds:
        return found.hits
    return None if found.ages is None else sum(age <= seconds for age in found.ages)


def _under(address: str, mask: str) -> str:
    parsed = ipaddress.ip_address(address)
    if mask == "-":
        return str(parsed)
    return str(type(parsed)(int(parsed) & int(ipaddress.ip_address(mask))))


def recent_words(value: str) -> str:
    """What a decision by a list rests on."""
    name, _side, _mask, _verb, *options = value.split(" ")
    wanted = dict(option.partition("=")[::2] for option in options)
    count = f"{wanted['hitcount']} times" if "hitcount" in wanted else "once"
    span = f" in {wanted['seconds']} s" if "seconds" in wanted else ""
    return f"it asks for an address seen {count}{span} on list {name}, as it was when the snapshot was taken"


def time(value: str, packet: Packet, context: MatchContext) -> Truth:
    """Whether the snapshot was taken at such a time; where the local time counts, only if that makes no difference."""
    if not packet.plain or context.now is None:
        return None
    options = dict(option.partition("=")[::2] for option in value.split(" ") if option)
    now = int(context.now)
    found = {_at(options, now + zone) for zone in (_ZONES if "local" in options else (0,))}
    return found.pop() if len(found) == 1 else None


def _at(options: dict[str, str], stamp: int) -> bool:
    if not int(options.get("after", 0)) <= stamp <= int(options.get("before", 2**63)):
        return False
    start, stop = int(options.get("from", 0)), int(options.get("to", _DAY - 1))
    second = stamp % _DAY
    if start < stop and not start <= second <= stop:
        return False
    if start >= stop:
        if stop < second < start:
            return False
        stamp -= _DAY if "contiguous" in options and second <= stop else 0
    day = datetime.fromtimestamp(stamp, UTC)
    weekdays, monthdays = options.get("weekdays"), options.get("monthdays")
    if weekdays is not None and str(day.isoweekday()) not in weekdays.split(","):
        return False
    return monthdays is None or str(day.day) in monthdays.split(",")


def clock_words(context: MatchContext) -> str:
    """Which time was taken."""
    if context.now is None:
        return "the time of the snapshot is assumed"
    return f"the snapshot's time is assumed: {datetime.fromtimestamp(context.now, UTC):%a %Y-%m-%d %H:%M:%S} UTC"
