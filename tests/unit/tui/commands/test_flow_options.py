"""How a flow is told to ``why`` and ``trace``: one port, which is a number; no default that isn't one."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from dnet_tui.inspect.archive.snapshot_file import save
from dnet_tui.tui.commands.flow_options import one_port
from dnet_tui.tui.main import app
from unit.builders.factories import docker_like_snapshot


@pytest.fixture
def saved(tmp_path: Path) -> str:
    path = tmp_path / "host.json"
    save(docker_like_snapshot(), path)
    return str(path)


def refused(*args: str) -> str:
    ran = CliRunner().invoke(app, args, prog_name="dnet-tui", env={"COLUMNS": "200"})
    assert ran.exit_code == 2
    return ran.stderr.removeprefix("dnet-tui: ")


@pytest.mark.parametrize("command", ["why", "trace"])
def test_two_different_ports_are_refused(saved: str, command: str) -> None:
    text = refused(command, "web", "app1:80", "--port", "81", "--snapshot", saved)
    assert text.startswith("app1:80 names port 80, and --port says 81\n")


@pytest.mark.parametrize(("named", "port"), [(0, 81), (80, 0), (80, 80), (0, 0)])
def test_one_port_is_no_contradiction(named: int, port: int) -> None:
    one_port(named, port, "app1")


@pytest.mark.parametrize("command", ["why", "trace"])
@pytest.mark.parametrize("port", ["abc", "0", "65536", ""])
def test_what_is_no_port_is_named_as_such(saved: str, command: str, port: str) -> None:
    assert refused(command, "web", f"app1:{port}", "--snapshot", saved).startswith(f"{port!r} is no port: that of app1")


def test_a_name_that_nobody_has_is_still_what_is_wrong(saved: str) -> None:
    assert refused("why", "web", "nobody:abc", "--snapshot", saved).startswith("there is no container or place called")


@pytest.mark.parametrize("command", ["why", "trace", "capture"])
def test_the_help_shows_no_zero_as_a_default(command: str) -> None:
    text = CliRunner().invoke(app, [command, "--help"], prog_name="dnet-tui", env={"COLUMNS": "200"}).stdout
    assert "--help" in text
    assert "default: 0" not in text
