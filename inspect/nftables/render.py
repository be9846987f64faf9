"""nftables' JSON as text for people, much as ``nft list`` writes it.  Pure; never raises.

It is used for what the rule model keeps verbatim, and for whole rules where
nft's own text can't be had.  What isn't known here is written as compact JSON.

Sources: libnftables-json(5), nft(8).
"""

from __future__ import annotations

import json
from collections.abc import Callable

from dnet_tui.inspect.text.encoding import storable
from dnet_tui.inspect.text.json_access import Json, items, mapping, several, single

_LONGEST = 4096
_BARE_META = frozenset({"iif", "oif", "iifname", "oifname", "iifgroup", "oifgroup"})
_QUOTED = frozenset({"iif", "oif", "iifname", "oifname", "ibrname", "obrname", "sdifname", "helper"})


def rule(expressions: Json, comment: str = "") -> str:
    """A whole rule, without its counters' numbers."""
    parts = [statement(item) for item in expressions] if isinstance(expressions, list) else [_plain(expressions)]
    if comment:
        parts.append(f'comment "{storable(comment)}"')
    return _cut(" ".join(part for part in parts if part))


def statement(value: Json) -> str:
    """One statement of a rule (a match is one too)."""
    try:
        return _cut(_statement(value))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return _plain(value)


