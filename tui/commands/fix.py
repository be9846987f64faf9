"""``dnet-tui fix``: repairs what doctor found, one finding at a time, after showing the exact commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui import completion
from dnet_tui.tui.commands.confirmation import ask, require_consent, show
from dnet_tui.tui.commands.snapshot_source import SnapshotFile, snapshot_from
from dnet_tui.tui.exit_codes import Exit

if TYPE_CHECKING:
    from dnet_tui.actions.repair.session import Repair, Result
    from dnet_tui.diagnostics.report.finding import Finding
    from dnet_tui.diagnostics.report.report import Report
    from dnet_tui.inspect.model import Snapshot

_LIMIT = 4096  # characters of one line: commands are shown whole


def fix(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID...", autocompletion=completion.checks, help="The checks whose findings to repair."),
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what follows from other findings, and mere information.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask. What only a person should do is still left.")] = False,
    override_owner: Annotated[
        bool,
        typer.Option("--override-owner", help="With ID: also change what a manager or the administrator decided."),
    ] = False,
    snapshot: SnapshotFile = None,
) -> None:
    """Repair what doctor found, after showing the exact commands and asking.

    Without ID: every error and warning that no other finding causes. Each
    repair is written to the journal before it is made, and the host is looked
    at again after it: `dnet-tui undo` takes it back. What another owner decided, a firewall
    manager or the administrator, is left as it is: the commands are only shown. With
    --override-owner each such step is asked for by itself.
    """
    from dnet_tui.actions.repair.host_io import HostRepairIO, repair_session  # noqa: PLC0415  as above
    from dnet_tui.actions.repair.session import GOOD, choose_repairs  # noqa: PLC0415  only this command needs them

    class Terminal(HostRepairIO):
        """Asks and tells a person, or goes ahead unasked."""

        def take(self) -> Snapshot:
            return snapshot_from(None)

        def confirm(self, repair: Repair) -> bool:
            _show_plans((repair,))
            return ask("Apply this?", yes=yes)

        def confirm_again(self, repair: Repair) -> bool:
            show(["the host has changed since: the plan was made anew"])
            return self.confirm(repair)

        def keep(self, finding: Finding, why: str) -> bool:
            del finding
            return _keeps(why, yes=yes)

        def report(self, result: Result) -> None:
            _show_result(result)

    if snapshot is not None and not dry_run:
        msg = "a saved snapshot can't be repaired"
        raise UsageError(msg, "add --dry-run to see what would be done on its host")
    if override_owner and not ids:
        msg = "--override-owner changes somebody's decision, so it has to be said which"
        raise UsageError(msg, "name the check: dnet-tui fix ID --override-owner")
    require_consent(yes=yes, dry_run=dry_run)
    session = repair_session(Terminal(), override_owner=override_owner)
    report = session.look(snapshot_from(snapshot))
    known = [result.id for result in report.checks]
    repairs = choose_repairs(report.findings, ids or (), everything=everything, known=known)
    if not repairs:
        raise typer.Exit(_nothing(report, ids or ()))
    if dry_run:
        _show_plans(repairs)
        return
    results = session.run(repairs, uncovered=not ids)
    _show_rest(session.findings)
    raise typer.Exit(Exit.OK if all(result.status in GOOD for result in results) else Exit.FINDINGS)


def _keeps(why: str, *, yes: bool) -> bool:
    """Whether what did not help is kept; unasked it isn't."""
    if yes:
        return False
    show([clean(line, _LIMIT) for line in why.splitlines()])
    return ask("It did not help. Keep it all the same?", yes=False)


def _show_plans(repairs: tuple[Repair, ...]) -> None:
    from dnet_tui.actions.plans.plan import render  # noqa: PLC0415  as above
    from dnet_tui.actions.repair.without_plan import unplanned  # noqa: PLC0415  as above

    for repair in repairs:
        finding = repair.finding
        show([clean(f"{finding.severity}: {finding.summary}", _LIMIT)])
        if repair.plan is None:
            show([*(f"  {clean(line, _LIMIT)}" for line in unplanned(finding)[1]), ""])
            continue
        by_person = ("  to be done by a person",) if repair.plan.risk == "manual" else ()
        if repair.plan.overrides is not None and repair.plan.risk != "manual":
            by_person = (f"  only with: dnet-tui fix {finding.check} --override-owner",)
        show([*(f"  {line}" for line in (*render(repair.plan), *by_person)), ""])


def _show_result(result: Result) -> None:
    lines = [clean(line, _LIMIT) for line in result.text.splitlines()]
    show([f"{result.status}: {lines[0]}", *(f"  {line}" for line in lines[1:])])
    if result.hint:
        show([f"  → {clean(result.hint, _LIMIT)}"])


def _show_rest(findings: Iterable[Finding]) -> None:
    left = list(dict.fromkeys(finding.check for finding in findings if finding.severity != "info"))
    if left:
        show([f"left: {', '.join(left)} (see `dnet-tui doctor`)"])


def _nothing(report: Report, ids: Iterable[str]) -> Exit:
    if report.summary.verdict == "incomplete":
        show(["nothing to repair was found, but not all of this host could be seen: see `dnet-tui doctor`"])
        return Exit.CANNOT_INSPECT
    from dnet_tui.actions.repair.without_plan import owners_decisions  # noqa: PLC0415  as above

    named = f" of {', '.join(ids)}" if ids else ""
    decided = list(owners_decisions(report.findings))
    show([f"there is nothing to repair{named}", *(clean(line, _LIMIT) for line in decided)])
    return Exit.OK
