"""Completion in the real shells: installed as people install it, asked for with the Tab key in a terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab.machines.requirements import decline
from lab.shells.shell_session import PROMPT, ShellSession, shell_session

NOTHING_GUESSED = "set -g fish_autosuggestion_enabled 0\n"
"""Else fish shows what it takes for likely before Tab was pressed."""
SHELLS = {
    "bash": (["bash", "-i"], ".bashrc", f"PS1='{PROMPT}'\n"),
    "zsh": (["zsh", "-i"], ".zshrc", f"PROMPT='{PROMPT}'\n"),
    "fish": (
        ["fish", "-i"],
        ".config/fish/config.fish",
        f"function fish_prompt; echo -n '{PROMPT}'; end\n{NOTHING_GUESSED}",
    ),
}
TYPED = {
    "doct": "doctor",
    "explain masq-m": "explain masq-missing",
    "trace outsi": "trace outside",
    "doctor --check stale-d": "doctor --check stale-dnat",
    "doctor --snap": "doctor --snapshot",
    "doctor --snapshot saved-h": "doctor --snapshot saved-host.json",
}
"""What is typed before Tab, and what stands there after it."""


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShellSession]:
    name = str(request.param)
    if any(shutil.which(program) is None for program in (name, "tmux")):
        decline(f"not installed: {name} or tmux")
    home = tmp_path_factory.mktemp(name)
    program = home / "bin" / "dnet-tui"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom dnet_tui.tui.main import main\nmain()\n")
    program.chmod(0o755)
    (home / "saved-host.json").touch()
    argv, settings, prompt = SHELLS[name]
    (home / settings).parent.mkdir(parents=True, exist_ok=True)
    (home / settings).write_text(prompt)
    kept = {key: os.environ[key] for key in ("PYTHONPATH", "PYTHONPYCACHEPREFIX") if key in os.environ}
    environment = kept | {
        "HOME": str(home),
        "PATH": f"{program.parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "tmux-256color",
    }
    subprocess.run(
        [program, "--install-completion", name], env=environment, check=True, timeout=60, capture_output=True
    )
    with shell_session(argv, home, environment) as session:
        yield session


@pytest.mark.parametrize("typed", TYPED)
def test_tab_completes_what_was_begun(shell: ShellSession, typed: str) -> None:
    shell.fresh_line()
    shell.type(f"dnet-tui {typed}")
    shell.press("Tab")
    shell.wait_for(f"{PROMPT}dnet-tui {TYPED[typed]}")


def test_tab_lists_what_may_come_next(shell: ShellSession) -> None:
    shell.fresh_line()
    shell.type("dnet-tui ls ")
    shell.press("Tab", "Tab")
    shown = shell.wait_for("veths")
    assert {"bridges", "networks", "containers", "ports"} <= set(shown.split())
