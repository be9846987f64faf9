"""A check's docstring as a page for a terminal.  Pure."""

from __future__ import annotations

import re
from inspect import cleandoc

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.tui.reports.terminal import OutputStyle
from dnet_tui.tui.reports.wrapping import paragraph


def explanation(check: Check, paper: OutputStyle) -> str:
    """The check's id and severity, then its own words, with paragraphs re-wrapped to the paper."""
    prose = paper.for_prose()
    lines = [paper.bold(f"{check.id}  ({check.severity})")]
    for block in cleandoc(check.doc).split("\n\n"):
        lines += ["", *_block(block.splitlines(), prose)]
    return "\n".join(lines) + "\n"


def _block(lines: list[str], paper: OutputStyle) -> list[str]:
    """A heading with its paragraph, a paragraph, or lines of an example (indented further, kept as they are)."""
    if not lines[0].startswith(" "):
        if len(lines) > 1 and lines[1].startswith(" "):
            return [paper.bold(lines[0]), *_block(lines[1:], paper)]
        return paragraph(_plain(" ".join(lines)), paper.width)
    if all(line.startswith("        ") for line in lines):
        return lines
    text = " ".join(line.strip() for line in lines)
    return paragraph(_plain(text), paper.width, "  ")


def _plain(text: str) -> str:
    """Double backquotes, as docstrings have them, look odd on a terminal: one is enough."""
    return re.sub("``", "`", text)
