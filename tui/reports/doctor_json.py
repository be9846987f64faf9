"""``doctor --format json``: the published contract, every key always present.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dnet_tui.diagnostics.finding import Finding
from dnet_tui.diagnostics.remedy import AnyOperation, Remedy, argv
from dnet_tui.diagnostics.report import Report

Json = dict[str, object]


def doctor_data(report: Report) -> Json:
    """The report as JSON-ready data in the contract's shape (``format`` 1)."""
    return {
        "format": report.format,
        "tool_version": report.tool_version,
        "taken_at": report.taken_at,
        "host": {"hostname": report.host.hostname, "kernel": report.host.kernel},
        "engines": [
            {"name": engine.name, "version": engine.version, "firewall": engine.firewall} for engine in report.engines
        ],
        "summary": {
            "verdict": report.summary.verdict,
            "errors": report.summary.errors,
            "warnings": report.summary.warnings,
            "checks": dict(report.summary.checks),
        },
        "checks": [{"id": check.id, "outcome": check.outcome, "reason": check.reason} for check in report.checks],
        "findings": [_finding(finding) for finding in report.findings],
        "gaps": [
            {"section": gap.section, "scope": gap.scope, "reason": gap.reason, "hint": gap.hint} for gap in report.gaps
        ],
    }


def _finding(finding: Finding) -> Json:
    return {
        "check": finding.check,
        "severity": finding.severity,
        "subject": {"kind": finding.subject.kind, "name": finding.subject.name},
        "summary": finding.summary,
        "symptoms": list(finding.symptoms),
        "evidence": [
            {"source": item.source, "what": item.what, "value": item.value, "expected": item.expected}
            for item in finding.evidence
        ],
        "remedy": _remedy(finding.remedy) if finding.remedy is not None else None,
        "caused_by": finding.caused_by,
    }


def _remedy(remedy: Remedy) -> Json:
    return {
        "summary": remedy.summary,
        "risk": remedy.risk,
        "persists": remedy.persists,
        "steps": _argvs(remedy.steps),
        "undo": _argvs(remedy.undo),
    }


def _argvs(operations: Iterable[AnyOperation]) -> list[list[str]]:
    return [list(argv(operation)) for operation in operations]
