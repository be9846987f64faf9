"""Repairing findings: choose, plan, confirm, apply, look again.

What it needs of the outside (to ask, to apply, to look again, to probe) comes
in as callables, so that the order of things is tested without a host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from dnet_tui.actions.journal.entries import Entry
from dnet_tui.actions.plans.plan import Plan, command_lines, plan_for
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.inspect.errors import ActionFailedError, UsageError

Status = Literal["fixed", "still-there", "unsure", "declined", "manual", "gone", "no-remedy", "failed"]

GOOD: frozenset[Status] = frozenset({"fixed", "gone"})
"""What leaves nothing to do."""

_STOP: frozenset[Status] = frozenset({"failed", "still-there", "unsure"})

Key = tuple[str, str, str]


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """A finding and the plan that puts it right; None when there is none."""

    finding: Finding
    plan: Plan | None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one repair.  ``entry`` is its journal entry's id, ``hint`` the next step."""

    finding: Finding
    status: Status
    text: str
    entry: str = ""
    hint: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What an examination found, and the checks that could not decide (or crashed): of those, silence says nothing."""

    findings: tuple[Finding, ...]
    undecided: frozenset[str] = frozenset()


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The outside of :func:`apply_fixes`.

    ``look`` takes a new snapshot and examines it;
    ``confirm`` shows a plan and asks; ``apply`` makes it; ``probe`` tries it
    out with a real packet and returns a line of text, empty when it can't.
    """

    look: Callable[[], Seen]
    confirm: Callable[[Repair], bool]
    apply: Callable[[Plan], Entry]
    probe: Callable[[Finding], str]
    report: Callable[[Result], None]


def key(finding: Finding) -> Key:
    """Return what tells one finding from another across two examinations.

    A rule is named by its number, and numbers move when another rule is
    repaired: where the remedy speaks of the rule, its text stands for it.
    """
    name = finding.subject.name
    if finding.subject.kind == "rule" and finding.remedy is not None:
        steps = finding.remedy.steps
        rules = [
            f"{step.table} {step.chain} {step.spec}" for step in steps if isinstance(step, InsertRule | DeleteRule)
        ]
        name = " | ".join(rules) or name
    return finding.check, finding.subject.kind, name


def plan_fixes(
    findings: Sequence[Finding], ids: Sequence[str] = (), *, everything: bool = False, known: Sequence[str] = ()
) -> tuple[Repair, ...]:
    """Return the repairs to make, root causes first.

    Without ``ids`` the errors and warnings that nothing else causes;
    ``everything`` adds what follows from others (mostly gone by then) and
    mere information.  ``known`` are the checks there are: one of those that
    found nothing has nothing to repair, which is no error.

    Raises:
        UsageError: An id names no finding and no check.
    """
    unknown = [item for item in ids if item not in known and not any(finding.check == item for finding in findings)]
    if unknown:
        found = ", ".join(dict.fromkeys(finding.check for finding in findings)) or "nothing"
        msg = f"there is no check named {unknown[0]}"
        raise UsageError(msg, f"found on this host: {found}; `dnet-tui checks` lists all checks")
    if ids:
        chosen = [finding for finding in findings if finding.check in ids]
    elif everything:
        chosen = list(findings)
    else:
        chosen = [finding for finding in findings if finding.caused_by is None and finding.severity != "info"]
    chosen.sort(key=lambda finding: finding.caused_by is not None)
    return tuple(Repair(finding=finding, plan=plan_for(finding)) for finding in chosen)


def apply_fixes(repairs: Sequence[Repair], session: Session) -> tuple[Result, ...]:
    """Make the repairs one by one, looking again after each; stops at the first that fails or does not help.

    A finding that an earlier repair has put right too is not touched again.
    Its plan is taken from the newest examination: an earlier repair may have
    moved the rules it speaks of.
    """
    results: list[Result] = []
    current = {key(repair.finding): repair.finding for repair in repairs}
    for repair in repairs:
        finding = current.get(key(repair.finding))
        if finding is None:
            result = Result(finding=repair.finding, status="gone", text="an earlier repair has put it right too")
        else:
            result, seen = _apply_one(Repair(finding=finding, plan=plan_for(finding)), session)
            current = seen if seen is not None else current
        session.report(result)
        results.append(result)
        if result.status in _STOP:
            break
    return tuple(results)


def _apply_one(repair: Repair, session: Session) -> tuple[Result, dict[Key, Finding] | None]:
    """Make one repair; with it come the findings of the examination after it, None when there was none."""
    finding, plan = repair.finding, repair.plan
    if plan is None:
        return Result(finding=finding, status="no-remedy", text="no remedy is known that a program could apply"), None
    if plan.risk == "manual":
        text = "\n".join(("to be done by a person:", *command_lines(plan), *plan.notes))
        return Result(finding=finding, status="manual", text=text), None
    if not session.confirm(repair):
        return Result(finding=finding, status="declined", text="left as it is"), None
    try:
        entry = session.apply(plan)
    except ActionFailedError as error:
        return Result(finding=finding, status="failed", text=error.message, hint=error.hint), None
    undo = f"`dnet-tui undo {entry.id}` takes it back"
    after = session.look()
    seen = {key(item): item for item in after.findings}
    status: Status
    if key(finding) in seen:
        status, text = "still-there", f"applied, but {finding.check} is still there"
    elif finding.check in after.undecided:
        status, text = "unsure", f"applied, but whether {finding.check} is gone can't be told any more"
    else:
        probed = session.probe(finding)
        status, text = "fixed", f"{finding.check} is gone" + (f"\n{probed}" if probed else "")
    text = "\n".join((text, *(f"written by {writer}" for writer in entry.writers)))
    return Result(finding=finding, status=status, text=text, entry=entry.id, hint=undo), seen
