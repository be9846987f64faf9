"""Reads a bounded part of one ordinary file; a FIFO or a device in its place is never waited for."""

from __future__ import annotations

import os
import stat


class NotAnOrdinaryFileError(OSError):
    """What is at a path is a folder, a FIFO, a socket or a device."""

    def __init__(self, path: str) -> None:
        super().__init__(0, "it is not an ordinary file", path)


class TooLargeFileError(OSError):
    """A file is larger than what may be read of it."""

    def __init__(self, path: str) -> None:
        super().__init__(0, "it is too large", path)


def read_file(path: str, most: int) -> bytes:
    """A whole file of at most ``most`` bytes.

    Raises:
        OSError: it isn't there, isn't an ordinary file, may not be read, or is larger.
    """
    fd = _opened(path)
    with os.fdopen(fd, "rb") as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise TooLargeFileError(path)
    return raw


def read_beginning(path: str, most: int, *, follow: bool = True) -> bytes:
    """The first ``most`` bytes of a file, or all of it; without ``follow`` a link isn't followed.

    Raises:
        OSError: it isn't there, isn't an ordinary file, or may not be read.
    """
    with os.fdopen(_opened(path, follow=follow), "rb") as file:
        return file.read(most)


def read_end(path: str, most: int) -> bytes:
    """The last ``most`` bytes of a file, from the beginning of a line, or all of it.

    Raises:
        OSError: it isn't there, isn't an ordinary file, or may not be read.
    """
    fd = _opened(path)
    with os.fdopen(fd, "rb") as file:
        size = os.fstat(fd).st_size
        if size > most:
            file.seek(size - most)
            file.readline()
        return file.read(most)


def _opened(path: str, *, follow: bool = True) -> int:
    """A descriptor to read from; nothing is opened but what is known to be an ordinary file."""
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NotAnOrdinaryFileError(path)
        return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(handle)
