"""What a check is.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from dnet_tui.diagnostics.checks.framework.check_context import BlockedFlows, CheckContext, Owns
from dnet_tui.diagnostics.report.finding import Finding, Severity
from dnet_tui.diagnostics.walk.packet import RuleRef


class Undecided(msgspec.Struct, frozen=True, kw_only=True):
    """A check's honest "can't be told", with what stands in the way."""

    reason: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One guided check.

    ``doc`` is the module's docstring: the explanation shown by ``explain``.
    ``find`` yields findings, or Undecided where a walk could not decide.  What
    it touches of the snapshot and was not read raises NotSeen, which ends it;
    where it looks at several things, each in ``with ctx.case.noting()``, the
    others go on.
    ``owns`` claims the obstacles that this check explains: the catalogue's
    first claimant gets them; ``hidden_by`` are the sections for want of which
    a walk comes to none: a flow that ends there leaves the check undecided.
    ``explains`` names the checks whose findings
    this one's fault brings about, where a remedy can't show it.  ``probing``
    checks judge what real packets said, and are run only where some were sent.
    ``comparing`` ones judge what was counted since an earlier snapshot, and
    are run only where there is one.  ``anywhere`` ones have something to say
    of hosts without a container bridge network too.
    """

    id: str
    title: str
    severity: Severity
    doc: str
    find: Callable[[CheckContext], Iterable[Finding | Undecided]]
    owns: Owns | None = None
    hidden_by: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    probing: bool = False
    comparing: bool = False
    anywhere: bool = False


def undecided(ctx: CheckContext, check: str) -> Iterator[Undecided]:
    """What the walks could not decide among the obstacles that ``check`` owns."""
    for blocked in ctx.blocked_by(check):
        if blocked.obstacle.end == "unknown":
            yield Undecided(reason=f"{blocked.flows[0].label}: {blocked.obstacle.by.text}")


def definite(ctx: CheckContext, check: str) -> list[BlockedFlows]:
    """The obstacles that ``check`` owns and that certainly stop their flows."""
    return [blocked for blocked in ctx.blocked_by(check) if blocked.obstacle.end != "unknown"]


def by_rules(ctx: CheckContext, check: str) -> Iterator[tuple[BlockedFlows, RuleRef]]:
    """Of the obstacles of :func:`definite` those that are rules or policies, each with it."""
    for blocked in definite(ctx, check):
        if (rule := blocked.obstacle.by.rule) is not None:
            yield blocked, rule
