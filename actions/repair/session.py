"""Repairing findings: choose, plan, confirm, apply, look again, verify.  The one loop of ``fix`` and of the app.

What it needs of the outside comes in as a :class:`RepairIO`, so that the order
of things is tested without a host; :mod:`dnet_tui.actions.repair.host_io`
is the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from dnet_tui.actions.journal.entries import JournalEntry
from dnet_tui.actions.plans.binding import PlanOutdatedError, anchored
from dnet_tui.actions.plans.plan import Plan, command_lines, plan_for
from dnet_tui.actions.probes.repair_probe import RepairProof
from dnet_tui.actions.repair.without_plan import unplanned
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.diagnostics.report.finding import Finding, FlowName
from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.errors import ActionFailedError, UsageError
from dnet_tui.inspect.model import Snapshot

RepairStatus = Literal[
    "fixed", "still-there", "unsure", "declined", "manual", "gone", "no-remedy", "failed", "owners", "partly"
]
"""``owners``: another's decision, left to that one.  ``partly``: made, but not all flows of its finding pass again."""

GOOD: frozenset[RepairStatus] = frozenset({"fixed", "gone"})
"""What leaves nothing to do."""

_STOP: frozenset[RepairStatus] = frozenset({"failed", "still-there", "unsure"})
"""What ends a session.  ``partly`` does not: another finding stops the rest, and its turn comes."""

_ROUNDS = 5
"""How often a plan is made anew for a host that keeps changing."""

Key = tuple[str, str, str]


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """A finding and the plan that puts it right; None when there is none."""

    finding: Finding
    plan: Plan | None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one repair.  ``entry`` is its journal entry's id, ``hint`` the next step."""

    finding: Finding
    status: RepairStatus
    text: str
    entry: str = ""
    hint: str = ""


class RepairIO(Protocol):
    """The outside of a repair: the host, and whoever is asked."""

    def take(self) -> Snapshot:
        """Take a new snapshot of the host."""

    def confirm(self, repair: Repair) -> bool:
        """Show a plan and ask whether to apply it."""

    def confirm_again(self, repair: Repair) -> bool:
        """Show the plan that fits a host which has changed since the one before was shown, and ask again."""

    def apply(self, plan: Plan, again: Callable[[], Plan]) -> JournalEntry:
        """Make a plan's changes and return their journal entry; ``again`` makes the plan anew.

        Raises:
            PlanOutdatedError: Another plan fits the host by now.
            ActionFailedError: A change could not be made.
        """

    def probe(self, snapshot: Snapshot, finding: Finding) -> RepairProof:
        """Try a repair out with real packets, along the flows of its finding."""

    def keep(self, finding: Finding, why: str) -> bool:
        """Ask whether to keep a repair that did not help."""

    def take_back(self, entry: JournalEntry) -> None:
        """Take a repair's changes back.

        Raises:
            ActionFailedError: Not all of them could be.
        """

    def report(self, result: Result) -> None:
        """Say what became of one repair."""


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


