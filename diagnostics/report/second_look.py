"""Two looks at one host: what only one of them shows was on its way from one state to the other.  Pure.

Engine and kernel are read at different instants.  A container that just came
or went is known to one and not to the other, and looks broken for a moment.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dnet_tui.diagnostics.report.finding import CheckResult, Finding
from dnet_tui.diagnostics.report.report import Report, summarise

MOST = 2
"""How often a host is looked at again at the most."""

SETTLING = 1.1
"""Seconds after which a link's state has settled: the kernel looks at most once a second (net/core/link_watch.c).

A container's port is "disabled" for as long after the container was started.
"""

_OF_LINKS = frozenset({"link", "bridge", "container"})

_PASSING = "while it was being read"
"""What gaps say of something that went away meanwhile."""

Key = tuple[str, str, str]


def settled(look: Callable[[], Report], pause: Callable[[], None] = lambda: None) -> Report:
    """A report of which every error and warning was seen twice; a host without any is looked at once.

    ``pause`` waits for SETTLING seconds; it is called where a link's state is
    in question.
    """
    report = look()
    for _ in range(MOST):
        if not _doubtful(report):
            return report
        if any(item.severity != "info" and item.subject.kind in _OF_LINKS for item in report.findings):
            pause()
        again = look()
        if _serious(again) <= _serious(report):
            return agreeing(report, again)
        before, report = report, again
    return agreeing(before, report)


def agreeing(first: Report, second: Report) -> Report:
    """The second report without what the first does not have; what only one could not decide, the other did."""
    known = {_key(item) for item in first.findings}
    kept = tuple(item for item in second.findings if item.severity == "info" or _key(item) in known)
    found = {item.check for item in kept}
    earlier = {result.id: result for result in first.checks}
    checks = tuple(_result(result, earlier.get(result.id), found) for result in second.checks)
    return msgspec.structs.replace(second, findings=kept, checks=checks, summary=summarise(checks, kept))


def _result(result: CheckResult, earlier: CheckResult | None, found: set[str]) -> CheckResult:
    if result.outcome == "found" and result.id not in found:
        return CheckResult(id=result.id, outcome="ok")
    if result.outcome == "unknown" and earlier is not None and earlier.outcome == "ok":
        return earlier
    return result


def _doubtful(report: Report) -> bool:
    return bool(_serious(report)) or any(_PASSING in result.reason for result in report.checks)


def _serious(report: Report) -> set[Key]:
    return {_key(item) for item in report.findings if item.severity != "info"}


def _key(finding: Finding) -> Key:
    return finding.check, finding.subject.kind, finding.subject.name
