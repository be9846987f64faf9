"""Runs a command of a private host on the caller's terminal, until one of the two ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from dnet_tui.actions.demo.init_process import HIDDEN
from dnet_tui.actions.demo.requirements import search_path
from dnet_tui.actions.demo.sandbox import Sandbox


def run_here(place: Sandbox, argv: Sequence[str]) -> int:
    """Run ``argv`` inside with this process's terminal and folder; return its exit code, as a shell counts it.

    An exception meanwhile, such as from :func:`ending_on_signals`, ends the host.
    """
    # The folder with the `dnet-tui` program first, for a shell's user.
    path = search_path(os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    # The terminal sends Ctrl-C to all in front, but what it means is the inner program's business alone: this process
    # and nsenter, which inherits it, ignore the signal; the program gets it back.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = None
    try:
        inner = ["env", "--default-signal=INT", *argv]
        process = place.popen(inner, cwd=_same_folder(Path.cwd()), environment={"PATH": path})
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        if process is not None and process.poll() is None:
            # Interrupted: end the host, and the program with it.  Ending nsenter alone would leave its child behind.
            place.stop()
            process.wait()
    return code if code >= 0 else 128 - code


def shell_argv() -> list[str]:
    """Return the user's shell."""
    return [os.environ.get("SHELL") or "/bin/sh"]


def _same_folder(here: Path) -> str:
    """Return ``here`` if the private host shows the same folder, else ``/``."""
    return "/" if any(here.is_relative_to(path) for path in ("/run", "/proc", *HIDDEN)) else str(here)


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an ordinary exit meanwhile, so that a host is taken down in order."""

    def leave(signum: int, _: FrameType | None) -> None:
        raise SystemExit(128 + signum)

    before = {signum: signal.signal(signum, leave) for signum in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
