"""Whether what a command printed as JSON fits the schema that is published for it in ``docs/``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

DOCS = Path(__file__).resolve().parents[3] / "docs"
LINES = {"capture", "capture-drops"}
"""What is printed as one object a line."""


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((DOCS / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def schema_of(words: Sequence[str]) -> str:
    """The schema's name for a command line: its first words, and the option that makes it print something else."""
    first = words[0]
    if first in {"net", "port", "route"}:
        return "change"
    if first == "snapshot":
        return "snapshot-diff"
    for option in ("drops", "matrix"):
        if f"--{option}" in words:
            return f"{first}-{option}"
    return first


def misfits(name: str, printed: str | bytes) -> list[str]:
    """What of the output doesn't fit, each with its place."""
    text = printed.decode() if isinstance(printed, bytes) else printed
    found: list[Any] = [json.loads(part) for part in (text.splitlines() if name in LINES else [text])]
    return [
        f"{error.json_path}: {error.message[:200]}" for data in found for error in _validator(name).iter_errors(data)
    ]
