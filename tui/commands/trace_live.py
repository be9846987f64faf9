"""The part of ``dnet-tui trace`` that sends the packet: asks, sends, shows the walk beside the kernel."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn

import typer

from dnet_tui.actions.demo.foreground import ending_on_signals
from dnet_tui.actions.journal.journal import state_folder
from dnet_tui.actions.live_trace.packet import own_port
from dnet_tui.actions.live_trace.run import DEFAULT_TIMEOUT, LivePlan, carry_out, plan_live
from dnet_tui.actions.plans.operations import AddTraceTable
from dnet_tui.actions.plans.plan import undo_lines
from dnet_tui.diagnostics.trace.live_trace import judge, place_names
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.commands.confirmation import ask
from dnet_tui.tui.commands.snapshot_source import progress
from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.reports.json_text import to_json
from dnet_tui.tui.reports.terminal import stdout_paper

if TYPE_CHECKING:
    from dnet_tui.diagnostics.context.host_context import HostContext
    from dnet_tui.diagnostics.trace.endpoints import TraceEndpoint

_LIMIT = 4096


class LiveTraceRequest(NamedTuple):
    """What the command line asks for."""

    proto: Literal["tcp", "udp", "icmp"]
    port: int
    sport: int
    output: Literal["text", "json"]
    timeout: float | None
    dry_run: bool
    yes: bool


def trace_live(case: HostContext, source: TraceEndpoint, target: TraceEndpoint, wish: LiveTraceRequest) -> NoReturn:
    """Trace, send, judge, print and exit.

    Raises:
        UsageError: The packet can't be sent from this host.
        CannotInspectError: It could not be sent or watched.
    """
    timeout = DEFAULT_TIMEOUT if wish.timeout is None else wish.timeout
    found = trace(case, source, target, proto=wish.proto, port=wish.port, sport=wish.sport or own_port())
    planned = plan_live(case.view, found, timeout)
    if wish.dry_run:
        print(*_shown(planned), sep="\n")
        raise typer.Exit(Exit.OK)
    if not _agreed(planned, yes=wish.yes):
        print("nothing was sent", file=sys.stderr)
        raise typer.Exit(Exit.FINDINGS)
    with ending_on_signals(), progress("watching the packet"):
        seen = carry_out(planned, place_names(case.view, found), state_folder(), timeout=timeout)
    live = judge(case.view, found, seen)
    if wish.output == "json":
        from dnet_tui.tui.reports.trace.live_json import live_data  # noqa: PLC0415  one of two formats
        from dnet_tui.tui.reports.trace.trace_json import trace_data  # noqa: PLC0415  as above

        sys.stdout.write(to_json({**trace_data(found, case.view), "live": live_data(live)}))
    else:
        from dnet_tui.tui.reports.trace.live_text import live_text  # noqa: PLC0415  one of two formats

        sys.stdout.write(live_text(live, found, stdout_paper()))
    good = live.delivered and live.verdict != "refused" and live.agrees is not False
    raise typer.Exit(Exit.OK if good else Exit.FINDINGS)


def _agreed(planned: LivePlan, *, yes: bool) -> bool:
    """Show the plan on stderr, which leaves stdout to the data, and ask."""
    if yes:
        return True
    print(*_shown(planned), sep="\n", file=sys.stderr, flush=True)
    return ask("Send it?", yes=False)


def _shown(planned: LivePlan) -> list[str]:
    """The plan for a person: the table once, where it is put, and the commands that take it out."""
    tables = [item for item in planned.plan.operations if isinstance(item, AddTraceTable)]
    lines = [clean(planned.plan.title, _LIMIT), *(f"  {clean(note, _LIMIT)}" for note in planned.plan.notes)]
    lines.append(f"  in the network of {', '.join(clean(item.label) for item in tables)} this is added with nft:")
    lines += [f"    {line}" for line in tables[0].text.splitlines()]
    return [*lines, "  undo, done at the end:", *(f"    {line}" for line in undo_lines(planned.plan))]
