"""``snapshot diff`` as text.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from dnet_tui.diagnostics.difference.base import DifferenceItem
from dnet_tui.diagnostics.difference.snapshots import Difference, Unseen
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.wrapping import paragraph

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "moved": "~"}
_LONGEST = 4096
_MANY = 3
"""A parameter that changed alike at so many interfaces is told once."""
_SIDES = {"before": "the earlier snapshot", "after": "the later snapshot", "both": "both snapshots"}


def difference_text(difference: Difference, paper: OutputStyle) -> str:
    """The changes under one heading for each container, network or other scope, then what couldn't be compared.

    ``+`` added, ``-`` removed, ``~`` changed or moved, ``?`` not seen.
    """
    lines: list[str] = []
    scopes: dict[str, list[DifferenceItem]] = {}
    for change in difference.changes:
        scopes.setdefault(change.scope, []).append(change)
    for scope in sorted(scopes, key=lambda scope: scope != "host"):
        lines += ["", paper.bold(clean(scope))]
        for change in folded(scopes[scope]):
            lines += _line(_SIGNS[change.kind], change.text, paper)
    if not difference.changes:
        seen = " in what both snapshots saw" if difference.not_compared else ""
        lines += ["", f"No difference{seen}."]
    if difference.not_compared:
        lines += ["", paper.bold("Not compared")]
        for item in difference.not_compared:
            lines += _line("?", _unseen(item), paper)
    return "\n".join(lines[1:]) + "\n"


def folded(changes: Sequence[DifferenceItem]) -> Iterator[DifferenceItem]:
    """The changes of one scope; a parameter that changed alike at many interfaces is one of them.

    The kernel turns forwarding over at every interface when ``ip_forward`` is written (sysctl(8), ip-sysctl.rst).
    """
    alike = Counter(_alike(change) for change in changes)
    told = set()
    for change in changes:
        key = _alike(change)
        if key is None or alike[key] < _MANY:
            yield change
        elif key not in told:
            told.add(key)
            name = f"{key[0]}.*.{key[1]}"
            text = f"{name} {change.before} → {change.after} (at {alike[key]} interfaces)"
            yield msgspec.structs.replace(change, what=name, text=text)


def _alike(change: DifferenceItem) -> tuple[str, str, str, str] | None:
    """What a parameter's changes at several interfaces have in common."""
    parts = change.what.split(".")
    if change.section != "sysctls" or change.kind != "changed" or len(parts) != 5 or parts[3] in {"all", "default"}:
        return None
    return ".".join(parts[:3]), parts[4], change.before, change.after


def _line(sign: str, text: str, paper: OutputStyle) -> Iterator[str]:
    yield from paragraph(clean(text, _LONGEST), paper.width, f"  {sign} ", "      ")


def _unseen(item: Unseen) -> str:
    of = f" of {item.scope}" if item.scope else ""
    return f"{item.section}{of}, not seen whole in {_SIDES[item.side]}: {item.reason}"
