"""What a person reads before saying yes to a change, and after.  Pure."""

from __future__ import annotations

from dnet_tui.actions.plans.plan import command_lines, plan_for, undo_lines
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.tui.app.model.forms import PlannedChange
from dnet_tui.tui.app.model.services import LastChange
from dnet_tui.tui.app.model.state import ErrorInfo
from dnet_tui.tui.app.present import findings
from dnet_tui.tui.app.present.styled_text import BLANK, CROSS, Paragraph, fact, heading, line, say


def applicable(finding: Finding) -> bool:
    """Whether dnet-tui may apply the finding's remedy when the user says yes."""
    return (
        finding.remedy is not None
        and bool(finding.remedy.steps)
        and finding.remedy.risk != "manual"
        and finding.remedy.overrides is None
    )


def fix(finding: Finding) -> tuple[Paragraph, ...]:
    """Return the exact commands of a finding's plan, its undo and its risk."""
    plan = plan_for(finding)
    if plan is None or finding.remedy is None:
        return (Paragraph(line("dnet-tui knows no remedy for this finding.")),)
    told: list[Paragraph] = [
        Paragraph(line(say(finding.summary, "name"))),
        Paragraph(line(finding.remedy.summary)),
        BLANK,
    ]
    told += _both_ways(command_lines(plan), undo_lines(plan))
    told += [BLANK, fact("risk", findings.RISKS[plan.risk])]
    told += _lasting(plan.notes, persists=plan.persists)
    return tuple(told)


def planned(change: PlannedChange) -> tuple[Paragraph, ...]:
    """Return the exact commands of what a form comes to, and its undo."""
    return (*_both_ways(change.commands, change.undo), BLANK, *_lasting(change.notes, persists=change.persists))


def _both_ways(commands: tuple[str, ...], back: tuple[str, ...]) -> list[Paragraph]:
    none = [Paragraph(line(say("none: it can't be taken back", "warn")))]
    return [heading("Will run"), *_commands(commands), BLANK, heading("Undo"), *(_commands(back) or none)]


def _lasting(notes: tuple[str, ...], *, persists: bool) -> list[Paragraph]:
    lasts = fact("persists", "yes" if persists else "no: lost at a reboot or a restart of the engine")
    return [lasts, *(fact("note", note) for note in notes)]


def _commands(lines: tuple[str, ...]) -> list[Paragraph]:
    return [Paragraph(line(say("$ ", "dim"), say(text, "info")), hang=4) for text in lines]


def undo(change: LastChange) -> tuple[Paragraph, ...]:
    """Return what an undo takes back, and by which commands."""
    told = [Paragraph(line(say(change.title, "name"))), fact("journal", f"entry {change.entry}"), BLANK]
    return (*told, heading("Will run"), *_commands(change.commands))


def done(lines: tuple[str, ...]) -> tuple[Paragraph, ...]:
    """Return what was done, one paragraph per line."""
    return tuple(Paragraph(line(text), hang=2) for text in lines) or (Paragraph(line("Done.")),)


def failed(trouble: ErrorInfo) -> tuple[Paragraph, ...]:
    """Return why a change failed and what to do."""
    told = [Paragraph(line(say(f"{CROSS} ", "bad"), say(trouble.message, "bad")), hang=2)]
    if trouble.hint:
        told += [BLANK, Paragraph(line(trouble.hint))]
    return tuple(told)
