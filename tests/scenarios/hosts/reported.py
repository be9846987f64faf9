"""What the doctor reports of a whole host, as the tests of many hosts ask for it."""

from __future__ import annotations

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Snapshot


def serious(snapshot: Snapshot) -> list[Finding]:
    """The errors and warnings of a host."""
    return serious_of(run_checks(snapshot))


def serious_of(report: Report) -> list[Finding]:
    """The errors and warnings of a report, in its order."""
    return [finding for finding in report.findings if finding.severity != "info"]


def is_all_that_is_wrong(snapshot: Snapshot, check: str, severity: str) -> None:
    """Demand that one cause is reported, first, with evidence and a remedy, and that no check failed."""
    report = run_checks(snapshot)
    roots = [(item.check, item.severity) for item in serious_of(report) if not item.caused_by]
    assert roots == [(check, severity)]
    first = report.findings[0]
    assert (first.check, bool(first.evidence), first.remedy is not None) == (check, True, True)
    assert "crashed" not in {result.outcome for result in report.checks}
