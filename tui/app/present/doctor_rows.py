"""The doctor's list: findings with causes first, then the checks, then what was not seen.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from dnet_tui.diagnostics.report.finding import CheckResult, Finding, Outcome
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.app.present import explanation
from dnet_tui.tui.app.present.findings import finding_id
from dnet_tui.tui.app.present.findings_of import mark
from dnet_tui.tui.app.present.styled_text import CROSS, TICK, Row, StyledLine, TextRole, TextSpan, line, say
from dnet_tui.tui.reports.doctor.report_order import stories

_OUTCOMES: dict[Outcome, tuple[str, TextRole]] = {
    "crashed": ("#", "bad"),
    "found": (CROSS, "bad"),
    "unknown": ("?", "warn"),
    "ok": (TICK, "good"),
    "not-applicable": ("-", "dim"),
}
"""Sign and role of each outcome, in the order in which the checks are listed."""


def outcome_mark(outcome: Outcome) -> TextSpan:
    """Return the sign of a check's outcome."""
    return say(*_OUTCOMES[outcome])


_FOLDED: dict[Outcome, tuple[str, str]] = {
    "ok": ("checks:ok", "checks are ok"),
    "not-applicable": ("checks:not-applicable", "checks don't apply here"),
}
"""The outcomes whose checks are one row, unless it is opened: its id and its words."""

FOLDS = tuple(ident for ident, _ in _FOLDED.values())
"""The ids of these rows."""


def rows(report: Report, snapshot: Snapshot | None = None, opened: Collection[str] = ()) -> tuple[Row, ...]:
    """Return the whole list; ``snapshot`` gives the namespaces in it their names.

    Of the rows of :data:`FOLDS` those that are ``opened`` have their checks below them.
    """
    return (*_findings(report), *_checks(report, opened), *_gaps(report, View(snapshot) if snapshot else None))


def ordered(report: Report) -> tuple[tuple[Finding, int], ...]:
    """Return the findings with their depth: each root cause (0), then what it brought about (1)."""
    return tuple(
        (finding, depth)
        for story in stories(report)
        for depth, group in enumerate(((story.cause,), story.effects))
        for finding in group
    )


def _findings(report: Report) -> Iterator[Row]:
    if not report.findings:
        yield Row(id="head:findings", cells=(line(say("No findings", "good")),), selectable=False)
        return
    yield Row(id="head:findings", cells=(line(say(f"Findings {len(report.findings)}", "head")),), selectable=False)
    seen: Counter[str] = Counter()
    for finding, depth in ordered(report):
        ident = finding_id(finding)
        seen[ident] += 1
        suffix = f"#{seen[ident]}" if seen[ident] > 1 else ""
        guide = say("└ " if depth else "", "frame")
        yield Row(
            id=ident + suffix,
            cells=(
                line(guide, mark(finding.severity), " ", say(finding.check, "name" if not depth else "plain")),
                line(say(finding.subject.name, "info")),
            ),
            search=f"{finding.summary} {finding.subject.kind} {finding.severity}",
        )


def find(report: Report, row: str) -> Finding | None:
    """Return the finding a row stands for."""
    ident, _, number = row.partition("#")
    alike = [finding for finding, _ in ordered(report) if finding_id(finding) in {row, ident}]
    index = int(number) - 1 if number.isdecimal() else 0
    return alike[index] if index < len(alike) else None


def _checks(report: Report, opened: Collection[str]) -> Iterator[Row]:
    if not report.checks:
        return
    yield Row(id="head:checks", cells=(line(say(f"Checks {len(report.checks)}", "head")),), selectable=False)
    for outcome in _OUTCOMES:
        alike = [check for check in report.checks if check.outcome == outcome]
        if outcome not in _FOLDED or len(alike) < _WORTH_FOLDING:
            yield from (_check(check) for check in alike)
            continue
        ident, words = _FOLDED[outcome]
        sign = "-" if ident in opened else "+"
        cell = line(outcome_mark(outcome), f" {len(alike)} {words} ", say(f"[{sign}]", "key"))
        yield Row(id=ident, cells=(cell,))
        if ident in opened:
            yield from (_check(check, ident) for check in alike)


_WORTH_FOLDING = 2


def _check(check: CheckResult, parent: str = "") -> Row:
    name = say(check.id, "dim" if check.outcome == "not-applicable" else "plain")
    guide = say("  " if parent else "")
    about = explanation.title(check.id) or check.outcome
    return Row(
        id=f"check:{check.id}",
        cells=(line(guide, outcome_mark(check.outcome), " ", name), line(say(about, "dim"))),
        parent=parent,
        search=f"{check.reason} {check.outcome}",
    )


def fold_of(report: Report, row: str) -> str:
    """Return the row that a check's row is folded into; empty when there is none."""
    check = check_of(report, row)
    return _FOLDED[check.outcome][0] if check is not None and check.outcome in _FOLDED else ""


def check_of(report: Report, row: str) -> CheckResult | None:
    """Return the check a row stands for."""
    return next((check for check in report.checks if row == f"check:{check.id}"), None)


def _gaps(report: Report, view: View | None) -> Iterator[Row]:
    if not report.gaps:
        return
    yield Row(id="head:gaps", cells=(line(say(f"Not seen {len(report.gaps)}", "head")),), selectable=False)
    for gap in {(gap.section, gap.scope): gap for gap in report.gaps}.values():
        scope = view.label(gap.scope) if view and gap.scope else gap.scope
        yield Row(
            id=f"gap:{gap.section}:{gap.scope}",
            cells=(line(say("? ", "warn"), gap.section), line(say(scope, "dim"))),
            search=gap.reason,
        )


_VERDICTS: dict[str, tuple[str, TextRole, str]] = {
    "healthy": (TICK, "good", "Healthy"),
    "problems": (CROSS, "bad", "Problems"),
    "incomplete": ("?", "warn", "Incomplete"),
}


def verdict(report: Report) -> StyledLine:
    """Return the verdict in one line."""
    sign, role, word = _VERDICTS[report.summary.verdict]
    undecided = report.summary.checks.get("unknown", 0)
    parts = [
        _many(report.summary.errors, "error"),
        _many(report.summary.warnings, "warning"),
        f"{undecided} of {len(report.checks)} checks undecided" if undecided else _many(len(report.checks), "check"),
        f"{report.summary.checks.get('crashed', 0)} crashed" if report.summary.checks.get("crashed") else "",
        f"{len(report.gaps)} not seen" if report.gaps else "",
    ]
    told = ", ".join(part for part in parts if part)
    if report.summary.verdict == "incomplete":
        told = f"no fault found, but {told}"
    return line(say(f"{sign} {word}", role), f"  {told}")


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'s' if count > 1 else ''}" if count else ""
