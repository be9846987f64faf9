"""iptables' matches on more than one packet: rates, counts, amounts, chance.  Pure.

What a first packet meets, and for which packets the match holds, in words.

Sources: iptables-extensions(8) and iptables' print functions; the kernel's
xt_limit.c, xt_hashlimit.c, xt_connlimit.c, xt_quota.c, xt_connbytes.c,
xt_statistic.c, xt_cluster.c.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from dnet_tui.inspect.errors import CannotModelError
from dnet_tui.inspect.iptables.match_words import GivenOption, given
from dnet_tui.inspect.iptables.save_grammar import number
from dnet_tui.inspect.model.firewall import Match, StatefulMatch
from dnet_tui.inspect.model.rule_expressions import EVERY_PACKET, NO_PACKET

_RATE = re.compile(r"(\d+)([kmg]?b?)/(s|sec|second|m|min|minute|h|hour|d|day)", re.ASCII)
_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}
_SIZES = {"kb": "KB", "mb": "MB", "gb": "GB", "b": "bytes"}
_HASH_OPTIONS = {
    **dict.fromkeys(("hashlimit-upto", "hashlimit-above", "hashlimit", "hashlimit-burst", "hashlimit-mode"), 1),
    **dict.fromkeys(("hashlimit-srcmask", "hashlimit-dstmask", "hashlimit-name", "hashlimit-htable-size"), 1),
    **dict.fromkeys(("hashlimit-htable-max", "hashlimit-htable-expire", "hashlimit-htable-gcinterval"), 1),
    "hashlimit-rate-match": 0,
    "hashlimit-rate-interval": 1,
}
_KEYS = {
    "srcip": "source address",
    "dstip": "destination address",
    "srcport": "source port",
    "dstport": "destination port",
}
_SIXTH = 1e-9
_LEAST = 20
"""Bytes of the shortest packet there is."""
_PLAIN = 60
"""Bytes of a first packet, as TCP's usually has."""
_TRACKED = Match(field="ctstate", values=("INVALID", "UNTRACKED"), negate=True)


def rate_words(text: str) -> str:
    """A rate as ``10 packets a second``, ``40 MB a second``.

    Raises:
        CannotModelError: not a rate.
    """
    found = _RATE.fullmatch(text)
    if found is None:
        msg = f"{text!r} is not a rate"
        raise CannotModelError(msg)
    what = _SIZES.get(found[2]) or ("packet" if found[1] == "1" else "packets")
    return f"{found[1]} {what} a {_UNITS[found[3][0]]}"


