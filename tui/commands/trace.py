"""``dnet-tui trace``: what happens to a packet from one place to another, and which element decides."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model.coverage.needs import EVERYTHING, Needs, SectionName
from dnet_tui.tui.commands.confirmation import require_consent
from dnet_tui.tui.commands.flow_options import (
    DestinationPort,
    InInterface,
    Source,
    SourcePort,
    Sources,
    Target,
    Targets,
    one_port,
)
from dnet_tui.tui.commands.snapshot_source import SnapshotFile, snapshot_from
from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.reports.json_text import to_json
from dnet_tui.tui.reports.terminal import stdout_paper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dnet_tui.diagnostics.context.host_context import HostContext
    from dnet_tui.diagnostics.trace.matrix import MatrixRequest
    from dnet_tui.diagnostics.trace.trace import Trace

_NEEDS = Needs(everywhere=EVERYTHING.everywhere - {SectionName.CHECKSUMS, SectionName.LOG, SectionName.NAMES})
"""Whatever decides over a packet."""
DontFragment = Annotated[
    bool | None, typer.Option("--df/--no-df", help="With --size: Don't Fragment (default: as Linux sends).")
]


def trace(
    ctx: typer.Context,
    source: Source = "",
    target: Target = "",
    *,
    proto: Annotated[Literal["tcp", "udp", "icmp"], typer.Option("--proto", help="The protocol.")] = "tcp",
    port: DestinationPort = 0,
    sport: SourcePort = 0,
    in_interface: InInterface = "",
    size: Annotated[int | None, typer.Option("--size", metavar="BYTES", min=1, help="The IP packet's length.")] = None,
    df: DontFragment = None,
    matrix: Annotated[bool, typer.Option("--matrix", help="Who can reach whom: all pairs of places.")] = False,
    only_from: Sources = None,
    only_to: Targets = None,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="How to print it.")] = "text",
    live: Annotated[bool, typer.Option("--live", help="Also send the real packet, and watch the kernel.")] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0.5, max=60, help="With --live: seconds to watch (default 5).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --live: show what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --live: don't ask.")] = False,
    snapshot: SnapshotFile = None,
) -> None:
    """Walk a packet through namespaces, bridges, rules and routes, and its answer back.

    Nothing is sent: the walk is computed from what the host looks like now.
    With --live the packet is sent as well, from inside FROM: tables that are
    there for that moment let the kernel tell every rule it meets.
    With --size the MTU of every link and route on the way counts. Linux sets
    Don't Fragment on all that fits its own way out, and fragments only what
    does not (never TCP); --df forbids that too, --no-df allows it everywhere.
    Exit code: 0 it gets there and its answer back, 1 it does not (or the
    kernel contradicts the walk), 3 that can't be decided.
    """
    from dnet_tui.diagnostics.context.host_context import HostContext  # noqa: PLC0415  the walk, only to run it
    from dnet_tui.diagnostics.trace.endpoints import find  # noqa: PLC0415  as above
    from dnet_tui.diagnostics.trace.matrix import MatrixRequest  # noqa: PLC0415  as above
    from dnet_tui.diagnostics.trace.trace import trace as run  # noqa: PLC0415  as above

    if live:
        readonly = bool(ctx.find_root().params.get("readonly")) and not dry_run
        _refuse_beside_live(
            matrix=matrix,
            offline=snapshot is not None,
            readonly=readonly,
            sized=bool(size),
            arriving=bool(in_interface),
        )
        require_consent(yes=yes, dry_run=dry_run)
    _refuse_without(
        live=live,
        of_live=dry_run or yes or timeout is not None,
        sized=bool(size),
        of_size=df is not None,
        matrix=matrix,
        of_matrix=bool(only_from or only_to),
    )
    if matrix:
        every = MatrixRequest(proto=proto, port=port, size=size or 0, df=df, arrives_by=in_interface)
        _matrix(snapshot, output, every, tuple(filter(None, (source, target))), (only_from or (), only_to or ()))
        return
    if not source or not target:
        raise UsageError("FROM and TO are needed", "for example: dnet-tui trace web outside")
    case = HostContext(snapshot_from(snapshot, _NEEDS, connections=sport))
    ends = find(case, source), find(case, target)
    one_port(ends[1].port, port, target)
    if live:
        from dnet_tui.tui.commands.trace_live import LiveTraceRequest, trace_live  # noqa: PLC0415  the only part that sends

        wish = LiveTraceRequest(
            proto=proto, port=port, sport=sport, output=output, timeout=timeout, dry_run=dry_run, yes=yes
        )
        trace_live(case, *ends, wish)
    found = run(case, *ends, proto=proto, port=port, sport=sport, size=size or 0, df=df, arrives_by=in_interface)
    next_step = () if size else _why(source, target, proto, (port, sport), in_interface, snapshot)
    _print(found, case, output, next_step)
    if found.arrives is None:
        raise typer.Exit(Exit.CANNOT_INSPECT)
    if not found.arrives or found.forward.end == "refused":
        raise typer.Exit(Exit.FINDINGS)


def _why(
    source: str, target: str, proto: str, ports: tuple[int, int], in_interface: str, snapshot: Path | None
) -> tuple[str, ...]:
    """The command that explains the same flow; it doesn't ask for sizes."""
    words = ["dnet-tui", "why", source, target]
    words += ["--proto", proto] if proto != "tcp" else []
    for option, port in zip(("--port", "--sport"), ports, strict=True):
        words += [option, str(port)] if port else []
    words += ["--in-interface", in_interface] if in_interface else []
    return (*words, *(("--snapshot", str(snapshot)) if snapshot is not None else ()))


