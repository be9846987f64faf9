"""Findings that a repair can't make: whose decision each is, what it is about, and the owner's own command.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from dnet_tui.actions.plans.plan import command_lines, plan_for
from dnet_tui.diagnostics.report.decisions import is_anothers
from dnet_tui.diagnostics.report.finding import Finding

Unplanned = Literal["owners", "manual", "no-remedy"]

_SHOWN = 3
"""What of the evidence is named."""


def unplanned(finding: Finding) -> tuple[Unplanned, tuple[str, ...]]:
    """How a finding without a plan is left, and why, in lines that name the objects."""
    remedy = finding.remedy
    about = tuple(_about(finding))
    if finding.owner is not None and is_anothers(finding.owner) and (remedy is None or _is_decision(remedy.summary)):
        note = (remedy.note,) if remedy is not None and remedy.note else ()
        return "owners", (f"left to {finding.owner.whose}, who decided so:", *about, *note)
    if remedy is not None:
        return "manual", tuple(filter(None, (f"to be done by a person: {remedy.summary}", *about, remedy.note)))
    return "no-remedy", ("no remedy is known that a program could apply:", *about)


def _is_decision(summary: str) -> bool:
    return summary.startswith("Yours to decide")


def _about(finding: Finding) -> Iterator[str]:
    yield f"{finding.subject.kind} {finding.subject.name}: {finding.summary}"
    yield from (f"{item.source}: {item.what} = {item.value}" for item in finding.evidence[:_SHOWN])


def owners_decisions(findings: Iterable[Finding]) -> Iterator[str]:
    """What is left to its owners, each with the command that changes it all the same, where one is known."""
    for finding in findings:
        plan, owner = plan_for(finding), finding.owner
        if plan is not None and plan.overrides is not None and plan.risk != "manual":
            yield f"{finding.check}: {finding.summary}: left to {plan.overrides.whose}"
            yield from (f"  {line}" for line in command_lines(plan))
            yield f"  → `dnet-tui fix {finding.check} --override-owner` makes them"
        elif owner is not None and is_anothers(owner):
            yield f"{finding.check}: {finding.summary}: left to {owner.whose}"
            if plan is not None:
                yield from (f"  {line}" for line in command_lines(plan))
            elif finding.remedy is not None and finding.remedy.note:
                yield f"  {finding.remedy.note}"
