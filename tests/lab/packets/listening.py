"""A process on a lab host that listens for changes and tells each request for a new look, and the app on a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.machines.hosts import LabHost, dnet_argv, python_argv

_CODE = """
import json, sys, time
from dnet_tui.inspect.watch.host_events import HostEvents
events = HostEvents(lambda moved: print(json.dumps(sorted(moved)), flush=True)).start()
print(json.dumps(events.notes), flush=True)
began = time.process_time()
sys.stdin.read()
events.close()
print(json.dumps(time.process_time() - began), flush=True)
"""

ROWS, COLUMNS = 40, 140


class Listener:
    """What :class:`dnet_tui.inspect.watch.host_events.HostEvents` says on a host."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._waiting = b""
        self.notes: dict[str, str] = json.loads(self._line(10.0) or "null")

    def sections(self, seconds: float) -> set[str]:
        """The sections of the next request within so many seconds; empty when there is none."""
        line = self._line(seconds)
        return {section for section, _ in json.loads(line)} if line else set()

    def hears(self, wanted: set[str], seconds: float) -> set[str]:
        """The sections of all requests until those wanted are among them, or so many seconds have passed."""
        deadline, found = time.monotonic() + seconds, set[str]()
        while not wanted <= found and (line := self._line(deadline - time.monotonic())):
            found |= {section for section, _ in json.loads(line)}
        return found

    def numbers(self, seconds: float) -> set[int]:
        """The namespaces that the next request is about."""
        line = self._line(seconds)
        return {nsid for _, nsid in json.loads(line)} if line else set()

    def settle(self, quiet: float = 1.0) -> None:
        """Wait until nothing was told for a while."""
        while self._line(quiet):
            pass

    def cpu_time(self) -> float:
        """End it; return the seconds of CPU that it used for listening."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        lines = [json.loads(line) for line in self._rest()]
        assert self._process.wait(10) == 0
        return float(lines[-1])

    def _rest(self) -> Iterator[bytes]:
        while line := self._line(10.0):
            yield line

    def _line(self, seconds: float) -> bytes:
        deadline = time.monotonic() + seconds
        assert self._process.stdout is not None
        while b"\n" not in self._waiting:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                return b""
            data = os.read(self._process.stdout.fileno(), 1 << 16)
            if not data:
                return b""
            self._waiting += data
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line


@contextmanager
def listening(host: LabHost) -> Iterator[Listener]:
    """Listen on a host, from when it is settled."""
    pipe = subprocess.PIPE
    with host.sandbox.popen(python_argv(_CODE), stdin=pipe, stdout=pipe, new_session=True) as process:
        try:
            listener = Listener(process)
            listener.settle()
            yield listener
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


class Terminal:
    """The app on a pseudo terminal of its own: what it writes, what it is typed, what it costs."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self._process = process
        self._master = master

    def written(self, seconds: float, until: bytes | None = None) -> bytes:
        """What the app writes in so many seconds, or until it wrote something."""
        data, deadline = b"", time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and (until is None or until not in data):
            if select.select([self._master], [], [], left)[0]:
                try:
                    data += os.read(self._master, 1 << 16)
                except OSError:  # the app has ended
                    break
        return data

    def settle(self, quiet: float = 4.0) -> None:
        """Wait until it writes nothing for a while."""
        while self.written(quiet):
            pass

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def cpu_ticks(self) -> int:
        """The CPU time that the app's process has used, in clock ticks."""
        (child,) = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        words = Path(f"/proc/{child}/stat").read_text().rpartition(") ")[2].split()
        return int(words[11]) + int(words[12])

    def quit(self) -> int:
        """Press q and wait for the end."""
        self.type(b"q")
        self.written(5.0)
        return self._process.wait(10)


@contextmanager
def app_on(host: LabHost, *options: str) -> Iterator[Terminal]:
    """Open the app on a host."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    try:
        with host.sandbox.popen(
            dnet_argv(*options),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            # Sizes in the environment (GNU readline puts them there) would count for more than the terminal's.
            environment=host.environment | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)},
            new_session=True,
        ) as process:
            os.close(slave)
            try:
                yield Terminal(process, master)
            finally:
                if process.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
    finally:
        os.close(master)
