"""The journal: every change is written down, and on the disk, before it is made.

A file of JSON lines (:mod:`dnet_tui.actions.journal.entries`), appended to and never
rewritten.  Whatever the moment at which the program is killed, the lines tell
what may have been done.

A line that is cut short (killed while writing, disk full) is skipped: its
change was not made, since changes follow a successful ``fsync``.  A damaged
line hides no other; see :mod:`dnet_tui.actions.journal.journal_lines`.

Writers hold an exclusive ``flock`` from ``begin`` to the end, so that two
dnet-tui never interleave; readers need none.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from dnet_tui.actions.journal.entries import AnyRecord, Before, Begin, JournalEntry, StepLocation, fold, now
from dnet_tui.actions.journal.journal_lines import JournalLines, parse_lines
from dnet_tui.actions.journal.reserve import give_up, keep
from dnet_tui.actions.plans.plan import Plan
from dnet_tui.inspect.errors import ActionFailedError

STATE_VARIABLE = "DNET_TUI_STATE"
_NAME = "journal.jsonl"
_SO_NETNS_COOKIE = 71  # include/uapi/asm-generic/socket.h, Linux 5.14


def read(folder: Path) -> tuple[tuple[JournalEntry, ...], int]:
    """Return the entries in a state folder, oldest first, and how many lines could not be read.

    Raises:
        ActionFailedError: The journal may not be read, or isn't this user's.
    """
    found = _lines(folder)
    return fold(found.records), found.torn


def _lines(folder: Path) -> JournalLines:
    path = folder / _NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return JournalLines((), 0, 0)
    except OSError as error:
        raise _unusable(path, error.strerror or "cannot be opened") from error
    with open(descriptor, "rb") as file:  # noqa: PTH123  a descriptor, opened without following links
        _refuse_foreign(descriptor, path)
        return parse_lines(file.read())


class Journal:
    """The journal, open for writing.  Made by :func:`opened`, which holds the lock."""

    def __init__(self, descriptor: int, folder: Path, found: JournalLines) -> None:
        self._descriptor = descriptor
        self._folder = folder
        self._entries = fold(found.records)
        self._highest = found.highest

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """The entries as they were when the journal was opened."""
        return self._entries

    def begin(self, plan: Plan, place: StepLocation) -> str:
        """Open an entry and return its id.

        Raises:
            ActionFailedError: There is no room for it, or none is left for what taking it back would write.
        """
        if trouble := keep(self._folder, len(plan.steps)):
            msg = f"the journal can't keep room for taking changes back: {trouble} (nothing was changed)"
            raise ActionFailedError(msg, f"make room in {self._folder}, then try again")
        self._highest += 1
        identity = f"{self._highest:04d}"
        self.write(Begin(id=identity, time=now(), title=plan.title, place=place, steps=plan.steps))
        return identity

    def write(self, record: AnyRecord) -> None:
        """Append one line and wait until it is on the disk.

        What is said of a change that was made, or taken back, may use the
        room that is kept for it (:mod:`dnet_tui.actions.journal.reserve`).

        Raises:
            ActionFailedError: It could not be written whole; then it counts as not written.
        """
        try:
            self._append(record)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT) and not isinstance(record, Begin | Before)
            if full and give_up(self._folder):
                with suppress(OSError):
                    self._append(record)
                    return
            msg = f"the journal could not be written: {error.strerror}"
            raise ActionFailedError(msg, "without a journal nothing is changed: make room, then try again") from error

    def _append(self, record: AnyRecord) -> None:
        start = os.fstat(self._descriptor).st_size
        data = msgspec.json.encode(record) + b"\n"
        if start and os.pread(self._descriptor, 1, start - 1) != b"\n":
            data = b"\n" + data  # the last writer was cut short: don't grow its torn line
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fsync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, start)
            raise


@contextmanager
def opened(folder: Path, *, patience: float = 30.0) -> Iterator[Journal]:
    """Open the journal in ``folder`` for writing, alone; waits up to ``patience`` seconds for another writer.

    Raises:
        ActionFailedError: Another dnet-tui is at work, or the folder or file can't be used safely.
    """
    path = folder / _NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_foreign_folder(folder)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise _unusable(path, error.strerror or "cannot be opened") from error
    try:
        _refuse_foreign(descriptor, path)
        _lock(descriptor, patience)
        _sync_folder(folder)
        keep(folder)
        yield Journal(descriptor, folder, _lines(folder))
    finally:
        os.close(descriptor)  # gives the lock back


def state_folder() -> Path:
    """Return the folder of this user's journal.

    ``DNET_TUI_STATE`` itself; else ``dnet-tui`` in ``XDG_STATE_HOME``; else
    ``/var/lib/dnet-tui`` for root and ``~/.local/state/dnet-tui`` for others
    (such as the root of a user namespace, who owns nothing of /var/lib).
    """
    if told := os.environ.get(STATE_VARIABLE):
        return Path(told)
    if (base := os.environ.get("XDG_STATE_HOME", "")).startswith("/"):
        return Path(base) / "dnet-tui"
    if os.geteuid() == 0 and _is_initial_user_namespace():
        return Path("/var/lib/dnet-tui")
    return Path.home() / ".local/state/dnet-tui"


def here() -> StepLocation:
    """Return the place that the calling thread is in."""
    inode = Path("/proc/thread-self/ns/net").stat().st_ino
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            cookie = int.from_bytes(probe.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), "little")
    except OSError:
        cookie = 0
    return StepLocation(netns=inode, cookie=cookie, boot=boot)


def _lock(descriptor: int, patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                msg = "another dnet-tui is changing this host right now"
                raise ActionFailedError(msg, "wait until it has finished, then try again") from None
            time.sleep(0.05)
        else:
            return


def _refuse_foreign(descriptor: int, path: Path) -> None:
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid():
        raise _unusable(path, f"it belongs to another user (uid {status.st_uid})")
    if not stat.S_ISREG(status.st_mode):
        raise _unusable(path, "it is no ordinary file")
    if status.st_mode & 0o022:
        raise _unusable(path, "others may write to it")


def _refuse_foreign_folder(folder: Path) -> None:
    status = folder.stat()
    if status.st_uid != os.geteuid():
        raise _unusable(folder, f"it belongs to another user (uid {status.st_uid})")
    if status.st_mode & 0o022:
        raise _unusable(folder, "others may write to it")


def _unusable(path: Path, reason: str) -> ActionFailedError:
    hint = f"without a journal nothing is changed; {STATE_VARIABLE} names another folder for it"
    return ActionFailedError(f"the journal {path} cannot be used: {reason}", hint)


def _sync_folder(folder: Path) -> None:
    """Make the file's name durable, not only its contents."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_initial_user_namespace() -> bool:
    try:
        return Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
    except OSError:
        return True