def choose_repairs(
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


class _FindingGoneError(Exception):
    """What was to be repaired isn't there any more."""


class RepairSession:
    """One run of repairs.  ``findings`` are those of the newest examination.

    Args:
        io: the outside.
        examine: judges a snapshot, as :func:`dnet_tui.diagnostics.checks.run_checks.run_checks` does.
        remaining: the flows of a finding that a snapshot still stops, in words.
        override_owner: whether to make, step by step, what changes another owner's decision too.
    """

    def __init__(
        self,
        io: RepairIO,
        examine: Callable[[Snapshot], Report],
        remaining: Callable[[Snapshot, Finding], tuple[str, ...]] = lambda _snapshot, _finding: (),
        *,
        override_owner: bool = False,
    ) -> None:
        self._io = io
        self._examine = examine
        self._remaining = remaining
        self._override_owner = override_owner
        self.findings: tuple[Finding, ...] = ()

    def look(self, snapshot: Snapshot) -> Report:
        """Examine a snapshot, and remember what was found."""
        report = self._examine(snapshot)
        self.findings = report.findings
        return report

    def run(self, repairs: Sequence[Repair], *, uncovered: bool = False) -> tuple[Result, ...]:
        """Make the repairs one by one, looking again after each; stop at the first that fails or does not help.

        A finding that an earlier repair has put right too is not touched again.
        Its plan is taken from the newest examination: an earlier repair may have
        moved the rules it speaks of.  ``uncovered``: what comes to light only when
        what hid it is repaired is repaired as well.
        """
        results: list[Result] = []
        current = {key(repair.finding): repair.finding for repair in repairs}
        known = set(current)
        waiting = list(repairs)
        while waiting:
            repair = waiting.pop(0)
            finding = current.get(key(repair.finding))
            if finding is None:
                result = Result(finding=repair.finding, status="gone", text="an earlier repair has put it right too")
            else:
                result = self._repair(Repair(finding=finding, plan=plan_for(finding)))
                current = {key(item): item for item in self.findings} if result.entry else current
            self._io.report(result)
            results.append(result)
            if result.status in _STOP:
                break
            if uncovered and result.entry:
                fresh = [item for item in choose_repairs(self.findings) if key(item.finding) not in known]
                known |= {key(item.finding) for item in fresh}
                waiting += fresh
        return tuple(self._in_the_end(result) for result in results)

    def _in_the_end(self, result: Result) -> Result:
        """A repair whose flows others still stopped is a whole one when those are repaired too."""
        if result.status != "partly" or self._faulty_flows() & set(result.finding.flows):
            return result
        return msgspec.structs.replace(result, status="fixed")

    def _faulty_flows(self) -> set[FlowName]:
        """What faults still stop.  What is only worth a word is somebody's decision."""
        return {flow for item in self.findings if item.severity != "info" for flow in item.flows}

    def _repair(self, repair: Repair) -> Result:
        """Make one repair; it has a journal entry where the host was changed, and then examined again."""
        finding, plan = repair.finding, repair.plan
        if plan is None:
            left, lines = unplanned(finding)
            return Result(finding=finding, status=left, text="\n".join(lines))
        if plan.risk == "manual":
            text = "\n".join(("to be done by a person:", *command_lines(plan), *plan.notes))
            return Result(finding=finding, status="manual", text=text)
        if plan.overrides is not None and not self._override_owner:
            owner = plan.overrides.whose
            head = f"left to {owner}, who decided so; these commands would change it:"
            text = "\n".join((head, *command_lines(plan), *plan.notes))
            return Result(
                finding=finding,
                status="owners",
                text=text,
                hint=f"`dnet-tui fix {finding.check} --override-owner` makes them",
            )
        asked = _by_step(plan) if plan.overrides is not None else (plan,)
        if not all(self._io.confirm(Repair(finding=finding, plan=one)) for one in asked):
            return Result(finding=finding, status="declined", text="left as it is")
        try:
            entry = self._applied(finding, plan)
        except _FindingGoneError:
            return Result(finding=finding, status="gone", text="it is gone since: nothing was done")
        except ActionFailedError as error:
            return Result(finding=finding, status="failed", text=error.message, hint=error.hint)
        status, text = self._verified(finding)
        text = "\n".join((text, *(f"written by {writer}" for writer in entry.writers)))
        if status == "still-there" and not self._io.keep(finding, text):
            return self._taken_back(finding, entry, text)
        undo = f"`dnet-tui undo {entry.id}` takes it back"
        return Result(finding=finding, status=status, text=text, entry=entry.id, hint=undo)

    def _taken_back(self, finding: Finding, entry: JournalEntry, text: str) -> Result:
        """Take back what did not help, and look again: what is found then is what was found before."""
        try:
            self._io.take_back(entry)
        except (ActionFailedError, UsageError) as error:
            text = f"{text}\nit could not be taken back: {error.message}"
            return Result(finding=finding, status="still-there", text=text, entry=entry.id, hint=error.hint)
        self.look(self._io.take())
        return Result(finding=finding, status="still-there", text=f"{text}\nit was taken back", entry=entry.id)

    def _applied(self, finding: Finding, plan: Plan) -> JournalEntry:
        """Apply a confirmed plan, or the one that fits the host by now, if that is confirmed too."""
        for _ in range(_ROUNDS):
            try:
                return self._io.apply(plan, lambda: self._planned_again(finding))
            except PlanOutdatedError as outdated:
                plan = outdated.plan
                if not self._io.confirm_again(Repair(finding=finding, plan=plan)):
                    raise
        msg = "the host changes faster than a plan for it can be made (nothing was changed)"
        raise ActionFailedError(msg, "something rewrites the firewall or the links all the time")

    def _planned_again(self, finding: Finding) -> Plan:
        """The plan for a finding by another look at the host.

        Raises:
            _FindingGoneError: There is nothing to repair any more.
        """
        snapshot = self._io.take()
        report = self.look(snapshot)
        current = next((item for item in report.findings if key(item) == key(finding)), None)
        plan = plan_for(current) if current is not None else None
        if plan is None:
            raise _FindingGoneError(finding.check)
        return anchored(plan, snapshot)

    def _verified(self, finding: Finding) -> tuple[RepairStatus, str]:
        """Look again: whether a finding is gone, by what a new snapshot shows and, if so, by a probe."""
        snapshot = self._io.take()
        report = self.look(snapshot)
        if key(finding) in {key(item) for item in report.findings}:
            return "still-there", f"applied, but {finding.check} is still there"
        # Of a check that could not decide (or crashed) silence says nothing.
        if any(item.id == finding.check and item.outcome in {"unknown", "crashed"} for item in report.checks):
            return "unsure", f"applied, but whether {finding.check} is gone can't be determined any more"
        probed = self._io.probe(snapshot, finding)
        if probed.failed:
            return "still-there", f"applied, and {finding.check} is gone, but packets don't pass\n{probed.text}"
        text = f"{finding.check} is gone" + (f"\n{probed.text}" if probed.text else "")
        left = self._remaining(snapshot, finding)
        if not left:
            return "fixed", text
        status: RepairStatus = "partly" if self._faulty_flows() & set(finding.flows) else "fixed"
        return status, "\n".join((text, "still stopped:", *left))


def _by_step(plan: Plan) -> tuple[Plan, ...]:
    """One plan for each step, to be asked for by itself."""
    return tuple(msgspec.structs.replace(plan, steps=(step,)) for step in plan.steps)
