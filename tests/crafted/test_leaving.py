"""``q`` and Ctrl-C end the app at once, also while it thinks about a host of a thousand containers."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dnet_tui.inspect.archive.snapshot_file import save
from scenarios.hosts.test_matrix_twins import SYNTHETIC

LONGEST = 8.0
"""Seconds; without being broken off the doctor takes some twenty."""


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "host.json"
    save(SYNTHETIC.host(1000, 20, 19000), path)
    return path


@pytest.mark.parametrize("key", [b"q", b"\x03"])
def test_a_key_ends_it_while_it_computes(big: Path, key: bytes) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        argv = [sys.executable, "-m", "dnet_tui.tui.main", "--snapshot", str(big)]
        os.execve(argv[0], argv, environment)  # noqa: S606 - no shell is wanted
    ended = False
    try:
        assert _reads(terminal, lambda seen: b"br-0000" in seen, 60), "nothing was shown"
        os.write(terminal, key)
        begun = time.monotonic()
        while not ended and time.monotonic() - begun < LONGEST:
            _reads(terminal, lambda _: False, 0.1)
            ended = os.waitpid(pid, os.WNOHANG)[0] == pid
        assert ended, f"it did not end within {LONGEST:g} s"
    finally:
        if not ended:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        os.close(terminal)


def _reads(terminal: int, enough: Callable[[bytes], bool], seconds: float) -> bool:
    """Read what the app paints until it is enough, or the time is up."""
    seen, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                return False
            if enough(seen):
                return True
    return False