def amount(size: int) -> str:
    """A number of bytes as people say it: ``1 MB``, ``1500 bytes``."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"


def one_of(probability: float) -> str:
    """A share as ``one packet of 3``, or in percent."""
    count = round(1 / probability)
    if abs(count * probability - 1) < 0.01:
        return f"one packet of {count}"
    return f"{100 * probability:.4g} % of the packets"


def _limit(words: Sequence[str], text: str) -> StatefulMatch:
    found = given(words, {"limit": 1, "limit-burst": 1})
    burst = found["limit-burst"].value if "limit-burst" in found else "5"
    rate = rate_words(found["limit"].value if "limit" in found else "3/hour")
    _no_negation(found)
    return StatefulMatch(text=text, first=True, words=f"while at most {rate} come (burst {burst})")


def _hashlimit(words: Sequence[str], text: str) -> StatefulMatch:
    found = given(words, _HASH_OPTIONS)
    (limit,) = (found[name] for name in ("hashlimit-above", "hashlimit-upto", "hashlimit") if name in found)
    above = (limit.name == "hashlimit-above") != limit.negate
    rate = rate_words(limit.value)
    keys = [_KEYS[key] for key in found["hashlimit-mode"].value.split(",")] if "hashlimit-mode" in found else []
    each = f" for each {' and '.join(keys)}" if keys else ""
    burst = f" (burst {found['hashlimit-burst'].value})" if "hashlimit-burst" in found else ""
    said = f"once more than {rate} come" if above else f"while at most {rate} come"
    return StatefulMatch(text=text, first=not above, words=f"{said}{each}{burst}")


def _connlimit(words: Sequence[str], text: str) -> StatefulMatch:
    arity = {"connlimit-upto": 1, "connlimit-above": 1, "connlimit-mask": 1, "connlimit-saddr": 0, "connlimit-daddr": 0}
    found = given(words, arity)
    (limit,) = (found[name] for name in ("connlimit-above", "connlimit-upto") if name in found)
    most = number(limit.value)
    above = (limit.name == "connlimit-above") != limit.negate
    side = "destination" if "connlimit-daddr" in found else "source"
    mask = f"/{found['connlimit-mask'].value}" if "connlimit-mask" in found else ""
    who = f"from one {side} network ({mask})" if mask not in {"", "/32", "/128"} else f"with one {side} address"
    if most < 1:
        return _settled(text, holds=above)
    count = f"{most} connection{'' if most == 1 else 's'} {who}"
    words_ = f"once more than {count} exist" if above else f"while no more than {count} exist"
    return StatefulMatch(text=text, first=not above, words=words_)


def _quota(words: Sequence[str], text: str) -> StatefulMatch:
    limit = given(words, {"quota": 1})["quota"]
    most = number(limit.value, 2**64 - 1)
    if most < _LEAST:
        return _settled(text, holds=limit.negate)
    said = f"until {amount(most)} are used up" if not limit.negate else f"once {amount(most)} are used up"
    return StatefulMatch(text=text, first=not limit.negate, words=said)


def _connbytes(words: Sequence[str], text: str) -> StatefulMatch:
    found = given(words, {"connbytes": 1, "connbytes-mode": 1, "connbytes-dir": 1})
    span, mode, way = (found[f"connbytes{part}"] for part in ("", "-mode", "-dir"))
    low, _, high = span.value.partition(":")
    least, most = number(low, 2**64 - 1), number(high, 2**64 - 1) if high else None
    if (least, most) == (0, None):
        return msgspec.structs.replace(_settled(text, holds=not span.negate), needs=(_TRACKED,))
    one = 1 if mode.value == "packets" else _PLAIN
    both = one if mode.value == "avgpkt" else 2 * one
    so_far = {"original": (one, one), "reply": (0, one), "both": (one, both)}[way.value]
    inside, after = (least <= count and (most is None or count <= most) for count in so_far)
    unit = {"packets": "packets", "bytes": "bytes", "avgpkt": "bytes per packet"}[mode.value]
    which = {"original": "its first direction", "reply": "its other direction", "both": "both directions"}[way.value]
    counted = f"{least} {unit} or more" if most is None else f"{least} to {most} {unit}"
    no = "don't have" if span.negate else "have"
    return StatefulMatch(
        text=text,
        first=inside != span.negate,
        answer=after != span.negate,
        words=f"while {counted} {no} gone in {which} of the connection",
        needs=(_TRACKED,),
    )


def _statistic(words: Sequence[str], text: str) -> StatefulMatch:
    found = given(words, {"mode": 1, "probability": 1, "every": 1, "packet": 1})
    if found["mode"].value == "random":
        share, negate = float(found["probability"].value), found["probability"].negate
        how = "by chance"
    else:
        share, negate = 1 / number(found["every"].value), found["every"].negate
        how = "in turn"
    share = 1 - share if negate else share
    if share <= _SIXTH or share >= 1 - _SIXTH:
        return _settled(text, holds=share > _SIXTH)
    return StatefulMatch(text=text, first=share >= 0.5, words=f"for {one_of(share)}, {how}", chance=True)


def _cluster(words: Sequence[str], text: str) -> StatefulMatch:
    arity = dict.fromkeys(
        ("cluster-total-nodes", "cluster-local-nodemask", "cluster-local-node", "cluster-hash-seed"), 1
    )
    found = given(words, arity)
    total = number(found["cluster-total-nodes"].value)
    mask = found.get("cluster-local-nodemask")
    nodes = number(mask.value).bit_count() if mask is not None else 1
    share = nodes / total
    share = 1 - share if mask is not None and mask.negate else share
    if share in {0, 1}:
        return msgspec.structs.replace(_settled(text, holds=share == 1), needs=(_TRACKED,))
    return StatefulMatch(
        text=text,
        first=share >= 0.5,
        words=f"for {one_of(share).replace('packet', 'source address')}, by a hash",
        chance=True,
        needs=(_TRACKED,),
    )


def _settled(text: str, *, holds: bool) -> StatefulMatch:
    """One that no count of packets can change."""
    return StatefulMatch(text=text, first=holds, words=EVERY_PACKET if holds else NO_PACKET)


def _no_negation(found: dict[str, GivenOption]) -> None:
    if any(option.negate for option in found.values()):
        raise CannotModelError("it can't be negated")


STATEFUL: dict[str, Callable[[Sequence[str], str], StatefulMatch]] = {
    "limit": _limit,
    "hashlimit": _hashlimit,
    "connlimit": _connlimit,
    "quota": _quota,
    "connbytes": _connbytes,
    "statistic": _statistic,
    "cluster": _cluster,
}
"""By the match's name; CannotModelError, KeyError, ValueError or ZeroDivisionError for what can't be said."""
