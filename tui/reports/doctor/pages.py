"""The generated pages of ``docs/``: one per check, their index, the report's JSON Schema.  Pure.

``script/docs`` writes them; a test fails when they are out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc

import msgspec

from dnet_tui.diagnostics.checks.framework.check import Check
from dnet_tui.tui.reports.capture.packet_json import PacketData
from dnet_tui.tui.reports.doctor.report_json import DoctorData
from dnet_tui.tui.reports.trace.why_json import WhyData

_MADE = "<!-- Generated from the check's own words by script/docs: change them there. -->"


def pages(checks: Iterable[Check]) -> dict[str, str]:
    """Every generated file below ``docs/``: its path and its text."""
    every = tuple(checks)
    found = {f"checks/{check.id}.md": check_page(check) for check in every}
    found["checks/README.md"] = index_page(every)
    found["doctor.schema.json"] = doctor_schema()
    found["why.schema.json"] = _schema(WhyData)
    found["capture.schema.json"] = capture_schema()
    return found


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


def doctor_schema() -> str:
    """The JSON Schema of ``doctor --format json``: the same text whatever Python writes it."""
    return _schema(DoctorData)


def capture_schema() -> str:
    """The JSON Schema of a line of ``capture --format json``."""
    return _schema(PacketData)


def _schema(kind: type[msgspec.Struct]) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(kind)}
    return msgspec.json.format(msgspec.json.encode(_described(schema)), indent=2).decode() + "\n"


def _described(part: object) -> object:
    """Docstrings in a schema without their indentation, which Python 3.13 and later take away and earlier ones keep."""
    if isinstance(part, dict):
        return {
            key: cleandoc(value) if key == "description" and isinstance(value, str) else _described(value)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_described(item) for item in part]
    return part
