"""Repairs of this host: the outside of a repair session, but for who is asked and told."""

from __future__ import annotations

from collections.abc import Callable

from dnet_tui.actions.execution.apply import apply_plan
from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.execution.undo import undo_entry
from dnet_tui.actions.journal.entries import JournalEntry
from dnet_tui.actions.journal.journal import state_folder
from dnet_tui.actions.plans.plan import Plan
from dnet_tui.actions.probes.repair_probe import RepairProof, proof
from dnet_tui.actions.repair.session import Repair, RepairSession, Result
from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.diagnostics.report.finding import Finding
from dnet_tui.diagnostics.report.remaining import still_stopped
from dnet_tui.inspect.model import Snapshot


class HostRepairIO:
    """This host, its journal and its probes.

    As it stands it asks nobody and keeps what it is told in ``results``: for a
    plan that was shown and confirmed already.
    """

    def __init__(self) -> None:
        self.results: list[Result] = []

    def take(self) -> Snapshot:
        """See :class:`~dnet_tui.actions.repair.session.RepairIO`."""
        from dnet_tui.inspect.snapshot.take_snapshot import take_snapshot  # noqa: PLC0415  brings in pyroute2, docker

        return take_snapshot()

    def confirm(self, repair: Repair) -> bool:
        """See :class:`~dnet_tui.actions.repair.session.RepairIO`."""
        return repair.plan is not None

    def confirm_again(self, repair: Repair) -> bool:
        """See :class:`~dnet_tui.actions.repair.session.RepairIO`: only the plan that was shown is confirmed."""
        del repair
        return False

    def apply(self, plan: Plan, again: Callable[[], Plan]) -> JournalEntry:
        """See :class:`~dnet_tui.actions.repair.session.RepairIO`."""
        return apply_plan(plan, HostExecutor(), state_folder(), again)

    def probe(self, snapshot: Snapshot, finding: Finding) -> RepairProof:
        """See :class:`~dnet_tui.actions.repair.session.RepairIO`."""
        return proof(snapshot, finding, self.take)

    def keep(self, finding: Finding, why: str) -> bool:
        """See :class:`~dnet_tui.actions.repair.session.RepairIO`: what does not help is not kept unasked."""
        del finding, why
        return False

    def take_back(self, entry: JournalEntry) -> None:
        """See :class:`~dnet_tui.actions.repair.session.RepairIO`."""
        undo_entry(HostExecutor(), state_folder(), entry.id)

    def report(self, result: Result) -> None:
        """See :class:`~dnet_tui.actions.repair.session.RepairIO`."""
        self.results.append(result)


def repair_session(io: HostRepairIO, *, override_owner: bool = False) -> RepairSession:
    """A session that repairs this host; with ``override_owner`` also what changes another owner's decision."""
    return RepairSession(io, run_checks, still_stopped, override_owner=override_owner)
