"""``dnet-tui explain``: one check's own words."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dnet_tui.tui import completion
from dnet_tui.tui.commands.check_name import require
from dnet_tui.tui.reports.terminal import stdout_paper


def explain(
    check: Annotated[
        str,
        typer.Argument(
            metavar="ID", autocompletion=completion.checks, help="The check, as `dnet-tui checks` lists it."
        ),
    ],
) -> None:
    """Explain one check: what it finds, why it matters, how it knows, the remedy, when it is harmless."""
    from dnet_tui.diagnostics.checks.catalogue import CATALOGUE  # noqa: PLC0415  only when read, not for --help
    from dnet_tui.tui.reports.doctor.explanation import explanation  # noqa: PLC0415  as above

    known = {item.id: item for item in CATALOGUE}
    require("check", (check,), known, "dnet-tui checks")
    sys.stdout.write(explanation(known[check], stdout_paper()))
