"""``meta mark set …`` and ``ct mark set …``, compiled into the rule model.  Pure.

Whatever ``&``, ``|`` and ``^`` with constants do to a mark comes down to
``(mark & keep) ^ flip``, which is the model's ``(old & ~mask) ^ value``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from dnet_tui.inspect.model.firewall import SetMark
from dnet_tui.inspect.text.json_access import Json, array, fail, mapping, single, whole

_ALL = 0xFFFFFFFF

MarkLocation = Literal["meta", "ct"]


class _Bits(NamedTuple):
    """``(source & keep) ^ flip``; without a source it is the constant ``flip``."""

    source: MarkLocation | None
    keep: int
    flip: int


def mark_place(raw: Json) -> MarkLocation | None:
    """Which mark an expression is: the packet's, the connection's, or none."""
    if not isinstance(raw, dict) or len(raw) != 1:
        return None
    name, body = single(raw)
    if name in {"meta", "ct"} and isinstance(body, dict) and body.get("key") == "mark" and "dir" not in body:
        return "meta" if name == "meta" else "ct"
    return None


def set_mark(where: MarkLocation, value: Json) -> tuple[SetMark, ...]:
    """What sets a mark (``where``) to a value.

    Raises:
        CannotModelError: the value is made of something else than marks and constants.
    """
    found = _read(value)
    if found.source is None:
        return (SetMark(where=where, value=found.flip),)
    change = SetMark(where=where, value=found.flip, mask=~found.keep & _ALL)
    if found.source == where:
        return (change,)
    copied = SetMark(where=where, op="restore" if where == "meta" else "save")
    return (copied,) if found.keep == _ALL and not found.flip else (copied, change)


def uses_connection(value: Json) -> bool:
    """Whether the value is made of the connection's mark, which only a tracked packet has."""
    return _read(value).source == "ct"


def _read(raw: Json) -> _Bits:
    if not isinstance(raw, dict):
        return _Bits(None, 0, whole(raw))
    place = mark_place(raw)
    if place is not None:
        return _Bits(place, _ALL, 0)
    operator, body = single(raw)
    parts = [_read(part) for part in array(body)]
    varying = [part for part in parts if part.source is not None]
    if len(varying) > 1 or not parts or operator not in {"&", "|", "^"}:
        raise fail("a calculation that isn't modelled")
    result, *rest = varying + [part for part in parts if part.source is None]
    for part in rest:
        result = _applied(operator, result, part.flip)
    return result


def _applied(operator: str, bits: _Bits, constant: int) -> _Bits:
    if operator == "&":
        return bits._replace(keep=bits.keep & constant, flip=bits.flip & constant)
    if operator == "|":
        return bits._replace(keep=bits.keep & ~constant, flip=bits.flip | constant)
    return bits._replace(flip=bits.flip ^ constant)


def has_mark_key(body: Json) -> MarkLocation | None:
    """Which mark a ``mangle`` sets."""
    return mark_place(mapping(body).get("key"))
