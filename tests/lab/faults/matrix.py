"""Every case of the matrix, and the table of what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lab.faults.links_family import LINKS
from lab.faults.machinery import Case, Row
from lab.faults.names_family import NAMES
from lab.faults.rules_family import RULES

CASES: tuple[Case, ...] = (*RULES, *LINKS, *NAMES)
"""All faults that can be put into some host of the lab."""

HEAD = ("fault", "host", "breaks", "detected", "first", "folded", "repaired", "as before")


def table(rows: Mapping[str, Iterable[Row]]) -> str:
    """Return the rows, by host, as a Markdown table; what went wrong, or could not be tried, stands beneath."""
    lines = [cells(name, row) for name, those in rows.items() for row in those]
    notes = [f"- {row.id} on {name}: {row.why}" for name, those in rows.items() for row in those if row.why]
    widths = [max(len(line[at]) for line in (HEAD, *lines)) for at in range(len(HEAD))]
    ruled = [tuple("-" * width for width in widths)]
    text = "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in (HEAD, *ruled, *lines)
    )
    return "\n".join([text, "", *notes])


def cells(name: str, row: Row) -> Sequence[str]:
    """Return one row's cells."""
    if not row.injectable:
        return (row.id, name, "not injectable", "", "", "", "", "")
    marks = (row.broke, row.detected, row.first, row.folded)
    return (row.id, name, *("yes" if mark else "NO" for mark in marks), row.repaired, "yes" if row.restored else "NO")
