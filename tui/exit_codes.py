"""The exit codes of every command.  A contract: scripts depend on them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """0 healthy or done, 1 findings (or not delivered), 2 usage, 3 could not inspect enough, 130 interrupted.

    141 is what a shell reports of any program whose reader went away (128 + SIGPIPE).
    """

    OK = 0
    FINDINGS = 1
    USAGE = 2
    CANNOT_INSPECT = 3
    INTERRUPTED = 130
    READER_GONE = 141
