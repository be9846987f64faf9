"""One rule of nftables, from its JSON to the rule model's expressions.  Pure.

An expression that isn't modelled, or isn't as it should be, becomes opaque
with its text; its neighbours are read as usual.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dnet_tui.inspect.model.firewall import AnyExpr, Lookup, Match, Nat, Opaque, VerdictMap
from dnet_tui.inspect.nftables.conditions import Context, condition, verdict_map
from dnet_tui.inspect.nftables.fields import needs_of, needs_to_change
from dnet_tui.inspect.nftables.render import statement as shown
from dnet_tui.inspect.nftables.stateful import STATEFUL, stateful
from dnet_tui.inspect.nftables.statements import NOTES, compile_statement
from dnet_tui.inspect.text.json_access import MALFORMED, Json, counted, fields, items, only, single, string

_CONDITIONS = frozenset({"match", "limit", "quota", "ct count", "connlimit", "socket", "osf"})
"""What decides whether a rule goes on, when it isn't modelled."""
_ACTIONS = frozenset(
    {
        "accept",
        "continue",
        "drop",
        "dnat",
        "dup",
        "flow",
        "fwd",
        "goto",
        "jump",
        "mangle",
        "masquerade",
        "queue",
        "redirect",
        "reject",
        "return",
        "snat",
        "synproxy",
        "tproxy",
    }
)
"""What does something to the packet, when it isn't modelled."""
_CONSTANT = frozenset({"nfproto", "proto"})
"""Fields that no statement changes: to ask for the same value twice is once too often."""


class CompiledRule(NamedTuple):
    """A rule's expressions and its counters (None: it has none)."""

    exprs: tuple[AnyExpr, ...]
    packets: int | None = None
    bytes: int | None = None


def compile_rule(expressions: Json, context: Context) -> CompiledRule:
    """Compile a rule's ``expr`` array.  Never raises."""
    if not isinstance(expressions, list):
        return CompiledRule(_undecidable(expressions))
    exprs: list[AnyExpr] = []
    packets: int | None = None
    size: int | None = None
    final = max((index for index, item in enumerate(expressions) if _has_effect(item)), default=-1)
    for index, item in enumerate(expressions):
        if isinstance(item, dict) and isinstance(item.get("counter"), dict):
            if packets is None:
                packets, size = counted(item["counter"].get("packets")), counted(item["counter"].get("bytes"))
            continue
        known = context._replace(protocols=_protocols(exprs))
        for expr in _compiled(item, known, last=index >= final):
            if not (isinstance(expr, Match) and expr.field in _CONSTANT and expr in exprs):
                exprs.append(expr)
    return CompiledRule(tuple(exprs), packets, size)


def sets_used(exprs: tuple[AnyExpr, ...]) -> Iterator[str]:
    """The named sets and verdict maps that a rule looks into."""
    for expr in exprs:
        if isinstance(expr, (Lookup, VerdictMap)) and expr.set:
            yield expr.set
        elif isinstance(expr, Nat) and expr.choice is not None and expr.choice.set:
            yield expr.choice.set


def sets_filled(expressions: Json) -> Iterator[str]:
    """The named sets that the packets which meet a rule are put into, or taken out of."""
    for item in items(expressions):
        for what in ("set", "map"):
            if name := string(fields(fields(item).get(what)).get(what)):
                yield name.removeprefix("@")


def _compiled(item: Json, context: Context, *, last: bool) -> tuple[AnyExpr, ...]:
    try:
        name, body = single(item)
        if name == "match":
            return condition(body, context)
        if name in STATEFUL:
            return (stateful(name, body, context.objects),)
        if name == "vmap":
            return verdict_map(body, context)
        return compile_statement(name, body, context, last=last)
    except MALFORMED:
        return _opaque(item, context)


def _opaque(item: Json, context: Context) -> tuple[AnyExpr, ...]:
    name, body = only(item)
    if name in _CONDITIONS:
        needs = needs_of(fields(body).get("left")) if name == "match" else ()
        return (Opaque(text=shown(item), role="match", needs=needs),)
    if name in _ACTIONS:
        needs = needs_to_change(fields(body).get("key"), context.family) if name == "mangle" else ()
        return (
            *needs,
            Opaque(text=shown(item), role="target"),
        )
    return _undecidable(item)


def _undecidable(item: Json) -> tuple[AnyExpr, ...]:
    """Something of which nobody knows whether it decides or acts."""
    text = shown(item)
    return Opaque(text=text, role="match"), Opaque(text=text, role="target")


def _has_effect(item: Json) -> bool:
    return only(item)[0] not in NOTES


def _protocols(exprs: list[AnyExpr]) -> tuple[str, ...] | None:
    """What the matches so far leave of the packet's protocol."""
    for expr in reversed(exprs):
        if isinstance(expr, Match) and expr.field == "proto" and not expr.negate:
            return expr.values
    return None
