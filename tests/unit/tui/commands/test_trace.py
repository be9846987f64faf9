"""``dnet-tui trace --size`` on a saved snapshot: what it prints, its exit code, what does not go together."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dnet_tui.inspect.archive.snapshot_file import save
from dnet_tui.tui.main import app
from unit.builders.factories import HOST, docker_like_snapshot, with_link
from unit.diagnostics.checks.cases.rules import delete, insert


@pytest.fixture
def saved(tmp_path: Path) -> str:
    """The small Docker host with a narrow uplink, in a file."""
    path = tmp_path / "host.json"
    save(with_link(docker_like_snapshot(), HOST, "eth0", mtu=1400), path)
    return str(path)


def cli(*args: str) -> subprocess.CompletedProcess[str]:
    ran = CliRunner().invoke(app, ["trace", *args], prog_name="dnet-tui", env={"COLUMNS": "80"})
    return subprocess.CompletedProcess(args, ran.exit_code, ran.stdout, ran.stderr)


@pytest.mark.parametrize(("size", "code", "verdict"), [("1400", 0, "left"), ("1401", 1, "too-big")])
def test_a_packet_of_a_size(saved: str, size: str, code: int, verdict: str) -> None:
    ran = cli("web", "outside", "--size", size, "--format", "json", "--snapshot", saved)
    assert ran.returncode == code
    assert json.loads(ran.stdout)["verdict"] == verdict


def test_it_may_be_fragmented(saved: str) -> None:
    ran = cli("web", "outside", "--proto", "udp", "--size", "1401", "--no-df", "--snapshot", saved)
    assert ran.returncode == 0
    assert "fragmented to 1396" in ran.stdout


def test_what_nobody_outside_can_answer_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    save(delete("-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "POSTROUTING", "nat"), path)
    ran = cli("web", "outside", "--snapshot", str(path))
    assert ran.returncode == 1
    assert "The packet left as 172.17.0.2: nobody outside can answer that." in ran.stdout
    data = json.loads(cli("web", "outside", "--format", "json", "--snapshot", str(path)).stdout)
    assert (data["verdict"], data["answer"]) == ("unanswerable", "unanswerable")


def test_what_fails_names_the_command_that_explains_it(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    save(insert("-j DROP"), path)
    ran = cli("web", "outside", "--proto", "udp", "--port", "53", "--snapshot", str(path))
    assert ran.returncode == 1
    assert f"  Next: dnet-tui why web outside --proto udp --port 53 --snapshot {path}\n" in ran.stdout
    save(docker_like_snapshot(), path)
    assert "Next:" not in cli("web", "outside", "--snapshot", str(path)).stdout


@pytest.mark.parametrize(
    "args",
    [
        ("web", "outside", "--df"),
        ("web", "outside", "--size", "1400", "--live"),
        ("web", "outside", "--size", "20"),
        ("web", "outside", "--size", "0"),
        ("web", "outside", "--size", "70000"),
    ],
)
def test_what_makes_no_sense_is_refused(saved: str, args: tuple[str, ...]) -> None:
    assert cli(*args, "--snapshot", saved).returncode == 2


def test_the_interface_of_arrival_is_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    save(insert("-i eth0 -j DROP"), path)
    ran = cli("outside", "host", "--port", "8080", "--in-interface", "eth0", "--snapshot", str(path))
    assert ran.returncode == 1
    assert f"  Next: dnet-tui why outside host --port 8080 --in-interface eth0 --snapshot {path}\n" in ran.stdout
    why = CliRunner().invoke(app, ["why", "outside", "host", "--in-interface", "eth9", "--snapshot", str(path)])
    assert why.exit_code == 2
    assert "no interface called 'eth9'" in why.stderr


def test_nothing_arrives_where_a_real_packet_is_sent() -> None:
    ran = cli("web", "host", "--live", "--yes", "--in-interface", "eth0")
    assert ran.returncode == 2
    assert "--live sends from inside FROM" in ran.stderr


NO_PORTS = {"0": True, "-1": True, "65536": True, "1": False, "65535": False}


@pytest.mark.parametrize("option", ["--port", "--sport"])
@pytest.mark.parametrize("value", NO_PORTS)
def test_what_is_no_port_is_refused(saved: str, option: str, value: str) -> None:
    ran = cli("web", "outside", option, value, "--snapshot", saved)
    told = "is no port" in " ".join(ran.stderr.split())
    assert (ran.returncode == 2, told) == (NO_PORTS[value], NO_PORTS[value])
