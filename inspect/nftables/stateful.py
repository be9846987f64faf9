"""nftables' conditions on more than one packet: rates, quotas, counts of connections and of their traffic.  Pure.

Sources: nft(8), libnftables-json(5); the kernel's nft_limit.c, nft_quota.c,
nft_connlimit.c, nft_ct.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dnet_tui.inspect.model.firewall import Match, StatefulMatch
from dnet_tui.inspect.model.rule_expressions import EVERY_PACKET, NO_PACKET
from dnet_tui.inspect.nftables.render import statement as shown
from dnet_tui.inspect.text.json_access import Json, fail, fields, items, mapping, single, whole, word

_UNITS = {"bytes": 1, "kbytes": 1 << 10, "mbytes": 1 << 20}
_SPOKEN = {"bytes": "bytes", "kbytes": "KB", "mbytes": "MB", "packets": "packets"}
_LEAST, _PLAIN = 20, 60
"""Bytes of the shortest packet there is, and of a plain first one."""
_MOST = 2**64 - 1
TRACKED = Match(field="ctstate", values=("INVALID", "UNTRACKED"), negate=True)
STATEFUL = frozenset({"limit", "quota", "ct count"})
"""The statements that decide whether a rule goes on by what came before."""
COUNTS = frozenset({"bytes", "packets", "avgpkt"})
"""The keys of ``ct`` that count a connection's traffic."""

NamedObjects = Mapping[tuple[str, str], Json]
"""The limits and quotas that a table has by name: (what, name)."""
NO_OBJECTS: NamedObjects = MappingProxyType({})


def stateful(name: str, body: Json, objects: NamedObjects) -> StatefulMatch:
    """Compile ``limit``, ``quota`` or ``ct count``, named ones by what their object says.

    Raises:
        CannotModelError: it isn't modelled.
    """
    text = shown({name: body})
    if isinstance(body, str):
        found = objects.get((name, body))
        if found is None:
            raise fail("a limit that isn't known")
        body = found
    found = mapping(body)
    over = found.get("inv") is True
    if name == "ct count":
        most = whole(found.get("val"))
        if most < 1:
            return _settled(text, holds=over)
        words = f"once more than {most} connections of its kind exist" if over else f"while at most {most} exist"
        return StatefulMatch(text=text, first=not over, words=words)
    if name == "quota":
        return _quota(found, text, over=over)
    rate = f"{whole(found.get('rate'))} {_SPOKEN[word(found.get('rate_unit', 'packets'))]} a {word(found.get('per'))}"
    rate = rate.replace("1 packets ", "1 packet ") if found.get("rate") == 1 else rate
    burst = whole(found.get("burst", 0))
    extra = f" (burst {burst} {word(found.get('burst_unit', 'packets'))})" if burst else ""
    words = f"once more than {rate} come{extra}" if over else f"while at most {rate} come{extra}"
    return StatefulMatch(text=text, first=not over, words=words)


def _quota(found: Mapping[str, Json], text: str, *, over: bool) -> StatefulMatch:
    """What is left of it now: a quota's use is listed with it."""
    if "bytes" in found:
        size, amount = whole(found["bytes"], _MOST), f"{whole(found['bytes'], _MOST)} bytes"
    else:
        unit = word(found.get("val_unit", "bytes"))
        size = whole(found.get("val"), _MOST) * _UNITS[unit]
        amount = f"{whole(found.get('val'), _MOST)} {_SPOKEN[unit]}"
    used = whole(found.get("used", 0), _MOST) * _UNITS[word(found.get("used_unit", "bytes"))]
    if used + _LEAST > size:  # it is used up, and stays so
        return _settled(text, holds=over)
    left = f", of which {used} bytes were when it was read" if used else ""
    words = f"{'once' if over else 'until'} {amount} are used up{left}"
    return StatefulMatch(text=text, first=not over, words=words)


def connection_count(operator: str, body: Json, right: Json) -> tuple[Match, StatefulMatch]:
    """Compile ``ct original packets > 5``.

    Raises:
        CannotModelError: the comparison isn't modelled.
    """
    found = fields(body)
    key, way = word(found.get("key")), found.get("dir")
    low, high = _span(operator, right)
    text = shown({"match": {"op": operator, "left": {"ct": dict(found)}, "right": right}})
    if (low, high) == (0, _MOST):
        return TRACKED, _settled(text, holds=operator != "!=")
    inside, after = (low <= so_far <= high for so_far in _counted(key, way))
    unit = {"bytes": "bytes", "packets": "packets", "avgpkt": "bytes per packet"}[key]
    counted = f"{low} or more {unit}" if high == _MOST else f"{low} to {high} {unit}"
    which = f"its {way} direction" if isinstance(way, str) else "both directions"
    no = "don't have" if operator == "!=" else "have"
    words = f"while {counted} {no} gone in {which} of the connection"
    negated = operator == "!="
    return TRACKED, StatefulMatch(text=text, first=inside != negated, answer=after != negated, words=words)


def _counted(key: str, way: object) -> tuple[int, int]:
    """What a connection of plain packets has counted when its first one comes, and its first answer."""
    unit = 1 if key == "packets" else _PLAIN
    if way in {"original", "reply"}:
        return (0, unit) if way == "reply" else (unit, unit)
    return unit, unit if key == "avgpkt" else 2 * unit


def _settled(text: str, *, holds: bool) -> StatefulMatch:
    """One that no count of packets can change."""
    return StatefulMatch(text=text, first=holds, words=EVERY_PACKET if holds else NO_PACKET)


def _span(operator: str, right: Json) -> tuple[int, int]:
    if isinstance(right, dict):
        name, body = single(right)
        if name != "range" or operator not in {"==", "!="}:
            raise fail("a comparison that isn't modelled")
        low, high = (whole(item, _MOST) for item in items(body))
        return low, high
    value = whole(right, _MOST)
    spans = {"==": (value, value), "!=": (value, value), "<": (0, value - 1), "<=": (0, value)}
    spans |= {">": (value + 1, _MOST), ">=": (value, _MOST)}
    if operator not in spans:
        raise fail("a comparison that isn't modelled")
    return spans[operator]
