"""``dnet-tui doctor``: examines a snapshot, prints the report, ends with its exit code."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from msgspec.structs import replace

from dnet_tui.diagnostics.report.report import OwnChange, Report
from dnet_tui.inspect.errors import ActionFailedError, UsageError
from dnet_tui.inspect.model import Snapshot, known_items
from dnet_tui.inspect.model.view import View
from dnet_tui.tui import completion
from dnet_tui.tui.commands.check_name import require
from dnet_tui.tui.commands.snapshot_source import SnapshotFile, progress, snapshot_from
from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.reports.terminal import stdout_paper

if TYPE_CHECKING:
    from dnet_tui.actions.probes.send_probes import Probing
    from dnet_tui.diagnostics.guided.meant_flow import MeantFlow

ReportFormat = Literal["text", "json", "markdown", "prometheus"]
Threshold = Literal["error", "warning"]
OnlyChecks = Annotated[
    list[str] | None,
    typer.Option(
        "--check", metavar="ID", autocompletion=completion.checks, help="Run only this check. May be repeated."
    ),
]
SkippedChecks = Annotated[
    list[str] | None,
    typer.Option(
        "--skip", metavar="ID", autocompletion=completion.checks, help="Leave this check out. May be repeated."
    ),
]
Focus = Annotated[
    str,
    typer.Option(
        "--focus",
        metavar="NAME",
        autocompletion=completion.subjects,
        help="Only what concerns this container, network or bridge.",
    ),
]


def doctor(
    *,
    output: Annotated[ReportFormat, typer.Option("--format", help="How to print the report.")] = "text",
    check: OnlyChecks = None,
    skip: SkippedChecks = None,
    focus: Focus = "",
    fail_on: Annotated[
        Threshold, typer.Option("--fail-on", help="The mildest finding that makes the exit code 1.")
    ] = "warning",
    probe: Annotated[
        bool, typer.Option("--probe", help="Also send a few packets between containers, host and its gateway.")
    ] = False,
    flow: Annotated[
        list[str] | None,
        typer.Option("--flow", metavar='"FROM -> TO[:PORT]"', help="A flow that must pass. May be repeated."),
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option("--since", metavar="FILE", help="An earlier snapshot of this host: also judge what grew since."),
    ] = None,
    policy: Annotated[
        bool,
        typer.Option("--policy", help="Also list every rule that drops or redirects what containers send or get."),
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Write the report to a file, as a whole or not at all."),
    ] = None,
    snapshot: SnapshotFile = None,
) -> None:
    """Say what is wrong with this host's container networks, why, and how to put it right.

    Nothing is changed. With --probe, real packets confirm what is found, and what is found
    healthy: at most 40, from inside the containers' networks, to containers of this host, the
    host and its default gateway, nowhere else. With --flow, what you mean to pass is walked
    as well, and is an error with its cause and remedy where it does not (dnet-tui why shows
    its steps). Exit code: 0 healthy, 1 findings, 3 when something could not be
    decided and nothing worse was found.
    """
    from dnet_tui.diagnostics.checks.catalogue import CATALOGUE  # noqa: PLC0415  the checks, only to run them
    from dnet_tui.diagnostics.checks.run_checks import run_checks  # noqa: PLC0415  as above
    from dnet_tui.tui.settings.host_settings import HostSettings, settings  # noqa: PLC0415  as above
    from dnet_tui.tui.settings.settled import left_out, meant_flows, require_known  # noqa: PLC0415  as above

    known = settings() if snapshot is None else HostSettings()  # nothing was settled here of another host
    skipped = left_out(skip or (), check or (), known)
    only, without = tuple(check or ()), tuple(item.id for item in skipped)
    ids = [item.id for item in CATALOGUE]
    require("check", (*only, *(skip or ())), ids, "dnet-tui checks")
    require_known(known, ids)
    if only and not set(only) - set(without):
        raise UsageError("nothing is left to check: --skip leaves out all that --check names", "leave one of them out")
    from dnet_tui.diagnostics.report.second_look import SETTLING, settled  # noqa: PLC0415  as above

    meant = meant_flows(flow or (), known)
    _require_probe(snapshot, [item.id for item in CATALOGUE if item.probing and item.id in only], probe=probe)
    _require_since(since, [item.id for item in CATALOGUE if item.comparing and item.id in only])
    before = snapshot_from(since) if since is not None else None
    looks = [snapshot_from(snapshot)]
    if focus:
        require("container, network or bridge", (focus,), focusable(looks[0]), "dnet-tui ls")
    probes = None
    if probe:
        probing = _probed(looks[0], focus)
        looks, probes = [probing.snapshot], probing.probes

    def examine() -> Report:
        taken = looks[-1] if len(looks) == 1 else snapshot_from(None)
        looks.append(taken)
        return run_checks(taken, only=only, skip=without, focus=focus, probes=probes, before=before, policy=policy)

    report = settled(examine, lambda: time.sleep(SETTLING)) if snapshot is None else examine()
    report = replace(_with_meant(looks[-1], report, meant), skipped=skipped)
    if snapshot is None:
        report = replace(report, own_changes=_own_changes())
    _write(render(report, output, View(looks[-1])), to)
    raise typer.Exit(exit_for(report, fail_on))


def _own_changes() -> tuple[OwnChange, ...]:
    """What the journal of this host knows of; none where it can't be read, which every change says by itself."""
    from dnet_tui.actions.execution.sweep import left_tables  # noqa: PLC0415  only a report of this host needs them
    from dnet_tui.actions.journal.journal import here, read, state_folder  # noqa: PLC0415  as above
    from dnet_tui.actions.persist.lost_at_reboot import lost_at_reboot  # noqa: PLC0415  as above

    folder = state_folder()
    if not (folder / "journal.jsonl").exists():
        return ()
    try:
        entries, _ = read(folder)
    except ActionFailedError:
        return ()
    place = here()
    left = [OwnChange(entry=item.id, title=item.title, state="left-behind") for item in left_tables(entries, place)]
    lost = lost_at_reboot(entries, place)
    return (*left, *(OwnChange(entry=item.id, title=item.title, state="lost-at-reboot") for item in lost))


