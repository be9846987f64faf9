"""Where a command's snapshot comes from: a file, standard input or this host."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.coverage.needs import EVERYTHING, Needs
from dnet_tui.inspect.text.sanitize import clean

SnapshotFile = Annotated[
    Path | None,
    typer.Option("--snapshot", metavar="FILE", help="Read a saved snapshot (- for stdin) instead of this host."),
]
"""The option that every reading command has."""

_PATIENCE = 1.0  # seconds before a person wants to know that something is going on


_MOST_CONNECTIONS = 1000
"""Tracked connections of one port that are read at most."""


def snapshot_from(path: Path | None, needs: Needs = EVERYTHING, *, connections: int = 0) -> Snapshot:
    """Load a snapshot from a file (``-``: standard input), or take one of this host, of what is needed alone.

    ``connections`` is a port whose tracked connections are read as well (0: none).

    Raises:
        DnetError: the file can't be read or isn't a snapshot.
    """
    if path is not None:
        from dnet_tui.inspect.archive import snapshot_file  # noqa: PLC0415  not needed to look at this host

        return (
            snapshot_file.decode(sys.stdin.buffer.read(), "standard input")
            if str(path) == "-"
            else snapshot_file.load(path)
        )
    from dnet_tui.inspect.snapshot.take_snapshot import (  # noqa: PLC0415  brings in netlink and the engines' clients
        Options,
        take_snapshot,
    )
    from dnet_tui.tui.settings.host_settings import settings  # noqa: PLC0415  only for this host

    socket = settings().engines.docker_socket
    with progress("looking at this host"):
        if not connections:
            return take_snapshot(Options(needs=needs, docker_socket=socket))
        from dnet_tui.inspect.kernel.sockets.conntrack_parse import ConntrackFilter  # noqa: PLC0415  as above

        wanted = ConntrackFilter(ports=(connections,))
        return take_snapshot(
            Options(needs=needs, conntrack=_MOST_CONNECTIONS, conntrack_filter=wanted, docker_socket=socket)
        )


def say_gaps(gaps: Iterable[Gap], label: Callable[[str], str] = str, needs: Needs = EVERYTHING) -> None:
    """Tell on stderr what could not be seen, so that a short list isn't taken for the whole.

    ``label`` turns a gap's scope into what a person calls it, as ``View.label`` does.  Of what the command does not
    need nothing is told.
    """
    for gap in gaps:
        if not needs.includes(gap.section):
            continue
        scope = f" of {label(gap.scope)}" if gap.scope else ""
        hint = f" → {gap.hint}" if gap.hint else ""
        print(clean(f"not seen: {gap.section}{scope}: {gap.reason}{hint}", 1024), file=sys.stderr)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Say on stderr what takes so long, when it is a terminal and it takes more than a second."""
    if not sys.stderr.isatty():
        yield
        return
    shown = threading.Event()

    def show() -> None:
        shown.set()
        print(f"dnet-tui: {what} …", end="", file=sys.stderr, flush=True)

    timer = threading.Timer(_PATIENCE, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if shown.is_set():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
