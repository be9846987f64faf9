"""What a person reads before saying yes to a change, and after.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.finding import Finding
from dnet_tui.tui.app.present import findings
from dnet_tui.tui.app.present.lines import BLANK, Para, fact, heading, line, say


def applicable(finding: Finding) -> bool:
    """Whether dnet-tui may apply the finding's remedy when the user says yes."""
    return finding.remedy is not None and bool(finding.remedy.steps) and finding.remedy.risk != "manual"


def fix(finding: Finding) -> tuple[Para, ...]:
    """Return the exact commands of a remedy, its undo and its risk."""
    remedy = finding.remedy
    if remedy is None:
        return (Para(line("dnet-tui knows no remedy for this finding.")),)
    told: list[Para] = [Para(line(say(finding.summary, "name"))), Para(line(remedy.summary)), BLANK]
    if remedy.steps:
        told += [heading("Will run" if applicable(finding) else "Commands"), *findings.commands(remedy.steps)]
        told += [BLANK, heading("Undo")]
        told += findings.commands(remedy.undo) if remedy.undo else [Para(line("the state before, from the journal"))]
        told.append(BLANK)
    told.append(fact("risk", findings.RISKS[remedy.risk]))
    told.append(fact("persists", "yes" if remedy.persists else "no: lost at a reboot or a restart of the engine"))
    if remedy.note:
        told.append(fact("note", remedy.note))
    return tuple(told)


def undo() -> tuple[Para, ...]:
    """Return what undo means."""
    return (
        Para(line("Take back the last change that dnet-tui made on this host, as its journal recorded it.")),
        BLANK,
        Para(line(say("dnet-tui journal", "info"), " lists the changes.")),
    )


def done(lines: tuple[str, ...]) -> tuple[Para, ...]:
    """Return what was done, one paragraph per line."""
    return tuple(Para(line(text), hang=2) for text in lines) or (Para(line("Done.")),)
