"""Steps that the program does not take: advice for a person, and commands of older journals.  Pure."""

from __future__ import annotations

import shlex

from dnet_tui.diagnostics.operations.base import Argv, Operation, ProgramOperation


class ByHand(Operation, frozen=True, kw_only=True, tag="by-hand"):
    """A command that only a person should run, to look or to decide by."""

    argv: tuple[str, ...]

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"run `{shlex.join(self.argv)}` by hand"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (self.argv,)


class Command(ProgramOperation, frozen=True, kw_only=True, tag="command"):
    """Any command: what journals of earlier versions hold for changes of links, addresses, routes and the like.

    Nothing makes it any more; it is read, shown and taken back.
    """

    argv: tuple[str, ...]

    @property
    def text(self) -> str:
        """See :class:`Operation`."""
        return f"run `{shlex.join(self.argv)}`"

    def commands(self) -> tuple[Argv, ...]:
        """See :class:`Operation`."""
        return (self.argv,)
