"""Carrying out a plan from the command line: what is shown, asked and printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dnet_tui.actions.execution.execute import HostExecutor
from dnet_tui.inspect.snapshot import take_snapshot
from dnet_tui.tui.main import app
from unit.builders.factories import docker_like_snapshot
from unit.builders.fake_host import FakeHost

PUBLISH = ("port", "publish", "app1", "9090:80")


HOST_EXECUTOR = HostExecutor.__init__


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHost:
    """A host that is seen as the snapshot, and changed in memory."""
    fake = FakeHost()
    for place in (("nat", "PREROUTING"), ("nat", "OUTPUT"), ("nat", "POSTROUTING"), ("filter", "FORWARD")):
        fake.chains[place] = []
    fake.chains["filter", "DOCKER-USER"] = [("-j RETURN", 0, 0)]
    fake.links["veth77c3d4e"] = 77
    monkeypatch.setenv("DNET_TUI_STATE", str(tmp_path))
    monkeypatch.setattr(take_snapshot, "take_snapshot", lambda *_: docker_like_snapshot())
    monkeypatch.setattr(HostExecutor, "__init__", lambda self: HOST_EXECUTOR(self, fake))
    return fake


def run(*arguments: str, code: int = 0) -> str:
    ran = CliRunner().invoke(app, list(arguments), prog_name="dnet-tui")
    assert ran.exit_code == code, ran.output
    return ran.stdout


def test_a_dry_run_as_json_changes_nothing(host: FakeHost) -> None:
    shown = json.loads(run(*PUBLISH, "--dry-run", "--format", "json"))
    assert shown["format"] == 1
    assert shown["entry"] is None
    assert len(shown["commands"]) == len(shown["undo"]) == 6
    assert host.log == []


def test_json_has_no_place_for_a_question(host: FakeHost) -> None:
    run(*PUBLISH, "--format", "json", code=2)
    assert host.log == []


def test_without_consent_nothing_is_done(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    run(*PUBLISH, code=2)
    monkeypatch.setenv("DNET_TUI_READONLY", "1")
    run(*PUBLISH, "--yes", code=2)
    assert host.log == []


def test_it_is_done_and_the_way_back_is_named(host: FakeHost) -> None:
    said = run(*PUBLISH, "--yes")
    assert "`dnet-tui undo 0001` takes it back" in said
    assert len(host.texts("nat", "PREROUTING")) == 1
    done = json.loads(run("journal", "--format", "json"))
    assert [entry["status"] for entry in done] == ["done"]
