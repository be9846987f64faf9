"""Runs every command that reads a snapshot on a crafted one, within a time limit; says what went wrong."""

from __future__ import annotations

import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from typer.testing import CliRunner

from crafted.snapshots import crafted, kind_of, sound
from dnet_tui.inspect.archive.snapshot_file import save
from dnet_tui.inspect.model import known_items
from dnet_tui.tui.error_exit import TRACEBACK_VARIABLE
from dnet_tui.tui.main import app
from unit.builders.factories import docker_like_snapshot

LIMIT = 30.0
"""Seconds for one command on one snapshot; most take a few hundredths."""
CODES = frozenset({0, 1, 2, 3})
_INSIDE = "went wrong inside"
"""What a person is told of an error that nobody thought of."""
LISTS = ("bridges", "networks", "containers", "veths", "ports")


class TroubleError(AssertionError):
    """A command hung or crashed."""


@contextmanager
def _within(seconds: float, what: str) -> Iterator[None]:
    def over(*_: object) -> NoReturn:
        raise TroubleError(f"{what} took more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def lines(file: Path, healthy: Path) -> Iterator[tuple[str, ...]]:
    """The command lines to try on a snapshot's file."""
    found = sound(file.read_bytes())
    names = [item.name for item in known_items(found.containers)[:3]] if found is not None else ["web"]
    given = ("--snapshot", str(file))
    yield ("doctor", *given)
    yield ("doctor", "--format=json", *given)
    yield ("ls", *given)
    for name in LISTS:
        yield ("ls", name, *given)
    yield ("rules", *given)
    yield ("rules", "--format=json", *given)
    # Whatever a name is, it is one word of the command line: that it may begin with a dash is what `--` is for.
    for source, target in (("outside", "host"), ("host", "outside"), *((name, "outside") for name in names)):
        yield ("trace", *given, "--port=8080", "--", source, target)
    yield ("trace", *given, "--format=json", "--", names[0] if names else "host", names[-1] if names else "host")
    few = found is None or len([item for item in known_items(found.containers) if item.running]) <= 60
    if few:
        yield ("trace", "--matrix", *given)
    else:
        yield ("trace", "--matrix", "--from=host", "--to=outside", *given)
    yield ("snapshot", "diff", str(file), str(healthy))
    yield ("snapshot", "diff", str(healthy), str(file))


def run(number: int, folder: Path) -> float:
    """Run all on the snapshot of a number and return the longest time that one took.

    Raises:
        TroubleError: one of them hung, crashed, or ended with a code that no command has.
    """
    file, healthy = folder / "crafted.json", folder / "healthy.json"
    file.write_bytes(crafted(number))
    if not healthy.exists():
        save(docker_like_snapshot(), healthy)
    longest = 0.0
    for words in lines(file, healthy):
        what = f"number {number} ({kind_of(number)}): dnet-tui {' '.join(words)!r}"
        begun = time.monotonic()
        with _within(LIMIT, what):
            ran = CliRunner().invoke(
                app, list(words), prog_name="dnet-tui", env={"COLUMNS": "80", TRACEBACK_VARIABLE: "1"}
            )
        longest = max(longest, time.monotonic() - begun)
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            told = "".join(traceback.format_exception(ran.exception)[-12:])
            raise TroubleError(f"{what} crashed:\n{told}")
        if ran.exit_code not in CODES or _INSIDE in ran.stderr:
            raise TroubleError(f"{what} ended with {ran.exit_code}:\n{ran.output[-2000:]}\n{ran.stderr[-3000:]}")
        if "\x1b" in ran.output:
            raise TroubleError(f"{what} let an escape through: {ran.output!r}"[:2000])
    return longest


def main(first: int, count: int, folder: Path) -> int:
    """Run many, and print what went wrong and how long the longest took."""
    wrong, longest = 0, (0.0, first)
    for number in range(first, first + count):
        try:
            longest = max(longest, (run(number, folder), number))
        except TroubleError as error:
            wrong += 1
            print(error, file=sys.stderr, flush=True)
    print(
        f"{count} snapshots from {first}: {wrong} hung or crashed a command; the longest took {longest[0]:.2f} s "
        f"(number {longest[1]}, {kind_of(longest[1])})"
    )
    return 1 if wrong else 0
