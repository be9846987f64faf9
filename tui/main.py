"""``dnet-tui``: the entry point.  Without a command it opens the app.

Imports here cost time on every call: nothing but typer, the registry and the
errors.  Everything else is imported by the command that needs it.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from dnet_tui.inspect.errors import UsageError
from dnet_tui.tui.completion_scripts import help_stays_plain
from dnet_tui.tui.error_exit import drop_stdout, say, say_unwritten
from dnet_tui.tui.exit_codes import Exit
from dnet_tui.tui.lazy_group import LazyGroup, examples_text

ROOT_EXAMPLES = (
    ("dnet-tui", "open the app on this host"),
    ("dnet-tui doctor", "what is wrong, and how to put it right"),
    ("dnet-tui --snapshot host.json", "look at a saved host"),
    ("dnet-tui demo", "try it on a disposable host"),
)

_COMMAND_GC = (100_000, 20, 20)
"""A command's objects live until it ends and form no cycles: looking for some so often takes a tenth of its time."""

app = typer.Typer(
    name="dnet-tui",
    cls=LazyGroup,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples_text(ROOT_EXAMPLES),
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  typer calls it with the option's value
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415  10 ms, wanted only here

        print(f"dnet-tui {version('dnet-tui')}")
        raise typer.Exit(Exit.OK)


@app.callback()
def root(
    ctx: typer.Context,
    *,
    snapshot: Annotated[
        Path | None,
        typer.Option("--snapshot", metavar="FILE", help="Open a saved snapshot (- for stdin) instead of this host."),
    ] = None,
    readonly: Annotated[bool, typer.Option("--readonly", help="Refuse everything that would change the host.")] = False,
    no_live: Annotated[
        bool, typer.Option("--no-live", help="Read the host only when asked (key r), not whenever it changes.")
    ] = False,
    traceback: Annotated[  # noqa: ARG001  read by LazyGroup from the context
        bool, typer.Option("--traceback", help="Show where an unexpected error came from.")
    ] = False,
    version: Annotated[  # noqa: ARG001  handled by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Inspect and troubleshoot container networks on this host: which hop, which rule, which sysctl, and the fix.

    Without a command it opens the app.
    """
    if ctx.invoked_subcommand is not None:
        if snapshot is not None:
            msg = "--snapshot stands before the command"
            raise UsageError(msg, f"write: dnet-tui {ctx.invoked_subcommand} --snapshot {snapshot}")
        return
    # Textual draws on stderr.
    piped = str(snapshot) == "-"
    if not ((piped or sys.stdin.isatty()) and sys.stdout.isatty() and sys.stderr.isatty()):
        msg = "the app needs a terminal"
        raise UsageError(msg, "`dnet-tui doctor` and `dnet-tui ls` print to a pipe; `ssh -t` gives a terminal")
    if piped:
        from dnet_tui.tui.piped_snapshot import from_stdin  # noqa: PLC0415  only where it is asked for

        snapshot = from_stdin()
    from dnet_tui.tui.app.app import run_app  # noqa: PLC0415  brings in Textual

    raise typer.Exit(run_app(snapshot, readonly=readonly, follow=not no_live))


def _fill_standard_streams() -> bool:
    """Put /dev/null where a standard stream is closed; False where that is standard output.

    Else the next file or socket that is opened would get its number, and what
    is meant for people would be written there.
    """
    unprintable = sys.stdout is None
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  a descriptor, to the end
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  as above
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  as above
    return not unprintable


def main() -> None:
    """Run ``dnet-tui`` with the process's arguments and exit."""
    gc.set_threshold(*_COMMAND_GC)
    if not _fill_standard_streams():
        say("standard output is closed", "send it to a file, or to /dev/null")
        sys.exit(Exit.USAGE)
    for stream in (sys.stdout, sys.stderr):
        # A terminal in another encoding gets "\u2194" for "↔", not a crash in the middle of a report.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if "_DNET_TUI_COMPLETE" in os.environ:
        help_stays_plain()
    try:
        try:
            app(prog_name="dnet-tui")
        finally:
            gc.freeze()  # so that Python, ending, doesn't search everything for cycles once more
            sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()
        sys.exit(Exit.READER_GONE)
    except OSError as error:
        say_unwritten(error)
        sys.exit(Exit.USAGE)


if __name__ == "__main__":
    main()
