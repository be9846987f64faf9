"""What is known of the finding, the check or the gap that is selected.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.report.finding import CheckResult, Finding, Outcome
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present import explanation, findings
from dnet_tui.tui.app.present.doctor_rows import FOLDS, check_of, find, outcome_mark
from dnet_tui.tui.app.present.findings_of import mark
from dnet_tui.tui.app.present.styled_text import BLANK, Paragraph, bullet, fact, heading, line, say

_MEANINGS: dict[Outcome, str] = {
    "ok": "It looked, and all is well.",
    "found": "It found something.",
    "unknown": "It could not decide.",
    "not-applicable": "This host has nothing for it to look at.",
    "crashed": "It failed itself: that is a fault of dnet-tui, not of this host.",
}


def detail(snapshot: Snapshot | None, report: Report, row: str) -> tuple[Paragraph, ...]:
    """Return the paragraphs for a row of the doctor's list."""
    finding = find(report, row)
    if finding is not None:
        return (*findings.in_full(finding), *_effects(report, finding))
    check = check_of(report, row)
    if check is not None:
        return tuple(_check(report, check))
    if row in FOLDS:
        return (Paragraph(line("Enter opens it, and folds it again.")),)
    if row.startswith("gap:"):
        return tuple(_gap(snapshot, report, row))
    return ()


def _effects(report: Report, finding: Finding) -> Iterator[Paragraph]:
    effects = [item for item in report.findings if item.caused_by == finding.check and item != finding]
    if effects:
        yield BLANK
        yield heading("Brings about")
        for item in effects:
            yield bullet(item.summary, say(f" ({item.check})", "dim"), mark=mark(item.severity))


def _check(report: Report, check: CheckResult) -> Iterator[Paragraph]:
    yield Paragraph(line(outcome_mark(check.outcome), " ", say(check.outcome, "name"), say(f"  {check.id}", "dim")))
    yield Paragraph(line(_MEANINGS[check.outcome]))
    if check.reason:
        yield fact("reason", check.reason)
    yield from findings.briefly(item for item in report.findings if item.check == check.id)
    yield from explanation.of(check.id)


def _gap(snapshot: Snapshot | None, report: Report, row: str) -> Iterator[Paragraph]:
    for gap in report.gaps:
        if row != f"gap:{gap.section}:{gap.scope}":
            continue
        yield Paragraph(line(say("? not seen", "warn"), say(f"  {gap.section}", "head")))
        if gap.scope:
            yield fact("of", View(snapshot).label(gap.scope) if snapshot else gap.scope)
        yield fact("reason", gap.reason)
        if gap.hint:
            yield fact("hint", say(gap.hint, "info"))
        yield BLANK
        yield Paragraph(line("Checks that need it answer unknown instead of ok."))
