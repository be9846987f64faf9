"""Room on the disk that is kept for the journal, so that a full disk never keeps a change from being taken back."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SIZE = 64 << 10
"""Bytes: the lines of an undo of some two hundred steps."""

STEP = 512
"""Bytes that the lines of one more step may need: that it was made, and taken back."""

_NAME = "journal.reserve"


def keep(folder: Path, steps: int = 0) -> str:
    """Fill the reserve, for a plan of so many steps; returns why that can't be done, empty where it is."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    wanted = max(SIZE, steps * STEP)
    try:
        descriptor = os.open(folder / _NAME, flags, 0o600)
        status = os.fstat(descriptor)
        try:
            if status.st_size < wanted or status.st_blocks * 512 < wanted:
                os.posix_fallocate(descriptor, 0, wanted)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, status.st_size)  # what little it got is of more use to the journal
            raise
        finally:
            os.close(descriptor)
    except OSError as error:
        return error.strerror or "it can't be written"
    return ""


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
