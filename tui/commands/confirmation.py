"""Asking before a change: the question, and what stands in for it in a script."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from dnet_tui.inspect.errors import UsageError

READONLY_VARIABLE = "DNET_TUI_READONLY"


def require_consent(*, yes: bool, dry_run: bool = False) -> None:
    """Refuse early when nobody could say yes, or nothing may be changed at all.

    Raises:
        UsageError: There is no terminal to ask at and ``--yes`` was not given, or ``DNET_TUI_READONLY`` is set.
    """
    if dry_run:
        return
    if os.environ.get(READONLY_VARIABLE, "") not in ("", "0"):
        msg = f"this would change the host, and {READONLY_VARIABLE} is set"
        raise UsageError(msg, "--dry-run shows what would be done")
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        msg = "there is no terminal to ask at"
        raise UsageError(msg, "--yes goes ahead without asking, --dry-run shows what would be done")


def ask(question: str, *, yes: bool) -> bool:
    """Ask on stderr; anything but "y" or "yes" is no, and so is the end of input."""
    if yes:
        return True
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def show(lines: Iterable[str]) -> None:
    """Print lines on stdout, at once: they must stand there before the question does."""
    print(*lines, sep="\n", flush=True)
