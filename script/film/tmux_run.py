"""Drives the app in tmux, key by key, and keeps what the terminal shows as an asciicast."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WIDTH, HEIGHT = 100, 30
PER_SECOND = 10
LONGEST_WAIT = 30.0

STORY: tuple[tuple[str, str, float], ...] = (
    ("type", "dnet-tui", 0.4),
    ("key", "Enter", 0.0),
    ("see", "web", 1.5),
    ("see", "error", 0.5),
    ("key", "j", 0.3),
    ("key", "j", 0.3),
    ("key", "j", 1.6),
    ("key", "t", 0.2),
    ("see", "What doesn't work", 1.8),
    ("key", "Enter", 0.5),
    ("key", "Enter", 0.2),
    ("see", "it stops here", 2.4),
    ("key", "p", 0.0),
    ("see", "echo request", 3.5),
    ("key", "G", 0.3),
    ("key", "Enter", 0.2),
    ("see", "MASQUERADE", 3.0),
    ("key", "f", 2.5),
    ("key", "y", 0.0),
    ("see", "It passes", 1.8),
    ("key", "Escape", 3.0),
    ("key", "q", 0.8),
)
"""What is done: a key or typed text, or something to wait for, and how long it is looked at then, in seconds."""


class Terminal:
    """A terminal of its own: a tmux server that nobody else knows."""

    def __init__(self, folder: str, environment: dict[str, str]) -> None:
        self._argv = ["tmux", "-S", f"{folder}/socket", "-f", "/dev/null"]
        self._environment = environment

    def tell(self, *words: str) -> str:
        """Tell tmux something, and return what it says."""
        done = subprocess.run(
            [*self._argv, *words], env=self._environment, capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout

    def shown(self) -> str:
        """Return what the terminal shows, with its colours."""
        return self.tell("capture-pane", "-p", "-e", "-t", "film")


@contextmanager
def _terminal(root: Path) -> Iterator[Terminal]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "dnet-tui").symlink_to(root / ".venv/bin/dnet-tui")
        environment = {
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "HOME": folder,
            "LANG": "C.UTF-8",
            "COLORTERM": "truecolor",
            "PS1": "$ ",
        }
        environment.pop("TMUX", None)
        terminal = Terminal(folder, environment)
        size = ("-x", str(WIDTH), "-y", str(HEIGHT))
        terminal.tell("new-session", "-d", "-s", "film", *size, "bash", "--norc", "--noprofile")
        try:
            terminal.tell("set-option", "-g", "status", "off")
            terminal.tell("set-option", "-g", "escape-time", "0")
            terminal.tell("resize-window", "-t", "film", *size)
            yield terminal
        finally:
            terminal.tell("kill-server")


class Film:
    """What was shown, picture by picture."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._start = time.monotonic()
        self.pictures: list[tuple[float, str]] = []

    def look(self, seconds: float) -> None:
        """Record for a while."""
        end = time.monotonic() + seconds
        while True:
            text = self._terminal.shown()
            if not self.pictures or self.pictures[-1][1] != text:
                self.pictures.append((time.monotonic() - self._start, text))
            if time.monotonic() >= end:
                return
            time.sleep(1 / PER_SECOND)

    def wait_for(self, text: str) -> None:
        """Record until something is shown."""
        end = time.monotonic() + LONGEST_WAIT
        while text not in self.pictures[-1][1]:
            if time.monotonic() > end:
                msg = f"waited for {text!r} in vain; there was:\n{self.pictures[-1][1]}"
                raise TimeoutError(msg)
            self.look(0.1)


def record(cast: Path, root: Path) -> int:
    """Play the story on this host and write it as an asciicast; 1 where something did not come."""
    with _terminal(root) as terminal:
        film = Film(terminal)
        film.look(0.8)
        try:
            for kind, what, seconds in STORY:
                if kind == "see":
                    film.wait_for(what)
                elif kind == "key":
                    terminal.tell("send-keys", "-t", "film", what)
                else:
                    for letter in what:
                        terminal.tell("send-keys", "-t", "film", "-l", letter)
                        film.look(0.08)
                film.look(seconds)
        except TimeoutError as error:
            print(error)
            return 1
    release = os.uname().release
    head = {"version": 2, "width": WIDTH, "height": HEIGHT, "title": "dnet-tui", "env": {"TERM": "tmux-256color"}}
    lines = [json.dumps(head)]
    for moment, text in film.pictures:
        # Which build of a kernel it was recorded on is nobody's business, and would change with each recording.
        plain = text.replace(release, release.split("-")[0].ljust(len(release))).rstrip("\n").replace("\n", "\r\n")
        lines.append(json.dumps([round(moment, 2), "o", "\x1b[H\x1b[2J" + plain]))
    cast.write_text("\n".join(lines) + "\n")
    return 0
