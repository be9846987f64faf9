"""Shapes of nftables' JSON that several statements share: concatenations and verdicts.  Pure.

Source: libnftables-json(5).
"""

from __future__ import annotations

from dnet_tui.inspect.model.firewall import Verdict
from dnet_tui.inspect.text.json_access import Json, array, fail, mapping, several, single, word


def concatenated(raw: Json) -> list[Json]:
    """The parts of ``{"concat": […]}``; anything else is the only part.

    Raises:
        CannotModelError: what is concatenated isn't an array.
    """
    return array(raw["concat"]) if isinstance(raw, dict) and "concat" in raw else [raw]


def verdict(raw: Json) -> Verdict:
    """A verdict, as ``{"jump": {"target": "x"}}``.

    Raises:
        CannotModelError: not a verdict.
    """
    name, body = single(raw)
    if name in {"accept", "drop", "continue", "return"}:
        return Verdict(kind=name)  # type: ignore[arg-type]  # one of its words
    if name in {"jump", "goto"}:
        return Verdict(kind=name, chain=word(mapping(body).get("target")))  # type: ignore[arg-type]  # as above
    if name == "queue":
        return _queue(body)
    raise fail(f"{name} is no verdict")


def _queue(body: Json) -> Verdict:
    """Queues that a program reads, by number; those that are chosen by the packet have none."""
    found = mapping(body) if body is not None else {}
    number, flags = found.get("num", 0), several(found.get("flags"))
    queues = ""
    if isinstance(number, int):
        queues = str(number)
    elif isinstance(number, dict) and "range" in number:
        queues = ":".join(str(end) for end in array(number["range"]))
    return Verdict(kind="queue", queues=queues, bypass="bypass" in flags)