def expression(value: Json) -> str:
    """One expression: what is looked at, or what it is compared with."""
    try:
        return _cut(_expression(value))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return _plain(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _plain(value: Json) -> str:
    try:
        return _cut(storable(json.dumps(value, separators=(",", ":"), ensure_ascii=False)))
    except (ValueError, TypeError, RecursionError):
        return "(something that can't be shown)"


def _expression(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "exists" if value else "missing"
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return ",".join(_expression(item) for item in value)
    name, body = single(value)
    build = _EXPRESSIONS.get(name)
    if build is not None:
        return build(body)
    if name in {"&", "|", "^", "<<", ">>"} and isinstance(body, list):
        hexadecimal = any(_key(item) == "mark" for item in body)
        return f" {name} ".join(_hex(item) if hexadecimal else _expression(item) for item in body)
    if name in _STATEMENTS or body is None:
        return _statement(value)
    return f"{name} {_words(body)}"


def _hex(value: Json) -> str:
    return f"0x{value:08x}" if isinstance(value, int) else _expression(value)


def _words(body: Json) -> str:
    """Anything else: its values in their order."""
    if not isinstance(body, dict):
        return _expression(body)
    return " ".join(_expression(item) for item in body.values() if item is not None)


def _range(body: Json) -> str:
    low, high = body if isinstance(body, list) else (body, body)
    return f"{_expression(low)}-{_expression(high)}"


def _prefix(body: Json) -> str:
    found = mapping(body)
    return f"{_expression(found['addr'])}/{_expression(found['len'])}"


def _set(body: Json) -> str:
    return "{ " + ", ".join(_member(item) for item in several(body)) + " }"


def _member(item: Json) -> str:
    if isinstance(item, list) and len(item) == 2:
        return f"{_expression(item[0])} : {_expression(item[1])}"
    return _expression(item)


def _element(body: Json) -> str:
    return _expression(mapping(body)["val"])


def _payload(body: Json) -> str:
    found = mapping(body)
    if "base" in found:
        return f"@{found['base']},{found['offset']},{found['len']}"
    return f"{_expression(found['protocol'])} {_expression(found['field'])}"


def _meta(body: Json) -> str:
    key = _expression(mapping(body)["key"])
    return key if key in _BARE_META else f"meta {key}"


def _ct(body: Json) -> str:
    found = mapping(body)
    return " ".join(("ct", *([_expression(found["dir"])] if "dir" in found else []), _expression(found["key"])))


def _fib(body: Json) -> str:
    found = mapping(body)
    flags = found.get("flags")
    listed = several(flags)
    return f"fib {' . '.join(_expression(item) for item in listed)} {_expression(found['result'])}"


def _numgen(body: Json) -> str:
    found = mapping(body)
    offset = found.get("offset")
    return f"numgen {found['mode']} mod {found['mod']}" + (f" offset {offset}" if offset else "")


def _hash(body: Json) -> str:
    found = mapping(body)
    name = f"jhash {_expression(found['expr'])}" if "expr" in found else "symhash"
    offset = found.get("offset")
    return f"{name} mod {found['mod']}" + (f" offset {offset}" if offset else "")


def _map(body: Json) -> str:
    found = mapping(body)
    return f"{_expression(found['key'])} map {_expression(found['data'])}"


_EXPRESSIONS: dict[str, Callable[[Json], str]] = {
    "range": _range,
    "prefix": _prefix,
    "set": _set,
    "elem": _element,
    "concat": lambda body: " . ".join(_expression(item) for item in several(body)),
    "payload": _payload,
    "meta": _meta,
    "ct": _ct,
    "fib": _fib,
    "numgen": _numgen,
    "jhash": _hash,
    "symhash": _hash,
    "map": _map,
}


def _statement(value: Json) -> str:
    if isinstance(value, str):
        # What nft has no JSON for it prints as text, with its line breaks.
        return storable(" ".join(value.split()))
    name, body = single(value)
    build = _update if name in {"set", "map"} and isinstance(body, dict) and "op" in body else _STATEMENTS.get(name)
    if build is not None:
        return build(body)
    if body is None:
        return name
    return f"{name} {_words(body)}"


def _match(body: Json) -> str:
    found = mapping(body)
    left, right, operator = found["left"], found["right"], found.get("op")
    shown = _valued(left, right)
    sign = "" if operator in {"==", "in"} and not _has_bits(left) else f"{'==' if operator == 'in' else operator} "
    return f"{_expression(left)} {sign}{shown}"


def _has_bits(left: Json) -> bool:
    return isinstance(left, dict) and "&" in left


def _valued(left: Json, right: Json) -> str:
    """The right side, with quotes round names and marks in hexadecimal."""
    key = _key(left)
    if key in _QUOTED:
        return _each(right, lambda item: f'"{storable(item)}"' if isinstance(item, str) and item[:1] != "@" else "")
    if key == "mark":
        return _each(right, lambda item: _hex(item) if isinstance(item, int) else "")
    return _expression(right)


def _key(left: Json) -> str:
    if isinstance(left, dict) and "&" in left and isinstance(left["&"], list) and left["&"]:
        left = left["&"][0]
    if isinstance(left, dict) and len(left) == 1:
        body = next(iter(left.values()))
        if isinstance(body, dict) and isinstance(body.get("key"), str):
            return str(body["key"])
    return ""


def _each(right: Json, show: Callable[[Json], str]) -> str:
    if isinstance(right, dict) and isinstance(right.get("set"), list):
        return "{ " + ", ".join(show(item) or _member(item) for item in right["set"]) + " }"
    return show(right) or _expression(right)


def _vmap(body: Json) -> str:
    found = mapping(body)
    return f"{_expression(found['key'])} vmap {_expression(found['data'])}"


def _mangle(body: Json) -> str:
    found = mapping(body)
    return f"{_expression(found['key'])} set {_valued(found['key'], found['value'])}"


def _target(name: str) -> Callable[[Json], str]:
    return lambda body: f"{name} {_expression(mapping(body)['target'])}"


def _nat(name: str) -> Callable[[Json], str]:
    def build(body: Json) -> str:
        if body is None:
            return name
        found = mapping(body)
        address, port = _expression(found.get("addr")), _expression(found.get("port"))
        if ":" in address and port and isinstance(found.get("addr"), str):
            address = f"[{address}]"
        where = f"{address}:{port}" if port else address
        words = [
            name,
            _expression(found.get("family")),
            f"to {where}" if where else "",
            _expression(found.get("flags")),
        ]
        return " ".join(item for item in words if item)

    return build


def _log(body: Json) -> str:
    found = mapping(body) if body is not None else {}
    words = [
        f'{key} "{_expression(item)}"' if key == "prefix" else f"{key} {_expression(item)}"
        for key, item in found.items()
    ]
    return " ".join(("log", *words))


def _limit(body: Json) -> str:
    if not isinstance(body, dict):
        return f'limit name "{_expression(body)}"'
    over = "over " if body.get("inv") else ""
    unit = f" {body['rate_unit']}" if body.get("rate_unit") not in {None, "packets"} else ""
    return f"limit rate {over}{body['rate']}{unit}/{body['per']}"


def _above(name: str) -> Callable[[Json], str]:
    """A threshold: its values, and ``over`` before them where it is meant the other way round."""

    def build(body: Json) -> str:
        if not isinstance(body, dict):
            return f'{name} name "{_expression(body)}"'
        over = "over " if body.get("inv") else ""
        unit = f" {body['val_unit']}" if "val_unit" in body else ""
        return f"{name} {over}{body['val']}{unit}"

    return build


def _reject(body: Json) -> str:
    found = mapping(body) if body is not None else {}
    words = [_expression(found.get("type")), _expression(found.get("expr"))]
    return " ".join(("reject", *(["with"] if any(words) else []), *(item for item in words if item)))


def _update(body: Json) -> str:
    found = mapping(body)
    extra = "".join(f" {statement(item)}" for item in items(found.get("stmt")))
    name = _expression(found.get("set", found.get("map")))
    return f"{_expression(found['op'])} {name} {{ {_expression(found['elem'])}{extra} }}"


def _xt(body: Json) -> str:
    found = mapping(body)
    return f'xt {_expression(found["type"])} "{_expression(found["name"])}"'


def _flow(body: Json) -> str:
    found = mapping(body)
    return f"flow {_expression(found.get('op'))} {_expression(found.get('flowtable'))}"


_STATEMENTS: dict[str, Callable[[Json], str]] = {
    "match": _match,
    "vmap": _vmap,
    "mangle": _mangle,
    "jump": _target("jump"),
    "goto": _target("goto"),
    "counter": lambda body: f'counter name "{_expression(body)}"' if isinstance(body, str) else "counter",
    "snat": _nat("snat"),
    "dnat": _nat("dnat"),
    "masquerade": _nat("masquerade"),
    "redirect": _nat("redirect"),
    "log": _log,
    "limit": _limit,
    "quota": _above("quota"),
    "ct count": _above("ct count"),
    "reject": _reject,
    "xt": _xt,
    "flow": _flow,
}
