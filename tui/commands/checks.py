"""``dnet-tui checks``: the catalogue."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dnet_tui.tui.reports.json_text import to_json
from dnet_tui.tui.reports.tables import render
from dnet_tui.tui.reports.terminal import stdout_paper

if TYPE_CHECKING:
    from dnet_tui.tui.reports.change_types import ListedCheckData


def checks(
    *,
    output: Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it.")] = "table",
) -> None:
    """List the checks that doctor runs. `dnet-tui explain ID` tells about one."""
    from dnet_tui.diagnostics.checks.catalogue import CATALOGUE  # noqa: PLC0415  only when listed, not for --help

    if output == "json":
        listed: list[ListedCheckData] = [{"id": c.id, "severity": c.severity, "title": c.title} for c in CATALOGUE]
        sys.stdout.write(to_json(listed))
        return
    rows = [(check.id, check.severity, check.title) for check in CATALOGUE]
    sys.stdout.write(render(("CHECK", "SEVERITY", "WHAT IT CHECKS"), rows, stdout_paper()))
