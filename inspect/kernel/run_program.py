"""Finds and runs a host's programs: found one way, run with bounds on time and on what they may print.

Everybody who runs a program goes through here.  A name is looked for in the
system's own folders first and only then in PATH, never in a relative folder
or the current one: whoever may write there must not choose what root runs.
The program runs in the network namespace of the calling thread, in a session
of its own, and is ended together with what it started when its time is up.
Argument vectors only.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Literal, NamedTuple

from dnet_tui.inspect.text.sanitize import clean

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
"""Searched first, and also where an ordinary user's PATH lacks the ``sbin`` folders (Debian's does)."""

MOST_OUTPUT = 64 << 20
"""Bytes that a program may print where its caller knows no better; 20,000 rules take some 3 MB."""

ROOT_HINT = "run dnet-tui as root"

_CHUNK = 1 << 16
_MOST_SAID = 4096
"""Bytes of complaint that are kept."""

ProgramTrouble = Literal["", "absent", "denied", "late", "too-large", "failed"]


class ProgramResult(NamedTuple):
    """How a program ended.

    ``output`` is its stdout, ``complaint`` the beginning of its stderr.
    ``error`` is empty if it ended with status 0, otherwise a sentence about
    it, with a ``hint`` where there is one.  ``code`` is its exit status
    (negative: the signal that ended it), None when it was not run to its end.
    ``trouble`` tells why: it isn't there (or
    nobody may run it), was refused, took too long, printed too much, or ended
    with another status than 0.
    """

    output: bytes = b""
    error: str = ""
    hint: str = ""
    code: int | None = None
    complaint: bytes = b""
    trouble: ProgramTrouble = ""


def program_folders(path: str | None = None) -> tuple[str, ...]:
    """The folders that programs are looked for in, each once: the system's, then those of PATH that are absolute.

    Args:
        path: what stands for PATH; None: the environment's.
    """
    given = os.environ.get("PATH", "") if path is None else path
    return tuple(dict.fromkeys((*SYSTEM_FOLDERS, *(part for part in given.split(os.pathsep) if part.startswith("/")))))


def search_path(path: str | None = None) -> str:
    """The same as text: the PATH that programs are given, so that what they start is found the same way."""
    return os.pathsep.join(program_folders(path))


def find_program(name: str, path: str | None = None) -> str | None:
    """The absolute path of a host's program; None where it isn't installed.

    Args:
        name: its name, or an absolute path, which is only looked at; a relative path is never found.
        path: what stands for PATH; None: the environment's.
    """
    if "/" in name:
        return name if name.startswith("/") and _is_program(name) else None
    if not name or "\0" in name:
        return None
    return next((found for folder in program_folders(path) if _is_program(found := f"{folder}/{name}")), None)


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)  # noqa: PTH113 - a question asked of every folder


def program_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that a program is given: the caller's, with untranslated messages and a PATH to rely on.

    Args:
        environment: what it is made from; None: this process's.
    """
    given = os.environ if environment is None else environment
    return {**given, "LC_ALL": "C", "PATH": search_path(given.get("PATH", ""))}


def run_program(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    seconds: float,
    most: int = MOST_OUTPUT,
    environment: Mapping[str, str] | None = None,
) -> ProgramResult:
    """Run a program to its end and return what it printed.  Never raises for anything the program does.

    Args:
        argv: the program (a name that is looked for, or an absolute path) and its arguments.
        stdin: what it is to read.
        seconds: how long it may take.
        most: how many bytes it may print.
        environment: its environment, as :func:`program_environment` makes it from this; None: from this process's.
    """
    name = argv[0].rpartition("/")[2]
    path = find_program(argv[0])
    if path is None:
        return ProgramResult(error=f"{name} is not installed", trouble="absent")
    try:
        with subprocess.Popen(
            [path, *argv[1:]],
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=program_environment(environment),
            start_new_session=True,
        ) as process:
            try:
                return _Attendance(process, name, stdin, seconds, most).result()
            finally:
                _end(process)
    except ValueError:  # an argument holds a NUL, which no program can be given
        return ProgramResult(error=f"{name} could not be run: an argument holds a NUL byte", trouble="failed")
    except OSError as error:
        trouble: ProgramTrouble = "denied" if isinstance(error, PermissionError) else "failed"
        return ProgramResult(error=f"{name} could not be run: {error.strerror}", trouble=trouble)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, with whatever it started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()


class _Attendance:
    """Feeds one program and takes what it prints, until it ends or a bound is reached."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, stdin: bytes, seconds: float, most: int) -> None:
        self._process, self._name, self._seconds, self._most = process, name, seconds, most
        self._deadline = time.monotonic() + seconds
        self._left = memoryview(stdin)
        self._output, self._said = bytearray(), bytearray()

    def result(self) -> ProgramResult:
        """How it ended."""
        with selectors.DefaultSelector() as selector:
            for stream, event, kept in self._streams():
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, event, kept)
            while selector.get_map():
                left = self._deadline - time.monotonic()
                ready = selector.select(left) if left > 0 else []
                if not ready:
                    return self._late(f"did not answer within {self._seconds:.0f} s")
                for key, _ in ready:
                    goes_on = self._feed(key.fd) if key.data is None else self._take(key.fd, key.data)
                    if not goes_on:
                        selector.unregister(key.fileobj)
                        if key.data is None and self._process.stdin is not None:
                            self._process.stdin.close()
                if len(self._output) > self._most:
                    error = f"{self._name} printed more than {self._most >> 20} MB"
                    return ProgramResult(error=error, trouble="too-large")
        try:
            code = self._process.wait(max(0.1, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return self._late(f"did not end within {self._seconds:.0f} s")
        return self._ended(code)

    def _streams(self) -> Iterator[tuple[IO[bytes], int, bytearray | None]]:
        """The program's pipes, what to wait for, and where what comes is kept (None: it is fed)."""
        for stream, kept in ((self._process.stdout, self._output), (self._process.stderr, self._said)):
            if stream is not None:
                yield stream, selectors.EVENT_READ, kept
        if self._process.stdin is not None:
            yield self._process.stdin, selectors.EVENT_WRITE, None

    def _feed(self, fd: int) -> bool:
        """Give it some of its input; False when it has all, or wants no more."""
        try:
            self._left = self._left[os.write(fd, self._left[:_CHUNK]) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False
        return bool(self._left)

    def _take(self, fd: int, kept: bytearray) -> bool:
        """Take what a pipe holds; False at its end."""
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:
            return True
        if kept is self._output:
            kept += chunk
        else:
            kept += chunk[: _MOST_SAID - len(kept)]
        return bool(chunk)

    def _late(self, what: str) -> ProgramResult:
        return ProgramResult(error=f"{self._name} {what}", trouble="late", complaint=bytes(self._said))

    def _ended(self, code: int) -> ProgramResult:
        output, said = bytes(self._output), bytes(self._said)
        if code == 0:
            return ProgramResult(output, code=code, complaint=said)
        words = " ".join(said.decode("utf-8", "replace").split())
        denied = "ermission denied" in words or "not permitted" in words
        return ProgramResult(
            output,
            f"{self._name} failed: {clean(words) or f'status {code}'}",
            ROOT_HINT if denied else "",
            code,
            said,
            "failed",
        )
