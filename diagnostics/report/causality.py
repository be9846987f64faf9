"""Causes before consequences.  Pure.

A finding is a consequence of another when a check says so (``explains``), or
when the walk proves it: with the other's remedy simulated, it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.operations.simulate import after
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import Snapshot

LOUDEST = "model-contradicted"
"""The check whose findings come before all others."""

SEVERITIES = {"error": 0, "warning": 1, "info": 2}
_MILDEST = max(SEVERITIES.values())

HIDDEN = ("packet walk", "hidden by")
"""The evidence that marks what another fault hides: its source, and what it is."""

STOPPED = "stopped here"
"""The evidence that lists flows: it is none of what decides."""

_NAMES = ("names",)

_MOST = 6
"""How many remedies are simulated at the most: each costs an examination."""

_SIMULATED = (SetSysctl, InsertRule, DeleteRule)
"""What proves a cause: changes of what decides, not of what would have to be there for packets to come so far."""

ExamineAgain = Callable[[Snapshot], Sequence[Finding]]


def with_causes(
    findings: Sequence[Finding], explains: Callable[[str], Iterable[str]], snapshot: Snapshot, examine: ExamineAgain
) -> list[Finding]:
    """Fill in ``caused_by`` and order: root causes first, the worst and the broadest of them first.

    ``findings`` come in the catalogue's order, which breaks ties.  ``examine``
    returns the findings of another snapshot, without their causes.
    """
    causes: dict[int, str] = {}
    for index, finding in enumerate(findings):
        told = set(explains(finding.check))
        # A simulation costs an examination, and a mere decision is no fault whose remedy proves anything.
        tried = finding.severity != "info" and 1 < len(findings) <= _MOST
        proved = _cured_by(finding, findings, snapshot, examine) if tried else set()
        for other, candidate in enumerate(findings):
            if other == index or other in causes or candidate.check == finding.check:
                continue
            follows = candidate.check in told or other in proved or _is_of_names(finding, candidate)
            if follows and causes.get(index) != candidate.check:
                causes[other] = finding.check
    marked = [
        msgspec.structs.replace(finding, caused_by=causes[index]) if index in causes else finding
        for index, finding in enumerate(findings)
    ]
    return ordered(marked)


def _is_of_names(cause: Finding, finding: Finding) -> bool:
    """Whether a finding says of names alone what another says of packets: the same element decides."""
    if finding.symptoms != _NAMES or cause.symptoms == _NAMES:
        return False
    decides = {(item.source, item.what, item.value) for item in cause.evidence if item.what != STOPPED}
    return any((item.source, item.what, item.value) in decides for item in finding.evidence)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings: root causes first, the worst and the broadest of them first; what they hide comes after them.

    A cause is as grave as the gravest of what it brings about.
    """
    every = list(findings)
    brought: dict[str, int] = {}
    for finding in every:
        if finding.caused_by is not None:
            brought[finding.caused_by] = min(brought.get(finding.caused_by, _MILDEST), SEVERITIES[finding.severity])
    return sorted(every, key=lambda finding: _rank(finding, brought.get(finding.check, _MILDEST)))


def _rank(finding: Finding, brought: int) -> tuple[bool, bool, bool, int, int]:
    # Where packets contradict the model, nothing else that it says is certain.
    return (
        finding.check != LOUDEST,
        finding.caused_by is not None,
        is_hidden(finding),
        min(SEVERITIES[finding.severity], brought),
        -len(finding.symptoms),
    )


def is_hidden(finding: Finding) -> bool:
    """Whether a finding is only seen with another's remedy simulated."""
    return any((item.source, item.what) == HIDDEN for item in finding.evidence)


def _cured_by(finding: Finding, findings: Sequence[Finding], snapshot: Snapshot, examine: ExamineAgain) -> set[int]:
    """The other findings that vanish with this one's remedy."""
    remedy = finding.remedy
    if remedy is None or not remedy.steps or not all(isinstance(step, _SIMULATED) for step in remedy.steps):
        return set()
    try:
        left = {_identity(item) for item in examine(after(snapshot, remedy.steps))}
    except DnetError:
        return set()
    if _identity(finding) in left:
        return set()
    return {index for index, item in enumerate(findings) if _identity(item) not in left}


def _identity(finding: Finding) -> tuple[object, ...]:
    """What makes it the same finding after a repair; a rule is known by its text, since its number may have changed."""
    if finding.subject.kind == "rule" and finding.evidence:
        return finding.check, finding.evidence[0].value
    return finding.check, finding.subject
