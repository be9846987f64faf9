"""Both front ends repair by the one session: ``fix`` and the app."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dnet_tui.actions.journal.entries import JournalEntry, StepLocation
from dnet_tui.actions.plans.plan import Plan
from dnet_tui.actions.probes.repair_probe import RepairProof
from dnet_tui.actions.repair import host_io
from dnet_tui.actions.repair.session import Repair, RepairSession, Result
from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.snapshot import take_snapshot
from dnet_tui.tui.app import services_host
from dnet_tui.tui.main import app
from unit.builders.factories import docker_like_snapshot, with_sysctl

BROKEN = with_sysctl(docker_like_snapshot(), "net.ipv4.conf.docker0.forwarding", "0")
HEALTHY = docker_like_snapshot()


class Host:
    """A host that a plan heals; ``runs`` are the repairs that its sessions were given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.snapshot = BROKEN
        self.applied: list[Plan] = []
        self.undone: list[object] = []
        self.runs: list[tuple[str, ...]] = []
        monkeypatch.setattr(take_snapshot, "take_snapshot", lambda *_: self.snapshot)
        monkeypatch.setattr(host_io, "apply_plan", self._apply)
        monkeypatch.setattr(host_io, "undo_entry", lambda *given: self.undone.append(given[2]))
        monkeypatch.setattr(host_io, "proof", lambda *_: RepairProof(text="probe: it answered"))
        run = RepairSession.run

        def counted(
            session: RepairSession, repairs: tuple[Repair, ...], *, uncovered: bool = False
        ) -> tuple[Result, ...]:
            self.runs.append(tuple(item.finding.check for item in repairs))
            return run(session, repairs, uncovered=uncovered)

        monkeypatch.setattr(RepairSession, "run", counted)

    def _apply(self, plan: Plan, *_: object) -> JournalEntry:
        self.applied.append(plan)
        self.snapshot = HEALTHY
        return JournalEntry(id="0001", time="", title=plan.title, place=StepLocation(netns=1))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    monkeypatch.setenv("DNET_TUI_STATE", str(tmp_path))
    return Host(monkeypatch)


def test_fix_repairs_by_the_session(host: Host) -> None:
    ran = CliRunner().invoke(app, ["fix", "--yes"], prog_name="dnet-tui")
    assert host.runs == [("fwd-off-bridge",)]
    assert ran.exit_code == 0
    assert "fixed: fwd-off-bridge is gone" in ran.stdout
    assert "probe: it answered" in ran.stdout
    assert "`dnet-tui undo 0001` takes it back" in ran.stdout


def test_the_app_repairs_by_the_session(host: Host) -> None:
    (finding,) = [item for item in run_checks(BROKEN).findings if item.severity == "error"]
    apply_fix = services_host.live(readonly=False).apply_fix
    assert apply_fix is not None
    assert apply_fix(finding) == [
        "fwd-off-bridge is gone",
        "probe: it answered",
        "`dnet-tui undo 0001` takes it back",
    ]
    assert host.runs == [("fwd-off-bridge",)]
    assert len(host.applied) == 1


def test_the_app_tells_when_a_repair_did_not_help(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = [item for item in run_checks(BROKEN).findings if item.severity == "error"]
    monkeypatch.setattr(take_snapshot, "take_snapshot", lambda *_: BROKEN)
    apply_fix = services_host.live(readonly=False).apply_fix
    assert apply_fix is not None
    with pytest.raises(ActionFailedError, match="still there"):
        apply_fix(finding)
    assert host.snapshot == HEALTHY
    assert host.undone == ["0001"]


def test_a_snapshot_is_taken_only_when_it_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Snapshot] = []

    def take() -> Snapshot:
        taken.append(HEALTHY)
        return HEALTHY

    monkeypatch.setattr(take_snapshot, "take_snapshot", take)
    io = host_io.HostRepairIO()
    assert taken == []
    assert io.take() == HEALTHY
    assert taken == [HEALTHY]
