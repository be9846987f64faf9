"""What the forge runs is what CI runs: the same script, the same linters, on the Pythons that are promised."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
JOBS = dict(re.findall(r"^  (\w+):\n((?:    .*\n|\n|  #.*\n)+)", WORKFLOW.partition("\njobs:\n")[2], re.MULTILINE))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def commands(job: str) -> list[str]:
    """The commands of a job's steps, one by one."""
    steps = re.findall(r"^      - run: (.+)$", JOBS[job], re.MULTILINE)
    return [command for step in steps for command in step.split(" && ")]


def test_on_each_debian_everything_is_what_ci_runs() -> None:
    assert commands("everything")[-1] == ".ci/run"
    assert 'debian: ["12", "13"]' in JOBS["everything"]
    assert "options: --privileged" in JOBS["everything"]


def test_the_linters_are_those_of_script_test() -> None:
    script = (ROOT / "script" / "test").read_text()
    linters = re.findall(r'^"\$bin/((?:ruff|mypy).*)$', script, re.MULTILINE)
    assert len(linters) == 4
    quick = [command.removesuffix(" --quiet") for command in commands("quick")]
    assert [item for item in linters if item.replace(" --quiet", "").replace('"', "") not in quick] == []


def test_the_quick_tests_run_on_the_oldest_and_the_newest_python() -> None:
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert PROJECT["requires-python"] == f">={named[0]}"
    assert f'python: ["{named[0]}", "{named[-1]}"]' in JOBS["quick"]


def test_a_failure_of_a_step_is_never_overlooked() -> None:
    assert not re.search(r"continue-on-error|\|\| *true|^ +if:", WORKFLOW, re.MULTILINE)


@pytest.mark.parametrize("job", JOBS)
def test_what_a_step_names_is_there(job: str) -> None:
    words = {word for command in commands(job) for word in command.split()}
    paths = {word for word in words if re.match(r"(?:\.ci|script|tests)/", word)}
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    programs = {command.split()[0] for command in commands(job)} & paths
    assert [path for path in sorted(programs) if not os.access(ROOT / path, os.X_OK)] == []


def test_every_job_was_read() -> None:
    assert set(JOBS) == {"quick", "oldest", "pages", "everything"}
    assert all(commands(job) for job in JOBS)
