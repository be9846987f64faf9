"""Writing a report to a file: who reads it sees the old one or the new one, never half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from dnet_tui.inspect.errors import UsageError


def replace_file(to: Path, text: str) -> None:
    """Write a file, readable by everybody, in one step; a link to it stays one.

    A device or a pipe is written to as it is: a file in its place would take it
    from everybody else (``/dev/null``).

    Raises:
        UsageError: it can't be written there.
    """
    try:
        if to.exists() and not to.is_file():
            with to.open("w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            return
        to = to.resolve()
        descriptor, name = tempfile.mkstemp(prefix=f".{to.name}.", dir=to.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
                os.fchmod(file.fileno(), 0o644)
            Path(name).replace(to)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        hint = "name a file in a folder that you may write to"
        raise UsageError(f"{to} can't be written: {error.strerror}", hint) from None
