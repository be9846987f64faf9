"""Room on the disk that is kept for the journal, so that a full disk never keeps a change from being taken back."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SIZE = 64 << 10
"""Bytes: the lines of an undo of some two hundred steps."""

_NAME = "journal.reserve"


def keep(folder: Path) -> None:
    """Fill the reserve, if there is room; where there is none nothing new can be begun either."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(OSError):
        descriptor = os.open(folder / _NAME, flags, 0o600)
        try:
            status = os.fstat(descriptor)
            if status.st_size < SIZE or status.st_blocks * 512 < SIZE:
                os.posix_fallocate(descriptor, 0, SIZE)
        finally:
            os.close(descriptor)


def give_up(folder: Path) -> bool:
    """Give the room back to the file system; False when there was none."""
    try:
        descriptor = os.open(folder / _NAME, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        held = os.fstat(descriptor).st_size > 0
        os.ftruncate(descriptor, 0)
        os.fsync(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return held
