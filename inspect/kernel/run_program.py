"""Runs a host's program with bounds: on time, and on how much it may say.  It changes nothing itself.

The program runs in the network namespace of the calling thread.  Argument
vectors only.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Sequence
from typing import IO, NamedTuple

from dnet_tui.inspect.text.sanitize import clean

_SYSTEM_FOLDERS = "/usr/sbin:/sbin:/usr/bin:/bin"
_CHUNK = 1 << 16
_MOST_SAID = 4096
"""Bytes of complaint that are kept."""

ROOT_HINT = "run dnet-tui as root"


class Ran(NamedTuple):
    """What a program printed.  ``error`` is empty if it ended well; ``too_large``: it was stopped for its length."""

    output: bytes
    error: str = ""
    hint: str = ""
    too_large: bool = False


def find_program(name: str) -> str | None:
    """The path of a host's program; administrators' folders are searched even if they aren't in PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}")


def run(argv: Sequence[str], *, stdin: bytes = b"", seconds: float, most: int) -> Ran:
    """Run a program and return what it printed.

    Args:
        argv: the program's path and its arguments.
        stdin: what it is to read; a few hundred bytes at most.
        seconds: how long it may take.
        most: how many bytes it may print.
    """
    name = os.path.basename(argv[0])  # noqa: PTH119 - a name in a message, no path of ours
    try:
        with subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
        ) as process:
            try:
                return _attend(process, name, stdin, seconds, most)
            finally:
                process.kill()
    except OSError as error:
        return Ran(b"", f"{name} could not be run: {error.strerror}")


def _attend(process: subprocess.Popen[bytes], name: str, stdin: bytes, seconds: float, most: int) -> Ran:
    deadline = time.monotonic() + seconds
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(stdin)
            process.stdin.close()
    output, said = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream, kept in ((process.stdout, output), (process.stderr, said)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, kept)
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                return Ran(b"", f"{name} did not answer within {seconds:.0f} s")
            for key, _ in ready:
                if not _took(key.fileobj, key.data, _MOST_SAID if key.data is said else None):
                    selector.unregister(key.fileobj)
            if len(output) > most:
                return Ran(b"", f"{name} printed more than {most >> 20} MB", too_large=True)
    try:
        code = process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return Ran(b"", f"{name} did not end within {seconds:.0f} s")
    return _ended(name, code, bytes(output), bytes(said))


def _took(stream: object, kept: bytearray, most: int | None) -> bool:
    """Take what a pipe holds; False at its end."""
    chunk = os.read(_fileno(stream), _CHUNK)
    if most is None or len(kept) < most:
        kept += chunk
    return bool(chunk)


def _fileno(stream: object) -> int:
    if isinstance(stream, int):
        return stream
    file: IO[bytes] = stream  # type: ignore[assignment]  # selectors know only "something with a descriptor"
    return file.fileno()


def _ended(name: str, code: int, output: bytes, said: bytes) -> Ran:
    if code == 0:
        return Ran(output)
    words = " ".join(said.decode("utf-8", "replace").split())
    denied = "ermission denied" in words or "not permitted" in words
    return Ran(output, f"{name} failed: {clean(words) or f'status {code}'}", ROOT_HINT if denied else "")
