"""The doctor: all checks over one snapshot, into one report.  Pure."""

from __future__ import annotations

from collections.abc import Collection

from dnet_tui.diagnostics.checks.base import Check, Undecided
from dnet_tui.diagnostics.checks.catalogue import CATALOGUE
from dnet_tui.diagnostics.examination import Examination
from dnet_tui.diagnostics.finding import CheckResult, Finding
from dnet_tui.diagnostics.report import REPORT_FORMAT, Report, summarise
from dnet_tui.inspect.model import Snapshot

_SEVERITIES = {"error": 0, "warning": 1, "info": 2}


def examine(
    snapshot: Snapshot,
    *,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    focus: str = "",
    catalogue: tuple[Check, ...] = CATALOGUE,
) -> Report:
    """Run the checks (``only`` those, without ``skip``) and report.

    ``focus`` keeps the findings whose subject, evidence or summary speaks of
    that container or network; the checks' outcomes stay those of the host.
    """
    exam = Examination(snapshot)
    results: list[CheckResult] = []
    findings: list[Finding] = []
    for check in catalogue:
        if (only and check.id not in only) or check.id in skip:
            continue
        result, found = _run(check, exam)
        results.append(result)
        findings += found
    if focus:
        findings = [finding for finding in findings if _speaks_of(finding, focus)]
    findings.sort(key=lambda finding: (finding.caused_by is not None, _SEVERITIES[finding.severity]))
    return Report(
        format=REPORT_FORMAT,
        tool_version=snapshot.tool_version,
        taken_at=snapshot.taken_at,
        host=snapshot.host,
        engines=snapshot.engines,
        summary=summarise(results, findings),
        checks=tuple(results),
        findings=tuple(findings),
        gaps=snapshot.gaps,
    )


def _run(check: Check, exam: Examination) -> tuple[CheckResult, list[Finding]]:
    """One check, contained: whatever goes wrong in it concerns it alone."""
    missing = _missing(check, exam)
    if not exam.case.networks and not missing:
        return CheckResult(id=check.id, outcome="not-applicable", reason="no container bridge network here"), []
    try:
        said = list(check.find(exam))
    except Exception as error:  # noqa: BLE001 - a check that crashes is a result, the others go on
        return CheckResult(id=check.id, outcome="crashed", reason=f"{type(error).__name__}: {error}"), []
    found = [item for item in said if isinstance(item, Finding)]
    unsure = [item.reason for item in said if isinstance(item, Undecided)]
    if found:
        return CheckResult(id=check.id, outcome="found", reason=""), found
    if missing or unsure:
        return CheckResult(id=check.id, outcome="unknown", reason=(unsure or missing)[0]), []
    return CheckResult(id=check.id, outcome="ok"), []


def _missing(check: Check, exam: Examination) -> list[str]:
    """The gaps that cover what a check needs: sections of the host's namespace, and the engines' intentions."""
    view = exam.case.view
    scope = view.host.id if view.host is not None else ""
    if view.host is None:
        return ["the host's own namespace is not in the snapshot"]
    reasons = [f"{section}: {gap.reason}" for section in check.needs for gap in view.gaps(section, scope)]
    intentions = [
        f"{gap.scope or gap.section}: {gap.reason}"
        for gap in exam.case.snapshot.gaps
        if gap.section in {"engine", "networks"} or (gap.section in {"containers", "namespaces"} and not gap.scope)
    ]
    return reasons + intentions


def _speaks_of(finding: Finding, name: str) -> bool:
    texts = [finding.subject.name, finding.summary, *(f"{item.what} {item.value}" for item in finding.evidence)]
    return any(name in text.replace(",", " ").replace("(", " ").split() for text in texts)
