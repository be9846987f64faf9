"""``snapshot diff`` as text.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.difference import Difference, Unseen
from dnet_tui.diagnostics.difference_base import Change
from dnet_tui.inspect.untrusted import clean
from dnet_tui.tui.reports.terminal import Paper
from dnet_tui.tui.reports.wrapping import paragraph

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "moved": "~"}
_LONGEST = 4096
_SIDES = {"before": "the earlier snapshot", "after": "the later snapshot", "both": "both snapshots"}


def difference_text(difference: Difference, paper: Paper) -> str:
    """The changes under one heading for each container, network or other scope, then what couldn't be compared.

    ``+`` added, ``-`` removed, ``~`` changed or moved, ``?`` not seen.
    """
    lines: list[str] = []
    scopes: dict[str, list[Change]] = {}
    for change in difference.changes:
        scopes.setdefault(change.scope, []).append(change)
    for scope, changes in scopes.items():
        lines += ["", paper.bold(clean(scope))]
        for change in changes:
            lines += _line(_SIGNS[change.kind], change.text, paper)
    if not difference.changes:
        seen = " in what both snapshots saw" if difference.not_compared else ""
        lines += ["", f"No difference{seen}."]
    if difference.not_compared:
        lines += ["", paper.bold("Not compared")]
        for item in difference.not_compared:
            lines += _line("?", _unseen(item), paper)
    return "\n".join(lines[1:]) + "\n"


def _line(sign: str, text: str, paper: Paper) -> Iterator[str]:
    yield from paragraph(clean(text, _LONGEST), paper.width, f"  {sign} ", "      ")


def _unseen(item: Unseen) -> str:
    of = f" of {item.scope}" if item.scope else ""
    return f"{item.section}{of}, not seen whole in {_SIDES[item.side]}: {item.reason}"
