"""The published schemas: what every command prints fits its own, and what doesn't fit is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from dnet_tui.inspect.model import Snapshot, known_items
from dnet_tui.tui.main import app
from dnet_tui.tui.reports.published.schemas import PUBLISHED
from lab.recordings import fault_records
from unit.builders.factories import docker_like_snapshot
from unit.builders.published import LINES, misfits, schema_of

DOCS = Path(__file__).resolve().parents[2] / "docs"
HOSTS: dict[str, Callable[[], Snapshot]] = {
    "built by hand": docker_like_snapshot,
    "a real docker host without masquerading": lambda: fault_records.snapshot("docker", "masq-missing"),
    "a real podman host, healthy": lambda: fault_records.snapshot("podman-six", "healthy"),
}
COMMANDS = (
    ("doctor",),
    ("doctor", "--policy"),
    ("doctor", "--flow", "{source} -> outside"),
    ("why", "{source}", "outside"),
    ("ls",),
    ("ls", "bridges"),
    ("ls", "networks"),
    ("ls", "containers"),
    ("ls", "veths"),
    ("ls", "ports"),
    ("rules",),
    ("trace", "{source}", "outside"),
    ("trace", "outside", "host", "--port", "8080"),
    ("trace", "{source}", "outside", "--size", "1500"),
    ("trace", "--matrix", "--from", "{source}"),
)


def printed(*words: str) -> str:
    ran = CliRunner().invoke(app, [*words, "--format", "json"], prog_name="dnet-tui")
    assert ran.exit_code in {0, 1, 3}, ran.stderr
    return ran.stdout


def source(snapshot: Snapshot) -> str:
    return next(item.name for item in known_items(snapshot.containers) if item.mode == "bridge")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_what_a_command_prints_fits_its_schema(words: tuple[str, ...], host: str, tmp_path: Path) -> None:
    snapshot = HOSTS[host]()
    file = tmp_path / "host.json"
    file.write_bytes(msgspec.json.encode(snapshot))
    argv = [word.format(source=source(snapshot)) for word in words]
    assert misfits(schema_of(words), printed(*argv, "--snapshot", str(file))) == []


def test_a_difference_and_the_list_of_checks_fit_theirs(tmp_path: Path) -> None:
    for name, fault in (("before", "healthy"), ("after", "masq-missing")):
        (tmp_path / name).write_bytes(msgspec.json.encode(fault_records.snapshot("docker", fault)))
    difference = printed("snapshot", "diff", str(tmp_path / "before"), str(tmp_path / "after"))
    assert json.loads(difference)["changes"]
    assert misfits("snapshot-diff", difference) == []
    assert misfits("checks", printed("checks")) == []


@pytest.mark.parametrize("name", sorted(PUBLISHED.keys() - LINES))
def test_what_does_not_fit_is_noticed(name: str) -> None:
    assert misfits(name, '{"format": "one"}') != []
    assert misfits(name, '[{"id": 1}]') != []


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_schema_names_its_version_and_is_listed(name: str) -> None:
    schema = json.loads((DOCS / f"{name}.schema.json").read_text())
    assert schema["$id"] == f"urn:dnet-tui:schema:{name}:{PUBLISHED[name].version}"
    assert all(item["description"] for item in schema["$defs"].values())


def test_a_format_without_a_schema_is_left_nowhere() -> None:
    assert {path.name.removesuffix(".schema.json") for path in DOCS.glob("*.schema.json")} == set(PUBLISHED)
