"""The order in which a report tells its findings: causes, and folded beneath them what they cause.  Pure."""

from __future__ import annotations

from typing import NamedTuple

from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.report import Report


class CausalGroup(NamedTuple):
    """A finding that nothing else explains, and the findings it brought about."""

    cause: Finding
    effects: tuple[Finding, ...]


def stories(report: Report) -> list[CausalGroup]:
    """Group findings under their causes, keeping the report's order.

    A finding is an effect when the check it names as its cause has a finding
    of its own here; all effects of a check stand beneath its first finding.
    Checks that name each other are all told as causes: nothing is lost.
    """
    first: dict[str, Finding] = {}
    for finding in report.findings:
        if _cause(report, finding) is None:
            first.setdefault(finding.check, finding)
    effects: dict[int, list[Finding]] = {}
    causes: list[Finding] = []
    for finding in report.findings:
        root = _root(report, finding, first)
        if root is None:
            causes.append(finding)
        else:
            effects.setdefault(id(root), []).append(finding)
    return [CausalGroup(cause, tuple(effects.get(id(cause), ()))) for cause in causes]


def _cause(report: Report, finding: Finding) -> str | None:
    """The check that caused a finding, if it has a finding in this report."""
    found = any(other.check == finding.caused_by for other in report.findings)
    return finding.caused_by if found and finding.caused_by != finding.check else None


def _root(report: Report, finding: Finding, first: dict[str, Finding]) -> Finding | None:
    """The cause at the end of the chain; None when the finding is its own, or the chain runs in a circle."""
    check = _cause(report, finding)
    seen = {finding.check}
    while check is not None and check not in seen:
        if check in first:
            return first[check]
        seen.add(check)
        check = next(
            (cause for other in report.findings if other.check == check and (cause := _cause(report, other))), None
        )
    return None