def _print(found: Trace, case: HostContext, output: str, next_step: tuple[str, ...]) -> None:
    if output == "json":
        from dnet_tui.tui.reports.trace.trace_json import trace_data  # noqa: PLC0415  one of two formats

        sys.stdout.write(to_json(trace_data(found, case.view)))
    else:
        from dnet_tui.tui.reports.trace.trace_text import trace_text  # noqa: PLC0415  one of two formats

        sys.stdout.write(trace_text(found, case.view, stdout_paper(), next_step=next_step))


def _refuse_without(*, live: bool, of_live: bool, sized: bool, of_size: bool, matrix: bool, of_matrix: bool) -> None:
    """Say what an option needs beside it."""
    if of_matrix and not matrix:
        raise UsageError("--from and --to belong to --matrix", "for one packet: dnet-tui trace FROM TO")
    if of_live and not live:
        raise UsageError("--dry-run, --yes and --timeout belong to --live", "without it nothing is sent")
    if of_size and not sized:
        raise UsageError("--df and --no-df belong to --size", "without it the packet fits everywhere")


def _refuse_beside_live(*, matrix: bool, offline: bool, readonly: bool, sized: bool, arriving: bool) -> None:
    """Say what can't go with --live."""
    if arriving:
        raise UsageError("--live sends from inside FROM, so that nothing arrives", "leave --in-interface out")
    if sized:
        raise UsageError("--live sends a short packet, whatever its --size", "leave one of the two out")
    if readonly:
        msg = "`trace --live` changes the ruleset for a moment, and --readonly was given"
        raise UsageError(msg, "leave out --live, or add --dry-run to see what would be done")
    if matrix or offline:
        other, why = ("--matrix", "one packet at a time") if matrix else ("--snapshot", "only this host can be watched")
        raise UsageError(f"--live and {other} don't go together", why)


def _matrix(
    snapshot: Path | None,
    output: str,
    wish: MatrixRequest,
    places: Sequence[str],
    narrowed: tuple[Sequence[str], Sequence[str]],
) -> None:
    from dnet_tui.diagnostics.context.host_context import HostContext  # noqa: PLC0415  the walk, only to run it
    from dnet_tui.diagnostics.trace.matrix import matrix  # noqa: PLC0415  as above
    from dnet_tui.tui.commands.counted_progress import counted_progress  # noqa: PLC0415  as above
    from dnet_tui.tui.reports.trace.matrix_text import matrix_text  # noqa: PLC0415  as above

    if places:
        raise UsageError("--matrix traces all places", "leave FROM and TO out, or narrow it with --from and --to")
    case = HostContext(snapshot_from(snapshot, _NEEDS))
    with counted_progress("tracing pairs") as progress:
        found = matrix(case, wish, sources=narrowed[0], targets=narrowed[1], progress=progress)
    sys.stdout.write(to_json(found) if output == "json" else matrix_text(found, stdout_paper()))