def _with_meant(seen: Snapshot, report: Report, meant: list[MeantFlow]) -> Report:
    from dnet_tui.diagnostics.context.host_context import HostContext  # noqa: PLC0415  only where there are any
    from dnet_tui.diagnostics.guided.meant_flow import with_flows  # noqa: PLC0415  as above

    return with_flows(HostContext(seen), report, meant) if meant else report


def _probed(seen: Snapshot, focus: str) -> Probing:
    from dnet_tui.actions.probes.send_probes import probe_host  # noqa: PLC0415  the only part that sends anything

    with progress("sending probes"):
        return probe_host(seen, lambda: snapshot_from(None), focus=focus)


def _write(text: str, to: Path | None) -> None:
    """Print a report, or write it to a file."""
    if to is None:
        sys.stdout.write(text)
    else:
        from dnet_tui.tui.reports.output_file import replace_file  # noqa: PLC0415  only where it is asked for

        replace_file(to, text)


def _require_probe(snapshot: Path | None, probing: list[str], *, probe: bool) -> None:
    """Refuse to probe by a file, and to run a check that judges probes without any."""
    if probe and snapshot is not None:
        raise UsageError("--probe sends packets on this host, so it can't be used with --snapshot", "leave one out")
    if probing and not probe:
        raise UsageError(f"{probing[0]} judges real packets", "add --probe")


def _require_since(since: Path | None, comparing: list[str]) -> None:
    """Refuse to run a check that compares two snapshots with only one."""
    if comparing and since is None:
        hint = "add --since FILE, a snapshot taken some time ago (dnet-tui snapshot save FILE)"
        raise UsageError(f"{comparing[0]} judges how counters grew since an earlier snapshot", hint)


def render(report: Report, output: ReportFormat, view: View) -> str:
    """The report in one of its formats; ``view`` names the namespaces for people."""
    match output:
        case "json":
            from dnet_tui.tui.reports.doctor.report_json import doctor_data  # noqa: PLC0415  one of four formats
            from dnet_tui.tui.reports.json_text import to_json  # noqa: PLC0415  as above

            return to_json(doctor_data(report))
        case "markdown":
            from dnet_tui.tui.reports.doctor.report_markdown import doctor_markdown  # noqa: PLC0415  as above

            return doctor_markdown(report, view.label)
        case "prometheus":
            from dnet_tui.tui.reports.doctor.report_prometheus import doctor_prometheus  # noqa: PLC0415  as above

            return doctor_prometheus(report)
        case "text":
            from dnet_tui.tui.reports.doctor.report_text import doctor_text  # noqa: PLC0415  as above

            return doctor_text(report, stdout_paper(), view.label)


def exit_for(report: Report, fail_on: Threshold) -> Exit:
    """1 with a finding at or above the threshold, 3 when a check could not decide, otherwise 0."""
    severities = {"error"} if fail_on == "error" else {"error", "warning"}
    if any(finding.severity in severities for finding in report.findings):
        return Exit.FINDINGS
    if any(check.outcome in {"unknown", "crashed"} for check in report.checks):
        return Exit.CANNOT_INSPECT
    return Exit.OK


def focusable(snapshot: Snapshot) -> set[str]:
    """The names that ``--focus`` takes."""
    view = View(snapshot)
    names = {container.name for container in known_items(snapshot.containers)}
    return (
        names
        | {network.name for network in known_items(snapshot.networks)}
        | {bridge.name for bridge in view.bridges()}
    )
