"""Whoever asks a script what it does gets told, and nothing is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "script"
PYTHON = sorted(
    path.name for path in SCRIPTS.iterdir() if path.is_file() and path.read_text().startswith("#!/usr/bin/env python3")
)


@pytest.mark.parametrize("name", PYTHON)
def test_a_script_tells_how_it_is_called(name: str) -> None:
    # By this Python, which has the packages that script/bootstrap would have installed beside it.
    asked = [sys.executable, str(SCRIPTS / name), "--help"]
    paths = os.pathsep.join(str(SCRIPTS.parent / folder) for folder in ("src", "tests"))
    environment = os.environ | {"PYTHONPATH": paths}
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"script/{name}" in done.stdout
