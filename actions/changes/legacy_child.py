"""Writes one rule of a legacy table through python-iptables: a process of its own, started by ``legacy_write``.

    python -m dnet_tui.actions.changes.legacy_child      an Order on stdin, an Answer on stdout

A process of its own because python-iptables keeps its tables for as long as
the process lives, swaps file descriptor 1 while it works, and loads C code
that ends the process when it fails.  It takes the xtables lock, which
python-iptables doesn't, finds the chain as the order expects it, makes the one
change in one commit, and looks at the result before it gives the lock back.

Its answer is a help: whether and how the chain has changed is for its starter
to see, who may get no answer at all.  It dies with its starter, so that
nothing is written any more once somebody may have begun to undo it.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from dnet_tui.actions.changes.chains import digest, parse_chain
from dnet_tui.actions.changes.legacy_rule import BASE_NAMES, RuleOptions, same_meaning
from dnet_tui.diagnostics.operations.rule import PROGRAMS
from dnet_tui.inspect.kernel.run_program import run_program

if TYPE_CHECKING:
    from types import ModuleType

LOCK_VARIABLE, LOCK_FILE = "XTABLES_LOCKFILE", "/run/xtables.lock"
"""The lock that iptables takes (``-w``), and the variable that names another."""

READ_LIMIT = 10.0
"""Seconds for one run of ``iptables-legacy-save``."""

_BYTES = re.compile(r"\bb'([^']*)'")
_PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule to insert as, or to delete at, ``number`` (from 1).

    ``digest`` is that of the chain as it must be then; ``rule`` None deletes.
    ``text`` is the rule's text; ``verbatim``: it must be printed just so.
    ``patience`` is how long to wait for the lock, in seconds, and ``starter``
    the PID of the process that waits for the answer.  ``rule`` is a
    :data:`dnet_tui.actions.changes.legacy_rule.EasyRule`.
    """

    family: Literal["ip", "ip6"]
    table: str
    chain: str
    number: int
    digest: str
    starter: int
    patience: float
    rule: dict[str, Any] | None = None
    text: str = ""
    verbatim: bool = False
    packets: int = 0
    bytes: int = 0


class LegacyReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How it went.

    ``done``; ``refused`` (python-iptables or the kernel would not: nothing has
    changed); ``busy`` (another program holds the lock) or ``outrun`` (the chain
    isn't what the order expects): nothing was tried; ``unsure``.
    """

    outcome: Literal["done", "refused", "busy", "outrun", "unsure"]
    reason: str = ""


class RefusedError(Exception):
    """Nothing was changed, for the reason given."""


def is_done(order: Order, before: list[str], after: list[str]) -> bool:
    """True when a chain's texts have changed from ``before`` as ordered, and in nothing else."""
    at = order.number - 1
    if order.rule is None:
        return after == [*before[:at], *before[at + 1 :]]
    if len(after) != len(before) + 1 or [*after[:at], *after[at + 1 :]] != before:
        return False
    if after[at] == order.text:
        return True
    return not order.verbatim and same_meaning(after[at], order.text, order.family)


def carry_out(order: Order) -> LegacyReply:
    """Make the change, alone, and take back what came out otherwise than ordered."""
    try:
        with _locked(order.patience):
            before = _texts(order)
            if digest(before) != order.digest:
                return LegacyReply(outcome="outrun")
            _change(order)
            after = _texts(order)
            if is_done(order, before, after):
                return LegacyReply(outcome="done")
            if order.rule is not None and len(after) == len(before) + 1:
                _change(msgspec.structs.replace(order, rule=None))
                if _texts(order) == before:
                    return LegacyReply(outcome="refused", reason="it would have written another rule")
            return LegacyReply(outcome="unsure", reason="the chain is not as expected")
    except BlockingIOError:
        return LegacyReply(outcome="busy")
    except RefusedError as error:
        return LegacyReply(outcome="refused", reason=str(error))


@contextmanager
def _locked(patience: float) -> Iterator[None]:
    """Hold the xtables lock; BlockingIOError when ``patience`` seconds weren't enough to get it."""
    end = time.monotonic() + patience
    path = os.environ.get(LOCK_VARIABLE) or LOCK_FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        msg = f"{path} can't be opened: {error.strerror}"
        raise RefusedError(msg) from error
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _texts(order: Order) -> list[str]:
    """The texts of the chain's rules, by the program that everything else here reads legacy rules with."""
    program = f"{PROGRAMS['iptables-legacy', order.family]}-save"
    ran = run_program([program, "-t", order.table], seconds=READ_LIMIT)
    if ran.error:
        raise RefusedError(ran.error)
    return parse_chain(ran.output.decode(errors="backslashreplace"), order.chain).texts


def _change(order: Order) -> None:
    """Do it in one commit; whatever fails, fails before the kernel has taken anything."""
    try:
        import iptc  # noqa: PLC0415  slow to import, and not always there

        table = _open(iptc, order)
        if order.rule is None:
            _delete(table, order)
        else:
            made = _build(iptc, table, order, order.rule)
            iptc.Chain(table, order.chain).insert_rule(made, order.number - 1)
        _commit(table)
        table.close()
    except Exception as error:  # whatever this library raises; its C code reports through exceptions of many kinds
        raise RefusedError(_said(error)) from error


def _open(iptc: ModuleType, order: Order) -> Any:
    """Open the table, and keep the library from opening (which creates) all others to look for chains there."""
    kind = iptc.Table if order.family == "ip" else iptc.Table6
    kind.existing_table_names.update({name: name == order.table for name in kind.ALL})
    # Opening again under the same name would return the one of before: this is the only one, or it was closed.
    table = kind(order.table, autocommit=False)
    table.refresh()
    if not table.is_chain(order.chain):
        msg = "there is no such chain"
        raise RefusedError(msg)
    return table


def _delete(table: Any, order: Order) -> None:
    """Delete by number: by its contents the library would take the first of several twins."""
    calls, handle = table._iptc, table._handle  # noqa: SLF001  its table lacks a method for this call of libiptc
    if calls.iptc_delete_num_entry(order.chain.encode(), order.number - 1, handle) != 1:
        raise RefusedError(_text(table.strerror()))


def _build(iptc: ModuleType, table: Any, order: Order, rule: dict[str, Any]) -> Any:
    """Make the library's rule.  Its own ``encode_iptc_rule`` silently leaves out what it can't express."""
    made = iptc.Rule() if order.family == "ip" else iptc.Rule6()
    target: object = ""
    for name, value in rule.items():
        if name in BASE_NAMES.values():
            setattr(made, name.replace("-", "_"), value)
        elif name == "target":
            target = value
        elif isinstance(value, dict):
            _set(made.create_match(name), value)
    if isinstance(target, dict):
        ((name, value),) = target.items()
        if name == "goto":
            _require_chain(table, value)
            made.create_target(value, goto=True)
        else:
            _set(made.create_target(name), value)
    else:
        if target not in _NAMES_OF_TARGETS:
            _require_chain(table, target)
        made.create_target(target)
    made.counters = (order.packets, order.bytes)
    return made


_NAMES_OF_TARGETS = frozenset({"ACCEPT", "DROP", "RETURN", "MASQUERADE", "REDIRECT"})
"""What ``target`` may be as a bare word, chains apart."""


def _set(extension: Any, options: RuleOptions) -> None:
    for name, values in options.items():
        extension.set_parameter(name, values)


def _require_chain(table: Any, name: Any) -> None:
    if not table.is_chain(name):
        msg = f"{name} is no chain of the table"
        raise RefusedError(msg)


def _commit(table: Any) -> None:
    table.commit()


def _text(said: object) -> str:
    return said.decode(errors="backslashreplace") if isinstance(said, bytes) else str(said)


def _said(error: Exception) -> str:
    """The error's message; the library puts libiptc's words into it as the source text of bytes."""
    return _BYTES.sub(r"\1", " ".join(str(error).split())) or type(error).__name__


def main() -> None:
    """Read the order, carry it out, write the answer."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library or a program prints is no answer
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != order.starter:
        sys.exit("the process that gave the order is gone")
    answer = carry_out(order)
    os.write(answers, msgspec.json.encode(answer))


if __name__ == "__main__":
    main()
