"""``dnet-tui rules``: the firewall in the order packets meet it."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.coverage.needs import Needs, SectionName
from dnet_tui.inspect.model.view import View
from dnet_tui.tui import completion
from dnet_tui.tui.commands.check_name import require
from dnet_tui.tui.commands.snapshot_source import SnapshotFile, say_gaps, snapshot_from
from dnet_tui.tui.reports.json_text import to_json
from dnet_tui.tui.reports.rules.rules_data import (
    RuleSelection,
    firewall_gaps,
    known_chains,
    known_tables,
    rules_data,
    selected,
)
from dnet_tui.tui.reports.rules.rules_text import rules_text
from dnet_tui.tui.reports.terminal import OutputStyle, stdout_paper

_HOST = Needs(host=frozenset({SectionName.ADDRESSES, SectionName.FIREWALL}))
_ABOUT = Needs(everywhere=frozenset({SectionName.ADDRESSES, SectionName.FIREWALL}))
"""With ``--for``, a container's own rules count too."""


def rules(
    *,
    table: Annotated[
        str,
        typer.Option(
            "--table", "-t", metavar="TABLE", autocompletion=completion.tables, help="Only tables of this name."
        ),
    ] = "",
    chain: Annotated[
        str,
        typer.Option("--chain", metavar="CHAIN", autocompletion=completion.chains, help="Only chains of this name."),
    ] = "",
    about: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="NAME",
            autocompletion=completion.subjects,
            help="Only rules that concern a container, network, port or address.",
        ),
    ] = "",
    family: Annotated[Literal["ip", "ip6"] | None, typer.Option("--family", help="Only IPv4 or IPv6.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say below each rule what it does.")] = False,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="How to print it.")] = "text",
    snapshot: SnapshotFile = None,
) -> None:
    """Show the firewall's chains in the order packets meet them, with their counters.

    Each hook's base chains come by priority, each followed by the chains it leads to.
    """
    taken = snapshot_from(snapshot, _ABOUT if about else _HOST)
    selection = RuleSelection(table=table, chain=chain, about=about, family=family or "")
    paper = None if output == "json" else stdout_paper()
    sys.stdout.write(rules_report(taken, selection, paper, explain=explain))
    sys.stdout.flush()
    view = View(taken)
    say_gaps(firewall_gaps(view, selected(view, selection)))


def rules_report(
    snapshot: Snapshot, selection: RuleSelection, paper: OutputStyle | None, *, explain: bool = False
) -> str:
    """The selected rules as text on ``paper``, or as JSON without one.

    Raises:
        UsageError: a table, a chain or a name that isn't there.
        CannotInspectError: nothing of the firewall was read.
    """
    view = View(snapshot)
    shown = selected(view, selection)
    if selection.table:
        require("table", [selection.table], known_tables(view), "dnet-tui rules")
    if selection.chain:
        require("chain", [selection.chain], known_chains(view), "dnet-tui rules")
    return to_json(rules_data(view, shown)) if paper is None else rules_text(shown, paper, explain=explain)
