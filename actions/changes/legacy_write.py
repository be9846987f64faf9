"""Having python-iptables write a legacy rule, where it is installed and can write that rule exactly.

The work is done by :mod:`dnet_tui.actions.changes.legacy_child`, in a process that
inherits the calling thread's network namespace.  Whatever becomes of it, the
chain tells afterwards what has happened.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import msgspec

from dnet_tui.actions.changes.chains import digest
from dnet_tui.actions.changes.legacy_child import LegacyReply, Order, is_done
from dnet_tui.actions.changes.legacy_rule import easy_rule
from dnet_tui.actions.host_access import TIME_LIMIT, HostAccess
from dnet_tui.diagnostics.operations.rule import DeleteRule, InsertRule
from dnet_tui.inspect.errors import ActionFailedError
from dnet_tui.inspect.text.sanitize import clean

PACKAGE = "iptc"
"""What python-iptables is imported as.  Never here: see :mod:`dnet_tui.actions.changes.legacy_child`."""

NAME = "python-iptables"

_PATIENCE = TIME_LIMIT - 10.0
"""Seconds to wait for the xtables lock, which leaves some for the work within the host's limit."""


def child_argv() -> tuple[str, ...]:
    """Return the command of the child; ``-P``: nothing is imported from the folder that happens to be current."""
    return (sys.executable, "-P", "-m", "dnet_tui.actions.changes.legacy_child")


def insert(
    action: InsertRule,
    number: int,
    texts: list[str],
    host: HostAccess,
    read: Callable[[], list[str]],
    *,
    verbatim: bool,
) -> str:
    """Insert a rule as ``number``; ``verbatim``: only if it is then printed just as ``action`` says.

    Args:
        action: the rule.
        number: its place, from 1.
        texts: the chain's texts as they are now.
        host: to run the child with.
        read: reads the chain's texts anew.
        verbatim: see above.

    Returns:
        Empty when it was done; else why python-iptables did not do it: then nothing has changed.

    Raises:
        ActionFailedError: Another program is at the firewall.
    """
    if not host.has_package(PACKAGE):
        return f"{NAME} is not installed"
    rule = easy_rule(action.spec, action.family)
    if rule is None:
        return f"{NAME} can't write this rule exactly"
    order = _order(action, number, texts)
    order = msgspec.structs.replace(
        order, rule=rule, text=action.spec, verbatim=verbatim, packets=action.packets, bytes=action.bytes
    )
    return _attempt(order, texts, host, read)


def delete(
    action: InsertRule | DeleteRule, number: int, texts: list[str], host: HostAccess, read: Callable[[], list[str]]
) -> str:
    """Delete the rule at ``number``.  The rest is as for :func:`insert`."""
    if not host.has_package(PACKAGE):
        return f"{NAME} is not installed"
    return _attempt(_order(action, number, texts), texts, host, read)


def _order(action: InsertRule | DeleteRule, number: int, texts: list[str]) -> Order:
    return Order(
        family=action.family,
        table=action.table,
        chain=action.chain,
        number=number,
        digest=digest(texts),
        starter=os.getpid(),
        patience=_PATIENCE,
    )


def _attempt(order: Order, before: list[str], host: HostAccess, read: Callable[[], list[str]]) -> str:
    answer, said = _ask(order, host)
    if answer is not None and answer.outcome == "busy":
        msg = f"the xtables lock was held by another program for {order.patience:g} s"
        raise ActionFailedError(msg, "see who: `fuser /run/xtables.lock`")
    after = read()
    if after == before and (answer is None or answer.outcome == "refused"):
        return f"{NAME} failed: {said}"
    if is_done(order, before, after):
        return ""
    msg = f"{clean(f'{order.table} {order.chain}')} changed while a rule was being written"
    raise ActionFailedError(msg, "another program rewrites the firewall: compare with `dnet-tui rules`")


def _ask(order: Order, host: HostAccess) -> tuple[LegacyReply | None, str]:
    """Return the child's answer, None when there is none, and what is to be said of it."""
    try:
        ran = host.run(child_argv(), given=msgspec.json.encode(order))
    except ActionFailedError as error:
        return None, error.message
    try:
        answer = msgspec.json.decode(ran.out, type=LegacyReply)
    except msgspec.MsgspecError:
        if ran.code < 0:
            return None, f"it was killed by signal {-ran.code}"
        last = ran.err.strip().rpartition("\n")[2]
        return None, clean(last) or f"it ended with exit code {ran.code}"
    return answer, clean(answer.reason)
