"""``dnet-tui ls``: the map as text, as tables and as JSON."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from dnet_tui.inspect.model.coverage.gaps import listed
from dnet_tui.inspect.model.coverage.needs import MAP, Needs, SectionName
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.commands.snapshot_source import SnapshotFile, say_gaps, snapshot_from
from dnet_tui.tui.reports.json_text import to_json
from dnet_tui.tui.reports.lists import tables_of_rows
from dnet_tui.tui.reports.lists.map_text import host_map
from dnet_tui.tui.reports.lists.rows.bridges import bridge_rows, network_rows
from dnet_tui.tui.reports.lists.rows.containers import container_rows, veth_rows
from dnet_tui.tui.reports.lists.rows.ports import port_rows
from dnet_tui.tui.reports.terminal import OutputStyle, stdout_paper

What = Literal["bridges", "networks", "containers", "veths", "ports"]

_ON_THE_HOST = Needs(host=frozenset({SectionName.ADDRESSES}))
NEEDS: dict[What | None, Needs] = {
    None: MAP,
    "bridges": _ON_THE_HOST,
    "networks": _ON_THE_HOST,
    "containers": MAP,
    "veths": _ON_THE_HOST,
    "ports": Needs(
        everywhere=frozenset({SectionName.ADDRESSES, SectionName.SOCKETS}), host=frozenset({SectionName.FIREWALL})
    ),
}
"""What is read for each list.  The host's addresses are the plain networks' subnets."""


def ls(
    what: Annotated[What | None, typer.Argument(help="What to list; the whole map if left out.")] = None,
    *,
    output: Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it.")] = "table",
    snapshot: SnapshotFile = None,
) -> None:
    """List bridges, networks, containers, veths or published ports.

    Without an argument it prints the map: every bridge with the containers on it.
    """
    needs = NEEDS[what]
    taken = snapshot_from(snapshot, needs)
    view = View(listed(taken))
    sys.stdout.write(as_json(what, view) if output == "json" else as_table(what, view, stdout_paper()))
    sys.stdout.flush()
    say_gaps(view.snapshot.unplaced, view.label, needs)  # listed() put all of them there


def as_json(what: What | None, view: View) -> str:
    """The rows as JSON: a list, or for the whole map an object with one list per kind."""
    rows = {
        "bridges": bridge_rows,
        "networks": network_rows,
        "containers": container_rows,
        "veths": veth_rows,
        "ports": port_rows,
    }
    if what is not None:
        return to_json(rows[what](view))
    return to_json({name: make(view) for name, make in rows.items()})


def as_table(what: What | None, view: View, paper: OutputStyle) -> str:
    """The rows as a table; for the whole map a tree.  Says so where there is nothing to list."""
    match what:
        case None:
            return host_map(view, paper)
        case "bridges":
            text = tables_of_rows.bridges_table(bridge_rows(view), paper)
        case "networks":
            text = tables_of_rows.networks_table(network_rows(view), paper)
        case "containers":
            text = tables_of_rows.containers_table(container_rows(view), paper)
        case "veths":
            text = tables_of_rows.veths_table(veth_rows(view), paper)
        case "ports":
            text = tables_of_rows.ports_table(port_rows(view), paper)
    return text
