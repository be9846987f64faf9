"""``dnet-tui snapshot``: saves what was seen, and compares two such files."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from dnet_tui.inspect.errors import UsageError
from dnet_tui.inspect.model import Snapshot
from dnet_tui.inspect.model.view import View
from dnet_tui.tui.commands.snapshot_source import say_gaps, snapshot_from
from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.reports.json_text import to_json, to_json_line

snapshot_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@snapshot_app.callback()
def snapshot() -> None:
    """Save what was seen to a file, or compare two such files.

    A snapshot holds addresses, names, rules and processes of the host: share it as you would a configuration.
    """


@snapshot_app.command()
def save(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it (- for stdout).")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
    redacted: Annotated[
        bool, typer.Option("--redact", help="Replace addresses, names, comments and labels, each by the same thing.")
    ] = False,
) -> None:
    """Take a snapshot of this host and write it as JSON. Only you may read the file.

    With --redact it can be given away: subnets keep their addresses and private ones stay private, so that
    `doctor` finds the same in it. Interfaces and chains keep their names unless a container's is in them.
    """
    from dnet_tui.inspect.archive import snapshot_file  # noqa: PLC0415  only when saved

    to_stdout = str(file) == "-"
    if not to_stdout and file.exists() and not force:
        raise UsageError(f"{file} exists", "--force overwrites it")
    taken = snapshot_from(None)
    kept = _redacted(taken) if redacted else taken
    if to_stdout:
        sys.stdout.write(to_json_line(kept))
    else:
        snapshot_file.save(kept, file)
    say_gaps(taken.gaps, View(taken).label)


def _redacted(taken: Snapshot) -> Snapshot:
    from dnet_tui.inspect.archive.redact import redact  # noqa: PLC0415  only when asked for

    return redact(taken, secrets.token_bytes(32))


@snapshot_app.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="The earlier snapshot.")],
    after: Annotated[
        Path | None, typer.Argument(metavar="AFTER", help="The later one; this host, if left out.")
    ] = None,
    *,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="How to print it.")] = "text",
) -> None:
    """Say what was added, removed or changed between two snapshots, thing by thing.

    Counters, learnt neighbours, process ids and times are not compared. What one of the two could not see is said.

    Exit code 1 if something changed, 0 if nothing did, 3 if nothing did but one of the two saw less than the other.
    """
    from dnet_tui.diagnostics.difference.snapshots import compare  # noqa: PLC0415  only when compared
    from dnet_tui.tui.reports.difference_text import difference_text  # noqa: PLC0415  as above
    from dnet_tui.tui.reports.terminal import stdout_paper  # noqa: PLC0415  as above

    difference = compare(snapshot_from(before), snapshot_from(after))
    sys.stdout.write(to_json(difference) if output == "json" else difference_text(difference, stdout_paper()))
    if difference.changes:
        raise typer.Exit(Exit.FINDINGS)
    raise typer.Exit(Exit.CANNOT_INSPECT if difference.is_one_sided else Exit.OK)
