"""The plugin for Nagios: its exit codes, its one line, and whose words it repeats."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "docs" / "examples" / "check_dnet_tui"
FIGURES = 'dnet_tui_findings{{severity="error"}} {}\ndnet_tui_findings{{severity="warning"}} {}'


def plugin(folder: Path, printed: str, code: int) -> tuple[int, str]:
    """Run the plugin with a stand-in for dnet-tui that prints and exits as told; its exit code and its output."""
    stand_in = folder / "dnet-tui"
    (folder / "said").write_text(printed + "\n")
    stand_in.write_text(f"#!/bin/sh\ncat {folder}/said >&2\nexit {code}\n")
    stand_in.chmod(0o755)
    text = PLUGIN.read_text()
    assert text.count("/usr/bin/dnet-tui ") == 1
    (folder / "check").write_text(text.replace("/usr/bin/dnet-tui ", f"{stand_in} "))
    ran = subprocess.run(["sh", folder / "check"], capture_output=True, text=True, check=False, timeout=30)
    return ran.returncode, ran.stdout


@pytest.mark.parametrize(
    ("printed", "code", "expected", "line"),
    [
        (FIGURES.format(0, 0), 0, 0, "DNET OK - healthy | errors=0 warnings=0\n"),
        (FIGURES.format(0, 2), 1, 1, "DNET WARNING - 2 warnings: dnet-tui doctor | errors=0 warnings=2\n"),
        (FIGURES.format(1, 2), 1, 2, "DNET CRITICAL - 1 errors, 2 warnings: dnet-tui doctor | errors=1 warnings=2\n"),
        (
            FIGURES.format(0, 0), 3, 3,
            "DNET UNKNOWN - not everything could be examined: dnet-tui doctor | errors=0 warnings=0\n",
        ),
        ("dnet-tui: there is no check 'x'\n  \u2192 did you mean y?", 2, 3, "DNET UNKNOWN - there is no check 'x'\n"),
        ("sh: dnet-tui: not found", 127, 3, "DNET UNKNOWN - sh: dnet-tui: not found\n"),
    ],
    ids=["healthy", "warnings", "errors", "undecided", "wrong-usage", "not-installed"],
)  # fmt: skip
def test_each_end_of_the_doctor_has_its_state(
    tmp_path: Path, printed: str, code: int, expected: int, line: str
) -> None:
    assert plugin(tmp_path, printed, code) == (expected, line)
