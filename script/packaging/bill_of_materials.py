"""The software bill of materials (CycloneDX) of what the one file and the Debian package carry, by cyclonedx-bom."""

from __future__ import annotations

import sys
import venv
from pathlib import Path

from packaging_steps import run


def write(wheel: Path, to: Path, scratch: Path) -> Path:
    """Install the wheel in an environment of its own, and write the bill of what came with it."""
    environment, tool = scratch / "billed", scratch / "cyclonedx"
    venv.create(environment, with_pip=False, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "--python", environment / "bin/python", "install", "--no-compile", wheel)
    run(*pip, "install", "--no-compile", "--target", tool, "cyclonedx-bom>=7")
    words = ("environment", "--output-reproducible", "--output-format=JSON", "--pyproject", Path("pyproject.toml"))
    run(
        sys.executable, "-P", "-m", "cyclonedx_py", *words, "--output-file", to, environment / "bin/python",
        cwd=scratch / "source", environment={"PYTHONPATH": str(tool)},
    )  # fmt: skip
    return to
