"""A real interactive shell in a terminal of its own: keys are typed, and what it shows is read."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LONGEST_WAIT = 60.0
PROMPT = "ready> "


class ShellSession:
    """A shell in tmux, of which the server is this session's alone."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._argv = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._environment = dict(environment)

    def tell(self, *words: str) -> str:
        """Tell tmux something, and return what it says."""
        done = subprocess.run(
            [*self._argv, *words], env=self._environment, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys by their names."""
        self.tell("send-keys", "-t", "shell", *keys)

    def type(self, text: str) -> None:
        """Type text as it is."""
        self.tell("send-keys", "-t", "shell", "-l", text)

    def fresh_line(self) -> None:
        """Throw away what is typed, and clear the terminal."""
        self.press("C-u", "C-l")
        end = time.monotonic() + LONGEST_WAIT
        while (shown := self.shown()).strip() != PROMPT.strip():
            assert time.monotonic() < end, f"there is still:\n{shown}"
            time.sleep(0.1)

    def shown(self) -> str:
        """Return what the terminal shows."""
        return self.tell("capture-pane", "-p", "-J", "-t", "shell")

    def wait_for(self, text: str) -> str:
        """Wait until the terminal shows a text, and return all that it shows then."""
        end = time.monotonic() + LONGEST_WAIT
        while text not in (shown := self.shown()):
            assert time.monotonic() < end, f"waited for {text!r} in vain; there is:\n{shown}"
            time.sleep(0.1)
        return shown


@contextmanager
def shell_session(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[ShellSession]:
    """Start a shell, wait for its prompt, and end it."""
    session = ShellSession(folder, environment)
    session.tell("new-session", "-d", "-s", "shell", "-x", "100", "-y", "24", "-c", str(folder), *argv)
    try:
        session.wait_for(PROMPT)
        yield session
    finally:
        session.tell("kill-server")
