"""``fix``, ``undo``, ``journal`` and ``net`` as scripts meet them: consent, dry runs, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from dnet_tui.actions.execution.apply import apply_plan
from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.actions.journal.entries import StepLocation
from dnet_tui.actions.plans.plan import Plan, PlanStep
from dnet_tui.diagnostics.operations.kernel import SetSysctl
from dnet_tui.tui.main import app
from unit.builders.factories import docker_like_snapshot, with_chain
from unit.builders.factories_firewall import chain
from unit.builders.fake_host import FakeHost

COMMAND = "iptables-nft -w -t nat -I POSTROUTING 1 -s 10.10.0.0/24 '!' -o br-app -j MASQUERADE"


@pytest.fixture
def broken(tmp_path: Path) -> str:
    file = tmp_path / "host.json"
    file.write_bytes(msgspec.json.encode(with_chain(docker_like_snapshot(), "nat", chain("POSTROUTING"))))
    return str(file)


def dnet_tui(*args: str, state: Path | None = None, **environment: str) -> tuple[int, str, str]:
    env = environment | ({"DNET_TUI_STATE": str(state)} if state else {})
    ran = CliRunner().invoke(app, [*args], prog_name="dnet-tui", env=env)
    return ran.exit_code, ran.stdout, ran.stderr


def test_a_dry_run_prints_the_exact_commands_and_journals_nothing(broken: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    code, out, _ = dnet_tui("fix", "--dry-run", "--snapshot", broken, state=state)
    assert code == 0
    assert COMMAND in out
    assert "-D POSTROUTING -s 10.10.0.0/24" in out
    assert not state.exists()


def test_only_the_checks_asked_for_are_planned(broken: str) -> None:
    code, out, _ = dnet_tui("fix", "ip-forward-off", "--dry-run", "--snapshot", broken)
    assert (code, out) == (0, "there is nothing to repair of ip-forward-off\n")
    code, _, err = dnet_tui("fix", "nonsense", "--dry-run", "--snapshot", broken)
    assert code == 2
    assert "no check named nonsense" in err


def test_a_saved_snapshot_is_not_repaired(broken: str) -> None:
    code, _, err = dnet_tui("fix", "--yes", "--snapshot", broken)
    assert code == 2
    assert "--dry-run" in err


@pytest.mark.parametrize("command", [("fix",), ("undo",), ("net", "create", "x"), ("net", "rm", "x")])
def test_without_a_terminal_and_without_yes_it_is_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    code, _, err = dnet_tui(*command, state=tmp_path)
    assert code == 2
    assert "--yes" in err
    assert "--dry-run" in err


@pytest.mark.parametrize("command", [("fix", "--yes"), ("undo", "--yes"), ("net", "rm", "x", "--yes")])
def test_the_readonly_variable_refuses_every_change(command: tuple[str, ...], tmp_path: Path) -> None:
    code, _, err = dnet_tui(*command, state=tmp_path, DNET_TUI_READONLY="1")
    assert code == 2
    assert "DNET_TUI_READONLY" in err


def test_the_journal_of_an_untouched_host_is_empty(tmp_path: Path) -> None:
    assert dnet_tui("journal", state=tmp_path)[:2] == (0, "dnet-tui has changed nothing so far\n")
    code, out, _ = dnet_tui("journal", "--format", "json", state=tmp_path)
    assert (code, json.loads(out)) == (0, [])


def test_the_journal_shows_an_entry_harmlessly_with_its_state_and_its_undo(tmp_path: Path) -> None:
    plan = Plan(title="a \x1b[31mtitle", steps=(PlanStep(action=SetSysctl(key="net.ipv4.ip_forward", value="1")),))
    apply_plan(plan, HostExecutor(FakeHost()), tmp_path, place=lambda: StepLocation(netns=5, boot="b"))
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"event":"be')
    code, out, err = dnet_tui("journal", state=tmp_path)
    assert code == 0
    assert "0001" in out
    assert "done" in out
    assert "\x1b" not in out
    assert "1 line(s)" in err
    _, out, _ = dnet_tui("journal", "--format", "json", state=tmp_path)
    (entry,) = json.loads(out)
    (change,) = entry["changes"]
    assert change["text"] == "set net.ipv4.ip_forward to 1"
    assert change["commands"] == [["sysctl", "-w", "net.ipv4.ip_forward=1"]]
    assert change["undo"] == [["sysctl", "-w", "net.ipv4.ip_forward=0"]]
    assert change["before"]["values"]["net.ipv4.conf.docker0.forwarding"] == "0"
    assert entry["elsewhere"]


def test_undo_with_nothing_to_undo_says_so(tmp_path: Path) -> None:
    code, _, err = dnet_tui("undo", "--yes", state=tmp_path)
    assert code == 2
    assert "nothing to undo" in err
