"""What the app writes on the line, over a real pseudo-terminal: few bytes for a key, none while nothing happens."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnet_tui.inspect.archive.snapshot_file import save
from unit.builders.factories import docker_like_snapshot

LIMIT = 60
QUIET = 1.0


class Line:
    """The app on a terminal of 80 by 24."""

    def __init__(self, snapshot: Path, **environment: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24", **environment)
            argv = [sys.executable, "-P", "-m", "dnet_tui.tui.main", "--snapshot", str(snapshot)]
            os.execv(sys.executable, argv)  # noqa: S606 - no shell is wanted
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def read(self, words: str = "") -> bytes:
        """Read until some words came (styles left aside), and then until nothing more does."""
        data = b""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self.fd], [], [], QUIET)
            if ready:
                try:
                    data += os.read(self.fd, 1 << 16)
                except OSError:
                    return data
            elif not words or words in plain(data):
                return data
        raise AssertionError(f"{words!r} did not come: {plain(data)[-500:]!r}")

    def press(self, key: str, words: str) -> bytes:
        """Press a key, and return all that was written because of it."""
        os.write(self.fd, key.encode())
        return self.read(words)

    def close(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGTERM)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def plain(data: bytes) -> str:
    """What was written without escape sequences; a cursor movement is a blank."""
    text = data.decode("utf-8", "replace")
    return re.sub(r"\x1b\[[0-9;?<>=]*[a-zA-Z]|\x1b[^\[]", lambda found: " " if found[0].endswith("H") else "", text)


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A snapshot file."""
    path = tmp_path / "host.json"
    save(docker_like_snapshot(), path)
    return path


@pytest.fixture
def line(snapshot: Path) -> Iterator[Line]:
    """The app, when its report is there."""
    made = Line(snapshot)
    try:
        made.read("offline")
        yield made
    finally:
        made.close()


def test_a_cursor_key_costs_at_most_three_kilobytes_and_a_mode_twelve(line: Line) -> None:
    for _ in range(4):
        assert len(line.press("j", "")) <= 3000
    for key, words in (
        ("2", "Rules"),
        ("3", "Doctor"),
        ("4", "Trace"),
        ("5", "Capture"),
        ("6", "Changes"),
        ("1", "Map"),
    ):
        assert len(line.press(key, f"{key} {words}"[:2])) <= 12_000  # a cell that is the same is not written


def test_nothing_is_written_while_nothing_happens(line: Line) -> None:
    line.press("j", "")
    assert not select.select([line.fd], [], [], 5)[0]


def test_ctrl_l_writes_everything_anew(line: Line) -> None:
    line.press("j", "")
    assert len(line.press("\x0c", "docker0")) > 3000


def test_no_color_means_no_colours(snapshot: Path) -> None:
    made = Line(snapshot, NO_COLOR="1")
    try:
        written = made.read("offline").decode("utf-8", "replace")
        styles = {code for codes in re.findall(r"\x1b\[([\d;]*)m", written) for code in codes.split(";")}
        assert not {"38", "48"} & styles
    finally:
        made.close()
