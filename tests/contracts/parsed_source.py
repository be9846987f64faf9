"""The source of the four rooms, each module parsed once for all contracts."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("inspect", "diagnostics", "actions", "tui")


@cache
def sources() -> dict[Path, ast.Module]:
    """Every module of the four rooms, by its path from the root, parsed."""
    files = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    return {file.relative_to(ROOT): ast.parse(file.read_text(encoding="utf-8")) for file in files}
