"""What every change is: its commands, its effect on a snapshot, its inverse and its text.  Pure.

Diagnostics proposes operations, ``actions`` executes them.  An operation
renders to argument vectors that a person can type; nothing is ever passed to
a shell, and nothing reads an argument vector back.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dnet_tui.inspect.errors import DnetError
from dnet_tui.inspect.model import Namespace, Snapshot
from dnet_tui.inspect.model.coverage.sections import known_items, with_items

Argv = tuple[str, ...]
"""A command as an argument vector."""


class UnknownEffectError(DnetError):
    """What an operation would do to a host can't be said from a snapshot, or the snapshot doesn't fit it."""


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="op"):
    """Base of the typed operations.  ``op`` and the fields are what a journal keeps: both only grow."""

    @property
    def text(self) -> str:
        """What it does, in an operator's words, as an imperative without a full stop."""
        raise NotImplementedError

    def commands(self) -> tuple[Argv, ...]:
        """The commands that a person would type for it, in order."""
        raise NotImplementedError

    def effect(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot as the host would be after it.

        Only what the operation itself changes is changed; counters stay.

        Raises:
            UnknownEffectError: It can't be said, or the snapshot lacks what the operation speaks of.
        """
        del snapshot
        msg = f"what this would change can't be said beforehand: {self.text}"
        raise UnknownEffectError(msg)

    def inverse(self) -> Operation | None:
        """The operation that takes it back, as far as that is known from this one alone; None where it isn't."""
        return None

    def undo_commands(self) -> tuple[Argv, ...]:
        """The commands of the inverse; empty where none is known before the operation was made."""
        back = self.inverse()
        return back.commands() if back is not None else ()


class ProgramOperation(Operation, frozen=True, kw_only=True):
    """An operation that is made by running its own commands; so is what takes it back."""

    def programs(self) -> tuple[str, ...]:
        """The programs that its commands need, each once."""
        return tuple(dict.fromkeys(words[0] for words in self.commands()))


def on_host(snapshot: Snapshot, change: Callable[[Namespace], Namespace]) -> Snapshot:
    """The snapshot with the host's own namespace changed."""
    return with_namespaces(snapshot, lambda ns: change(ns) if ns.kind == "host" else ns)


def with_namespaces(snapshot: Snapshot, change: Callable[[Namespace], Namespace]) -> Snapshot:
    """The snapshot with each namespace that was seen changed; what was not seen stays so."""
    changed = tuple(change(ns) for ns in known_items(snapshot.namespaces))
    return msgspec.structs.replace(snapshot, namespaces=with_items(snapshot.namespaces, changed))
