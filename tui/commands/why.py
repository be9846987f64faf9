"""``dnet-tui why``: the guided check of one flow, without the app."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from dnet_tui.tui.commands.flow_options import DestinationPort, InInterface, Source, SourcePort, Target, one_port
from dnet_tui.tui.commands.snapshot_source import SnapshotFile, snapshot_from
from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.reports.json_text import to_json
from dnet_tui.tui.reports.terminal import stdout_paper


def why(
    source: Source,
    target: Target,
    *,
    proto: Annotated[Literal["tcp", "udp", "icmp"], typer.Option("--proto", help="The protocol.")] = "tcp",
    port: DestinationPort = 0,
    sport: SourcePort = 0,
    in_interface: InInterface = "",
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="How to print it.")] = "text",
    snapshot: SnapshotFile = None,
) -> None:
    """Go through a flow step by step: what was looked at, what stops it, whose decision that is, and the fix.

    The steps are those that an expert takes, in the packet's order: addresses, routes, neighbours, bridges,
    rules, the program that listens, and the answer's way back.  Nothing is sent and nothing is changed.
    Exit code: 0 it passes, 1 it does not, 3 that can't be told.
    """
    from dnet_tui.diagnostics.checks.run_checks import run_checks  # noqa: PLC0415  the checks, only to run them
    from dnet_tui.diagnostics.context.host_context import HostContext  # noqa: PLC0415  as above
    from dnet_tui.diagnostics.guided.why import why as explain  # noqa: PLC0415  as above
    from dnet_tui.diagnostics.trace.endpoints import find  # noqa: PLC0415  as above
    from dnet_tui.diagnostics.trace.trace import trace  # noqa: PLC0415  as above

    case = HostContext(snapshot_from(snapshot, connections=sport))
    ends = find(case, source), find(case, target)
    one_port(ends[1].port, port, target)
    found = trace(case, *ends, proto=proto, port=port, sport=sport, arrives_by=in_interface)
    answer = explain(case, found, run_checks(case.snapshot))
    if output == "json":
        from dnet_tui.tui.reports.trace.why_json import why_data  # noqa: PLC0415  one of two formats

        sys.stdout.write(to_json(why_data(answer)))
    else:
        from dnet_tui.tui.reports.trace.why_text import why_text  # noqa: PLC0415  one of two formats

        sys.stdout.write(why_text(answer, stdout_paper()))
    if answer.passes is None:
        raise typer.Exit(Exit.CANNOT_INSPECT)
    if not answer.passes:
        raise typer.Exit(Exit.FINDINGS)
