"""The documents are true where a test can tell: links lead somewhere, named files exist, every command is listed."""

import re
from pathlib import Path

import pytest

from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.registry import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")

PLACEHOLDERS = {"diagnostics/checks/FAMILY/your_id.py"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text(encoding="utf-8"))

    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_of_the_house_that_are_named_exist(document: Path) -> None:
    named = re.findall(
        r"`((?:inspect|diagnostics|actions|tui|tests|script|bench)/[\w./]*)`", document.read_text(encoding="utf-8")
    )

    assert [name for name in named if name not in PLACEHOLDERS and not (ROOT / name).exists()] == []


def test_the_tests_of_the_reported_situations_exist() -> None:
    text = (ROOT / "docs" / "situations.md").read_text(encoding="utf-8")
    rows = re.findall(r"`([\w/]+\.py)::(test_\w+)(?:\[[^`]*\])?`", text)

    assert len(rows) == len(re.findall(r"^\| .*https://", text, re.MULTILINE)) >= 40
    lab = ROOT / "tests" / "lab"
    files = {file: (lab / file).read_text(encoding="utf-8") for file, _ in rows}
    shared = (lab / "faults" / "every_host.py").read_text(encoding="utf-8")
    files = {file: text + shared if "every_host import *" in text else text for file, text in files.items()}
    assert [row for row in rows if row[1] not in files[row[0]]] == []


def test_the_tests_of_the_actions_exist() -> None:
    text = (ROOT / "docs" / "actions.md").read_text(encoding="utf-8")
    rows = re.findall(r"`([\w/]+\.py)::(test_\w+)`", text)
    folder = ROOT / "tests" / "lab" / "actions"

    assert len(rows) > 30
    assert [row for row in rows if f"def {row[1]}(" not in (folder / row[0]).read_text(encoding="utf-8")] == []


def test_the_tests_of_what_was_wrong_once_exist() -> None:
    text = (ROOT / "docs" / "once-wrong.md").read_text(encoding="utf-8")
    rows = re.findall(r"`([\w/]+\.py)::(test_\w+)(?:\[([^`]*)\])?` \|$", text, re.MULTILINE)

    assert len(rows) == len(re.findall(r"^\| (?!the host \|)", text, re.MULTILINE)) >= 25
    lab = ROOT / "tests" / "lab" / "agreement"
    files = {file: (lab / file).read_text(encoding="utf-8") for file, *_ in rows}
    assert [row for row in rows if f"def {row[1]}(" not in files[row[0]]] == []
    assert [row for row in rows if row[2] and f'"{row[2]}": ' not in files[row[0]]] == []


def test_the_readme_lists_every_command() -> None:
    table = README.split("## Commands")[1].split("\n\n`dnet-tui COMMAND")[0]

    assert [entry.name for entry in COMMANDS if f"`{entry.name}" not in table] == []


def test_the_readmes_examples_are_commands() -> None:
    names = {entry.name for entry in COMMANDS}
    used = set(re.findall(r"(?:`|\$ |^)(?:dnet-tui|script/run) ([a-z]+)\b", README, re.MULTILINE))

    assert used <= names


def test_the_readme_lists_the_exit_codes_that_people_meet() -> None:
    assert [code for code in Exit if code is not Exit.READER_GONE and f"| {int(code)} |" not in README] == []


def test_every_decision_has_its_number() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("0*.md"))

    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        assert record.read_text(encoding="utf-8").startswith(f"# {int(record.name[:4])}. ")
