"""The kernel's own counters of drops, before and after: interfaces, IP, TCP, UDP of one namespace."""

from __future__ import annotations

import re
from pathlib import Path

_DROPS = re.compile(r"Drop|Discard|NoRoutes|Filter|Errors|Overflow|Prune|Backlog|Timeout$|OutOfRange", re.ASCII)
_COLUMNS = ((4, "rx dropped"), (12, "tx dropped"), (3, "rx errors"), (11, "tx errors"))


def read_drop_counters(proc: str = "/proc/self/net") -> dict[str, int]:
    """Every counter that tells of drops, by name, in the namespace of the calling process; what can't be read lacks."""
    found: dict[str, int] = {}
    for name in ("snmp", "netstat"):
        found |= parse_counters(_text(f"{proc}/{name}"))
    return found | parse_interfaces(_text(f"{proc}/dev"))


def parse_counters(text: str) -> dict[str, int]:
    """``/proc/net/snmp`` and ``netstat``: a line of names, then one of values (proc(5)).  Pure."""
    lines = text.splitlines()
    found: dict[str, int] = {}
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        group, _, rest = names.partition(":")
        for name, value in zip(rest.split(), values.partition(":")[2].split(), strict=False):
            if _DROPS.search(name) and value.lstrip("-").isdecimal():
                found[f"{group} {name}"] = int(value)
    return found


def parse_interfaces(text: str) -> dict[str, int]:
    """``/proc/net/dev``: drops and errors of every interface.  Pure."""
    found: dict[str, int] = {}
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        values = rest.split()
        for column, what in _COLUMNS:
            if len(values) >= 16 and values[column - 1].isdecimal():
                found[f"{name.strip()} {what}"] = int(values[column - 1])
    return found


def moved(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """By how much counters grew.  Pure."""
    return {name: number - before[name] for name, number in after.items() if number > before.get(name, number)}


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
