"""The generated pages of ``docs/``: one per check, their index, and the JSON Schemas.  Pure.

``script/docs`` writes them; a test fails when they are out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.tui.reports.published.schemas import PUBLISHED, schema

_MADE = "<!-- Generated from the check's own words by script/docs: change them there. -->"


def pages(checks: Iterable[Check]) -> dict[str, str]:
    """Every generated file below ``docs/``: its path and its text."""
    every = tuple(checks)
    found = {f"checks/{check.id}.md": check_page(check) for check in every}
    found["checks/README.md"] = index_page(every)
    return found | {f"{name}.schema.json": schema(name) for name in PUBLISHED}


def check_page(check: Check) -> str:
    """One check's explanation as Markdown."""
    title, _, body = cleandoc(check.doc).partition("\n")
    lines = [_MADE, "", f"# {check.id}", "", f"{_code(title)}", "", f"Severity: {check.severity}", *_sections(body)]
    return "\n".join(lines).rstrip() + "\n"


def _sections(body: str) -> Iterator[str]:
    for block in body.strip("\n").split("\n\n"):
        lines = block.splitlines()
        if lines and not lines[0].startswith(" "):
            yield from ("", f"## {lines[0].strip()}")
            lines = lines[1:]
        if lines:
            yield ""
            example = all(line.startswith("        ") for line in lines)
            yield from (line if example else _code(line.strip()) for line in lines)


def _code(text: str) -> str:
    return re.sub("``", "`", text)


def index_page(checks: Iterable[Check]) -> str:
    """The catalogue as a table."""
    rows = [f"| [{check.id}]({check.id}.md) | {check.severity} | {check.title} |" for check in checks]
    head = ["| check | severity | what is right when it finds nothing |", "|---|---|---|"]
    return "\n".join([_MADE, "", "# The checks", "", *head, *rows]) + "\n"
