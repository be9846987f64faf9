"""``dnet-tui trace``: what happens to a packet from one place to another, and which element decides."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui.commands.source import SnapshotFile, snapshot_from
from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.reports.json_text import to_json
from dnet_tui.tui.reports.terminal import stdout_paper

if TYPE_CHECKING:
    from dnet_tui.diagnostics.case import Case


def trace(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A container, host, outside or an address.")] = "",
    target: Annotated[str, typer.Argument(metavar="TO", help="The same, or container:port.")] = "",
    *,
    proto: Annotated[Literal["tcp", "udp", "icmp"], typer.Option("--proto", help="The protocol.")] = "tcp",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The destination port (default 80).")] = 0,
    sport: Annotated[int, typer.Option("--sport", min=0, max=65535, help="The source port.")] = 0,
    matrix: Annotated[bool, typer.Option("--matrix", help="Who can reach whom: all pairs of places.")] = False,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="How to print it.")] = "text",
    snapshot: SnapshotFile = None,
) -> None:
    """Walk a packet through namespaces, bridges, rules and routes, and its answer back.

    Nothing is sent: the walk is computed from what the host looks like now.
    Exit code: 0 it gets there and its answer back, 1 it does not, 3 that can't be decided.
    """
    from dnet_tui.diagnostics.case import Case  # noqa: PLC0415  the walk, only to run it
    from dnet_tui.diagnostics.places import find  # noqa: PLC0415  as above
    from dnet_tui.diagnostics.trace import trace as run  # noqa: PLC0415  as above

    if matrix:
        if source or target:
            raise UsageError("--matrix traces all places", "leave FROM and TO out")
        _matrix(Case(snapshot_from(snapshot)), proto, port, output)
        return
    if not source or not target:
        raise UsageError("FROM and TO are needed", "for example: dnet-tui trace web outside")
    case = Case(snapshot_from(snapshot))
    found = run(case, find(case, source), find(case, target), proto=proto, port=port, sport=sport)
    if output == "json":
        from dnet_tui.tui.reports.trace_json import trace_data  # noqa: PLC0415  one of two formats

        sys.stdout.write(to_json(trace_data(found, case.view)))
    else:
        from dnet_tui.tui.reports.trace_text import trace_text  # noqa: PLC0415  one of two formats

        sys.stdout.write(trace_text(found, case.view, stdout_paper()))
    if found.arrives is None:
        raise typer.Exit(Exit.CANNOT_INSPECT)
    if not found.arrives or found.forward.end == "refused":
        raise typer.Exit(Exit.FINDINGS)


def _matrix(case: Case, proto: Literal["tcp", "udp", "icmp"], port: int, output: str) -> None:
    from dnet_tui.diagnostics.matrix import matrix  # noqa: PLC0415  the walk, only to run it
    from dnet_tui.tui.reports.matrix_text import matrix_text  # noqa: PLC0415  as above

    found = matrix(case, proto=proto, port=port)
    sys.stdout.write(to_json(found) if output == "json" else matrix_text(found, stdout_paper()))
