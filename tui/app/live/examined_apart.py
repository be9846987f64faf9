"""A big host is examined in a process of its own: what that takes is gone with it, and keys wait for nothing.

Checks are pure functions (``diagnostics`` can reach neither files nor
processes), so a copy of this process can do them: it closes what it
inherited, thinks, and sends the report, which is small, back through a pipe.
In a thread the same work holds Python's lock for long stretches and leaves
dozens of megabytes behind, in which hardly anything is used any more.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dnet_tui.diagnostics.report.report import Report
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.firewall import Firewall

BIG = 3000
"""From so many rules and namespaces on the copy is worth its making, some milliseconds."""

STUCK = 20.0
"""Seconds in which a copy that thinks has used the processor; one that has not waits for what never comes."""

_SIGKILL = 9
_PR_SET_PDEATHSIG = 1


class ApartError(Exception):
    """The copy brought nothing."""


def is_big(snapshot: Snapshot) -> bool:
    """Whether thinking about a host takes seconds."""
    size = len(snapshot.namespaces)
    for namespace in snapshot.namespaces:
        firewall = namespace.firewall
        if isinstance(firewall, Firewall):
            size += sum(1 for _ in firewall.rules)
        if size >= BIG:
            return True
    return False


def examined_apart(examine: Callable[[Snapshot], Report], snapshot: Snapshot) -> Report:
    """Return what ``examine`` says of a snapshot, computed in a copy of this process; here if that brings nothing."""
    try:
        return _in_copy(examine, snapshot)
    except (ApartError, OSError):
        return examine(snapshot)


def _in_copy(examine: Callable[[Snapshot], Report], snapshot: Snapshot) -> Report:
    read_end, write_end = os.pipe()
    every = signal.valid_signals()
    # Blocked before there is a copy: a signal for the terminal's programs is not the copy's to handle.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, every)
    parent = os.getpid()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads' locks: see _answer
            pid = os.fork()
        if not pid:
            _be_the_copy(examine, snapshot, write_end, parent)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(write_end)
    try:
        told = _answer(read_end, pid)
    finally:
        os.close(read_end)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    report = pickle.loads(told)  # noqa: S301  our own process wrote it
    if not isinstance(report, Report):
        raise ApartError
    return report


def _be_the_copy(examine: Callable[[Snapshot], Report], snapshot: Snapshot, write_end: int, parent: int) -> None:
    """Think, tell, end; nothing of what the copied process would do at its end is done."""
    try:
        _die_with(parent)
        _close_all_but(write_end)
        told = memoryview(pickle.dumps(examine(snapshot), 5))
        while told:
            told = told[os.write(write_end, told) :]
    except BaseException:  # noqa: BLE001  the error is had again where it can be told
        os._exit(1)
    os._exit(0)


def _close_all_but(kept: int) -> None:
    """A pipe that another thread's program reads from must end when this process closes it, and so must a capture."""
    for fd in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if fd != kept:
            with suppress(OSError):  # the listing's own
                os.close(fd)


def _die_with(parent: int) -> None:
    import ctypes  # noqa: PLC0415  loaded already where there is a libc

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _answer(read_end: int, pid: int) -> bytes:
    """All that the copy writes until it ends; given up when it waits for something that this process had locked."""
    told, used = bytearray(), -1
    while True:
        ready, _, _ = select.select([read_end], [], [], STUCK)
        if ready:
            part = os.read(read_end, 1 << 16)
            if not part:
                if not told:
                    raise ApartError
                return bytes(told)
            told += part
            continue
        now = _ticks(pid)
        if now == used:
            raise ApartError
        used = now


def _ticks(pid: int) -> int:
    """The processor time that a process has used, in the kernel's ticks."""
    words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(words[11]) + int(words[12])
