"""What stands in a settings file that can't be settled: said with the line, the key, and what is allowed there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from dnet_tui.inspect.errors import UsageError

THEMES = ("dark", "light", "contrast")
PROTOCOLS = ("tcp", "udp", "icmp")
_PORT = re.compile(r"(?:[^:]*|\[[^\]]*\]):(?P<port>\w+)")
"""A place with a port: ``db:5432``, ``[2001:db8::1]:80``; an IPv6 address alone has none."""


class TableForm(NamedTuple):
    """What may stand in a table: its keys, and those of them that it needs; whether there may be several."""

    keys: tuple[str, ...]
    needed: tuple[str, ...]
    several: bool


TABLES = {
    "skip": TableForm(("check", "reason"), ("check", "reason"), several=True),
    "flow": TableForm(("from", "to", "protocol", "reason"), ("from", "to"), several=True),
    "app": TableForm(("theme",), (), several=False),
    "engines": TableForm(("docker-socket",), (), several=False),
}


def headed(name: str) -> str:
    """A table's name as it heads its lines."""
    table = TABLES.get(name)
    return f"[[{name}]]" if table is not None and table.several else f"[{name}]"


def line_of(text: str, name: str, number: int = 0, key: str = "") -> int:
    """Return the line, from 1, of a table or a key in it; ``number`` counts the tables of that name, from 0.

    A table within a line (``skip = [{…}]``) has the line on which its name stands.
    """
    lines = text.splitlines()
    heads = [at for at, line in enumerate(lines) if re.match(rf"\s*\[+\s*{re.escape(name)}\s*\]", line)]
    if number >= len(heads):
        return next((at for at, line in enumerate(lines, 1) if re.match(rf"\s*\"?{re.escape(name)}\b", line)), 1)
    start = heads[number]
    for at in range(start + 1, len(lines)):
        if re.match(r"\s*\[", lines[at]):
            break
        if key and re.match(rf"\s*\"?{re.escape(key)}\"?\s*=", lines[at]):
            return at + 1
    return start + 1


def require_fitting(file: str, text: str, data: dict[str, Any]) -> None:
    """Check what a file says, before it is believed.

    Raises:
        UsageError: with the file, the line, the key, and what is allowed.
    """
    for name, value in data.items():
        if name not in TABLES:
            raise UsageError(
                f"{file}, line {line_of(text, name)}: nobody knows {name!r}",
                f"known are {', '.join(map(headed, TABLES))}",
            )
        for number, table in enumerate(_tables(file, text, name, value)):
            _require_table(file, text, (name, number), table)


def _tables(file: str, text: str, name: str, value: object) -> list[dict[str, Any]]:
    several = TABLES[name].several
    items = value if isinstance(value, list) and several else [value]
    tables = [item for item in items if isinstance(item, dict)]
    if (several and not isinstance(value, list)) or len(tables) < len(items):
        where = f"{file}, line {line_of(text, name)}"
        raise UsageError(f"{where}: {name} is no table of the form {headed(name)}", _form(name))
    return tables


def _form(name: str) -> str:
    table = TABLES[name]
    of_them = f", of which it needs {' and '.join(table.needed)}" if table.needed else ""
    return f"{headed(name)} has {', '.join(table.keys)}{of_them}"


def _require_table(file: str, text: str, place: tuple[str, int], table: dict[str, Any]) -> None:
    name, number = place
    head = headed(name)
    for key in table:
        if key not in TABLES[name].keys:
            line = line_of(text, name, number, key)
            raise UsageError(f"{file}, line {line}: {head} has no key {key!r}", _form(name))
    for key in TABLES[name].needed:
        if key not in table:
            raise UsageError(f"{file}, line {line_of(text, name, number)}: {head} has no {key}", _form(name))
    for key, value in table.items():
        for wrong, allowed in _misfits(key, value):
            line = line_of(text, name, number, key)
            raise UsageError(f"{file}, line {line}: {key} in {head} is {wrong}", allowed)


def _misfits(key: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield how a value is wrong, and what is allowed."""
    if not isinstance(value, str):
        yield f"no text: {value!r}", f'write it in quotes: {key} = "…"'
        return
    if not value.strip():
        if key != "reason":
            yield "empty", "leave the key out, or give it a value"
        return
    words = {"theme": THEMES, "protocol": PROTOCOLS}.get(key)
    if words is not None and value.removeprefix("dnet-" if key == "theme" else "") not in words:
        yield repr(value), f"one of {', '.join(words)}"
    port = _PORT.fullmatch(value) if key == "to" else None
    if port is not None and not (port["port"].isdecimal() and 0 < int(port["port"]) < 1 << 16):
        yield f"{value!r}: {port['port']!r} is no port", "a number from 1 to 65535, as in db:5432"
    if key == "docker-socket" and not value.startswith("/"):
        yield repr(value), "the socket's whole path, from / on"
