"""Remedies as data: typed steps, their undo and how they look as commands.  Pure.

Diagnostics proposes, ``actions`` executes.  Every step renders to an argument
vector that a person can type; nothing is ever passed to a shell.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.inspect.model.firewall import Backend

Risk = Literal["safe", "ask", "manual"]
"""``safe`` may be applied unasked, ``ask`` after confirmation, ``manual`` only by a person."""


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="op"):
    """Base of the typed operations."""


class SetSysctl(Operation, frozen=True, kw_only=True, tag="sysctl"):
    """Writes one kernel parameter in the host's network namespace."""

    key: str
    value: str


class InsertRule(Operation, frozen=True, kw_only=True, tag="insert-rule"):
    """Inserts an iptables rule so that it becomes number ``position``; None appends.

    ``spec`` is the rule's text as ``iptables-save`` prints it (no chain, no
    counters); ``packets``/``bytes`` restore counters of a rule put back.
    """

    backend: Backend
    family: Literal["ip", "ip6"]
    table: str
    chain: str
    spec: str
    position: int | None = None
    packets: int = 0
    bytes: int = 0


class DeleteRule(Operation, frozen=True, kw_only=True, tag="delete-rule"):
    """Deletes the rule with this text from a chain; ``position`` is where it stood (for the undo)."""

    backend: Backend
    family: Literal["ip", "ip6"]
    table: str
    chain: str
    spec: str
    position: int
    packets: int = 0
    bytes: int = 0


class Command(Operation, frozen=True, kw_only=True, tag="command"):
    """A command that only a person, or an engine's own client, should run."""

    argv: tuple[str, ...]


AnyOperation = SetSysctl | InsertRule | DeleteRule | Command


class Remedy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How to put one finding right.

    ``persists`` says whether the change outlives a reboot or a restart of the
    engine; ``note`` says what to do where it does not.
    """

    summary: str
    steps: tuple[AnyOperation, ...] = ()
    undo: tuple[AnyOperation, ...] = ()
    risk: Risk = "ask"
    persists: bool = False
    note: str = ""


def argv(operation: AnyOperation) -> tuple[str, ...]:
    """Return the command a person would type for ``operation``."""
    if isinstance(operation, SetSysctl):
        return ("sysctl", "-w", f"{operation.key}={operation.value}")
    if isinstance(operation, Command):
        return operation.argv
    program = PROGRAMS[operation.backend, operation.family]
    head = (program, "-w", "-t", operation.table)
    spec = split_spec(operation.spec)
    if isinstance(operation, DeleteRule):
        return (*head, "-D", operation.chain, *spec)
    counters = ("-c", str(operation.packets), str(operation.bytes)) if operation.packets else ()
    if operation.position is None:
        return (*head, "-A", operation.chain, *spec, *counters)
    return (*head, "-I", operation.chain, str(operation.position), *spec, *counters)


PROGRAMS: dict[tuple[str, str], str] = {
    ("iptables-nft", "ip"): "iptables-nft",
    ("iptables-nft", "ip6"): "ip6tables-nft",
    ("iptables-legacy", "ip"): "iptables-legacy",
    ("iptables-legacy", "ip6"): "ip6tables-legacy",
}
"""The program that changes the rules of a backend and family."""


def split_spec(spec: str) -> tuple[str, ...]:
    """Split a rule's text into arguments by iptables-save's quoting: double quotes, backslash escapes inside.

    This is *not* a shell's grammar: outside quotes every character stands for itself.
    """
    words: list[str] = []
    word: str | None = None
    quoted = False
    chars = iter(spec)
    for char in chars:
        if char == '"':
            quoted = not quoted
            word = word or ""
        elif char == "\\" and quoted:
            word = (word or "") + next(chars, "\\")
        elif char == " " and not quoted:
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + char
    if word is not None:
        words.append(word)
    return tuple(words)
