"""The one place where an error becomes a message on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import print_exc

import typer

from dnet_tui.inspect.errors import ActionFailedError, DnetError, UsageError
from dnet_tui.inspect.text.sanitize import clean
from dnet_tui.tui.exit_codes import Exit

TRACEBACK_VARIABLE = "DNET_TUI_TRACEBACK"

_LIMIT = 2000  # characters of one line of a message


@contextmanager
def translated(*, traceback: bool) -> Iterator[None]:
    """Turn whatever a command raises into a short message and ``typer.Exit``.

    Usage errors of the command line itself are left to typer.  A reader that
    went away (``dnet-tui ls | head``) is no error and needs no message.
    """
    try:
        yield
        sys.stdout.flush()
    except (typer.Exit, typer.TyperException):
        raise
    except typer.Abort as error:
        say("interrupted")
        raise typer.Exit(Exit.INTERRUPTED) from error
    except BrokenPipeError as error:
        drop_stdout()
        raise typer.Exit(Exit.READER_GONE) from error
    except DnetError as error:
        say(error.message, error.hint)
        raise typer.Exit(exit_code(error)) from error
    except OSError as error:
        if not is_of_the_output(error):
            unexpected(error, traceback=traceback)
            raise typer.Exit(Exit.CANNOT_INSPECT) from error
        say_unwritten(error)
        raise typer.Exit(Exit.USAGE) from error
    except Exception as error:  # the last line of defence: a person gets a sentence, not a traceback
        unexpected(error, traceback=traceback)
        raise typer.Exit(Exit.CANNOT_INSPECT) from error


def unexpected(error: Exception, *, traceback: bool) -> None:
    """Say that this is dnet-tui's own fault, and where to see more of it."""
    if traceback or os.environ.get(TRACEBACK_VARIABLE):
        print_exc()
    say(
        f"something went wrong inside dnet-tui: {type(error).__name__}: {error}",
        f"`{TRACEBACK_VARIABLE}=1 dnet-tui …` or `dnet-tui --traceback …` shows where; please report it",
    )


def is_of_the_output(error: OSError) -> bool:
    """Whether it says that standard output takes no more: no file is named, and the medium refuses."""
    return error.filename is None and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def say_unwritten(error: OSError) -> None:
    """Say that standard output takes nothing (a full disk), and forget what it was to get."""
    say(f"the output can't be written: {error.strerror}", "send it to another place; nothing else was changed by that")
    drop_stdout()


def exit_code(error: DnetError) -> Exit:
    """The exit code for an error: 2 for usage, 1 for a failed action, otherwise 3."""
    if isinstance(error, UsageError):
        return Exit.USAGE
    return Exit.FINDINGS if isinstance(error, ActionFailedError) else Exit.CANNOT_INSPECT


def say(message: str, hint: str = "") -> None:
    """Print a message for a person on stderr, made harmless."""
    lines = [clean(line, _LIMIT) for line in message.splitlines() or [""]]
    print(f"dnet-tui: {lines[0]}", *lines[1:], sep="\n  ", file=sys.stderr)
    if hint:
        print(f"  → {clean(hint, _LIMIT)}", file=sys.stderr)


def drop_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush can't fail on a closed pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    finally:
        os.close(nowhere)
