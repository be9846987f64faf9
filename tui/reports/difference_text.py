"""``snapshot diff`` as text.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from dnet_tui.diagnostics.difference import Change
from dnet_tui.inspect.untrusted import clean
from dnet_tui.tui.reports.terminal import Paper
from dnet_tui.tui.reports.wrapping import paragraph

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def difference_text(changes: Sequence[Change], paper: Paper) -> str:
    """The changes under one heading per section and namespace: ``+`` added, ``-`` removed, ``~`` changed."""
    if not changes:
        return "No difference.\n"
    lines: list[str] = []
    for (section, scope), group in groupby(changes, key=lambda change: (change.section, change.scope)):
        lines += ["", paper.bold(clean(f"{section} of {scope}" if scope else section))]
        for change in group:
            head = f"  {_SIGNS[change.kind]} "
            lines += paragraph(clean(f"{change.what}  {_description(change)}", 4096), paper.width, head, "      ")
    return "\n".join(lines[1:]) + "\n"


def _description(change: Change) -> str:
    if change.kind == "changed":
        return f"{change.before} → {change.after}"
    return change.after if change.kind == "added" else change.before
