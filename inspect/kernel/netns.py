"""Network namespaces: how one is named, and how a function is run inside it.

A namespace is named portably by its inode; a PID with its start time, or a
file such as ``/run/netns/web``, is how to get at it.  PIDs are reused, so
both are checked again after the file is opened and before it is entered.

Only the *network* namespace is ever joined (``CLONE_NEWNET``), and only by a
thread made for it: the caller's thread never moves.  Sockets and child
processes that this thread makes are in the namespace too.

Sources: namespaces(7), setns(2), proc_pid_stat(5).
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Generic, TypeVar

import msgspec

from dnet_tui.inspect.model import Namespace
from dnet_tui.inspect.text.encoding import unlegible

CLONE_NEWNET = 0x40000000
_SMALL = 1 << 14
"""More than the files that are read in one go ever have."""

T = TypeVar("T")


class NamespaceGoneError(Exception):
    """The namespace can't be reached by this handle any more: its process ended, or its PID is another's now."""


class NsHandle(msgspec.Struct, frozen=True, kw_only=True):
    r"""A way into one network namespace.

    ``path`` is tried first, then the process.  It may hold bytes that aren't
    text, as :func:`os.fsdecode` writes them, or as a snapshot does (``\xNN``).
    ``start`` is the process's start time in clock ticks since boot.
    """

    inode: int
    pid: int | None = None
    start: int | None = None
    path: str = ""

    @property
    def id(self) -> str:
        """The namespace's id in a snapshot: ``net:[INODE]``."""
        return namespace_id(self.inode)


@lru_cache(maxsize=16_384)
def namespace_id(inode: int) -> str:
    """The id of a namespace, as ``readlink /proc/PID/ns/net`` prints it."""
    return f"net:[{inode}]"


def handle_of(namespace: Namespace) -> NsHandle:
    """A way into a namespace of a snapshot taken on this host, by its path or its oldest process."""
    first = namespace.processes[0] if namespace.processes else None
    return NsHandle(
        inode=namespace.inode,
        path=namespace.path,
        pid=first.pid if first else None,
        start=first.start if first else None,
    )


def own_handle() -> NsHandle:
    """The namespace that this process's main thread is in: the snapshot's ``host``.

    Raises:
        OSError: /proc isn't there.
    """
    pid = os.getpid()
    return NsHandle(inode=inode_of(pid), pid=pid, start=start_time(pid))


def inode_of(pid: int) -> int:
    """The inode of a process's network namespace.

    Raises:
        OSError: no such process, or not permitted to look.
    """
    return os.stat(f"/proc/{pid}/ns/net").st_ino  # noqa: PTH116 - thousands of processes, a third of the time


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot (field 22 of /proc/PID/stat).

    Raises:
        OSError: no such process.
        ValueError: the file isn't what proc_pid_stat(5) describes.
    """
    return parse_start_time(read_small(f"/proc/{pid}/stat"))


def read_small(path: str) -> bytes:
    """A small file of /proc, in one read.  Plain descriptors: for what is read thousands of times.

    Raises:
        OSError: it isn't there, or may not be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, _SMALL)
    finally:
        os.close(fd)


def read_whole(path: str) -> bytes:
    """A file of /proc, to its end.

    Raises:
        OSError: it isn't there, or may not be read.
    """
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - one file, without the cost of a Path
        return file.read()


def parse_start_time(stat: bytes) -> int:
    """Field 22 of /proc/PID/stat.  The process's name, field 2, may hold blanks and brackets itself.

    Raises:
        ValueError: there is no such field.
    """
    fields = stat.rpartition(b")")[2].split()
    if len(fields) < 20:
        raise ValueError("/proc/PID/stat has too few fields")
    return int(fields[19])


@contextmanager
def opened(handle: NsHandle) -> Iterator[int]:
    """A file descriptor of the namespace, proved to be the one that was meant.

    Raises:
        NamespaceGoneError: it isn't there any more, or something else is in its place.
        PermissionError: not permitted to open it.
    """
    fd = _open(handle)
    try:
        yield fd
    finally:
        os.close(fd)


def _open(handle: NsHandle) -> int:
    denied: PermissionError | None = None
    for path in _paths(handle):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # whatever is in its place must not block
        except PermissionError as error:
            denied = error
            continue
        except OSError:
            continue
        if _is_meant(fd, handle, by_process=path == f"/proc/{handle.pid}/ns/net"):
            return fd
        os.close(fd)
    if denied is not None:
        raise denied
    raise NamespaceGoneError(f"{handle.id} is gone")


def _paths(handle: NsHandle) -> Iterator[str]:
    if handle.path:
        yield handle.path
        if "\\x" in handle.path:
            yield os.fsdecode(unlegible(handle.path))
    if handle.pid is not None:
        yield f"/proc/{handle.pid}/ns/net"


def _is_meant(fd: int, handle: NsHandle, *, by_process: bool) -> bool:
    """Whether an open file is the handle's namespace: same inode on nsfs, and the same process as ever."""
    seen = os.fstat(fd)
    if seen.st_ino != handle.inode or seen.st_dev != _nsfs_device():
        return False
    if not by_process or handle.pid is None or handle.start is None:
        return True
    try:
        return start_time(handle.pid) == handle.start
    except (OSError, ValueError):
        return False


@cache
def _nsfs_device() -> int:
    """The device number of the kernel's file system of namespaces: one per boot."""
    return os.stat("/proc/self/ns/net").st_dev  # noqa: PTH116 - as above


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)  # os.setns is Python 3.12's


def current_inode() -> int:
    """The inode of the network namespace that the calling thread is in.

    Raises:
        OSError: /proc isn't there.
    """
    return os.stat("/proc/thread-self/ns/net").st_ino  # noqa: PTH116 - as above


def enter(fd: int, handle: NsHandle) -> None:
    """Move the calling thread into an opened network namespace.  Only for threads made for it: nobody comes back.

    Raises:
        PermissionError: not permitted (setns needs CAP_SYS_ADMIN).
        OSError: the kernel refused.
    """
    if _libc().setns(fd, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), handle.id)


def run_in(handle: NsHandle, func: Callable[[], T]) -> T:
    """Run ``func`` inside a namespace, in a thread of its own, and return its result.

    Whatever ``func`` raises is raised here.  A namespace that the caller is
    in already is not entered again, so that one's own can be read without
    any privilege.

    Raises:
        NamespaceGoneError: it isn't there any more.
        PermissionError: not permitted to enter it (setns needs CAP_SYS_ADMIN).
    """
    visit = _Visit(handle, func)
    thread = threading.Thread(target=visit.run, name=f"in {handle.id}", daemon=True)
    thread.start()
    thread.join()
    return visit.outcome()


class _Visit(Generic[T]):
    """One stay of one thread in a namespace.  The thread ends with it, so it never has to come back."""

    def __init__(self, handle: NsHandle, func: Callable[[], T]) -> None:
        self._handle = handle
        self._func = func
        self._results: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._enter()
            self._results.append(self._func())
        except BaseException as error:  # noqa: BLE001 - handed over to the caller's thread, which raises it
            self._error = error

    def _enter(self) -> None:
        if current_inode() == self._handle.inode:
            return
        with opened(self._handle) as fd:
            enter(fd, self._handle)

    def outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return self._results[0]
