"""A check's own words, from its docstring.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from inspect import cleandoc

from dnet_tui.tui.app.present.styled_text import BLANK, Paragraph, heading, line, say


@cache
def title(check: str) -> str:
    """Return a check's title; empty when the catalogue doesn't have it."""
    from dnet_tui.diagnostics.checks.catalogue import CATALOGUE  # noqa: PLC0415  as below

    return next((item.title.replace("``", "") for item in CATALOGUE if item.id == check), "")


def of(check: str) -> Iterator[Paragraph]:
    """Yield the explanation of a check; nothing when the catalogue doesn't have it."""
    from dnet_tui.diagnostics.checks.catalogue import CATALOGUE  # noqa: PLC0415  all checks: not before one is read

    for item in CATALOGUE:
        if item.id == check:
            yield BLANK
            yield from paragraphs(item.doc)


def paragraphs(doc: str) -> Iterator[Paragraph]:
    """Yield a docstring re-wrapped: its headings, its paragraphs, its examples (indented further) as they are."""
    for index, block in enumerate(cleandoc(doc).split("\n\n")):
        lines = block.splitlines()
        if index:
            yield BLANK
        if len(lines) > 1 and not lines[0].startswith(" ") and lines[1].startswith(" "):
            yield heading(lines.pop(0))
        if all(text.startswith("        ") for text in lines):
            yield from (Paragraph(line(say(text[4:], "info")), hang=6) for text in lines)
        else:
            yield Paragraph(line(re.sub("``", "`", " ".join(text.strip() for text in lines))))
