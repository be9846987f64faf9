"""``… snapshot save - | dnet-tui --snapshot -``: the host comes through the pipe, the keys from the terminal."""

from __future__ import annotations

import os
import pty
import sys
import time

from crafted.test_leaving import _reads
from dnet_tui.inspect.archive.snapshot_file import encode
from unit.builders.factories import docker_like_snapshot


def opened(data: bytes) -> tuple[int, int]:
    """Start the app in a terminal of its own with a snapshot on its standard input; returns its id and the terminal."""
    reading, writing = os.pipe()
    pid, terminal = pty.fork()
    if pid == 0:
        os.dup2(reading, 0)
        os.close(writing)
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        argv = [sys.executable, "-m", "dnet_tui.tui.main", "--snapshot", "-"]
        os.execve(argv[0], argv, environment)  # noqa: S606 - no shell is wanted
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(data)
    return pid, terminal


def ended(pid: int, terminal: int) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        _reads(terminal, lambda _: False, 0.1)
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return -1


def test_a_piped_snapshot_is_shown_and_keys_are_heard() -> None:
    pid, terminal = opened(encode(docker_like_snapshot()))
    try:
        assert _reads(terminal, lambda seen: b"docker0" in seen, 60), "nothing was shown"
        os.write(terminal, b"q")
        assert ended(pid, terminal) == 0
    finally:
        os.close(terminal)


def test_what_is_no_snapshot_is_said_before_anything_is_drawn() -> None:
    pid, terminal = opened(b"{")
    try:
        assert _reads(terminal, lambda seen: b"standard input" in seen, 60)
        assert ended(pid, terminal) == 2
    finally:
        os.close(terminal)
