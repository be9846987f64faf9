"""A snapshot that comes through a pipe to the app, whose keys then come from the terminal itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dnet_tui.inspect.errors import UsageError


def from_stdin() -> Path:
    """Read a snapshot from standard input, make the terminal the standard input, and return where the snapshot lies.

    Raises:
        FileError: what came isn't a snapshot.
        UsageError: there is no terminal to take keys from.
    """
    from dnet_tui.inspect.archive.snapshot_file import decode  # noqa: PLC0415  not needed to look at this host

    data = sys.stdin.buffer.read()
    decode(data, "standard input")
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        raise UsageError("the app needs a terminal", "`dnet-tui doctor --snapshot -` prints to a pipe") from None
    os.dup2(terminal, 0)
    os.close(terminal)
    # In memory: a host's rules and addresses are left in no file.
    kept = os.memfd_create("snapshot")
    with os.fdopen(os.dup(kept), "wb") as file:
        file.write(data)
    return Path(f"/proc/self/fd/{kept}")
