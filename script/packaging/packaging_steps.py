"""What the builders share: running a program and saying what failed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def run(*argv: str | Path, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """Run a program to its end and return its stdout; a failure ends the build with the program's own words."""
    words = [str(item) for item in argv]
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        msg = f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise SystemExit(msg)
    return done.stdout


def shell_completions() -> dict[str, str]:
    """Return the text of the completion file for each shell."""
    from dnet_tui.tui.completion_scripts import SHELLS, script  # noqa: PLC0415 - importable only in the environment

    return {shell: script(shell) for shell in SHELLS}
