"""What the rules that were asked have counted, in all and since an earlier snapshot, in words.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from dnet_tui.diagnostics.checks.decisions.asked_rules import AskedRule
from dnet_tui.diagnostics.checks.framework.check_context import CheckContext
from dnet_tui.diagnostics.difference.rates import Rates
from dnet_tui.inspect.model import Snapshot

_MINUTE = 60


def counted(ctx: CheckContext, rules: Iterable[AskedRule]) -> str:
    """``12 packets so far, 3 in the last minute``; empty where no rule of them has a counter."""
    known = [item for item in rules if item.rule.packets is not None]
    if not known:
        return ""
    total = _packets(sum(item.rule.packets or 0 for item in known))
    lately = _lately(ctx, known)
    return f"{total} so far" + (f", {lately}" if lately else "")


def _lately(ctx: CheckContext, rules: list[AskedRule]) -> str:
    rates = rates_since(ctx.before, ctx.case.snapshot)
    host = ctx.case.view.host
    if rates is None or host is None:
        return ""
    found = [rate for item in rules if (rate := rates.rule(host.id, item.table, item.chain, item.rule)) is not None]
    if not found:
        return ""
    seconds = max(rate.seconds for rate in found)
    span = "minute" if abs(seconds - _MINUTE) < 1 else f"{seconds:.0f} s" if seconds < 2 * _MINUTE else ""
    span = span or f"{seconds / _MINUTE:.0f} minutes"
    return f"{sum(round(rate.packets * rate.seconds) for rate in found)} in the last {span}"


def rates_since(before: Snapshot | None, after: Snapshot) -> Rates | None:
    """The rates between two snapshots, by the times at which they were taken; None where that can't be told."""
    if before is None:
        return None
    try:
        passed = datetime.fromisoformat(after.taken_at) - datetime.fromisoformat(before.taken_at)
    except (ValueError, TypeError):
        return None
    return Rates(before, after, passed.total_seconds()) if passed.total_seconds() > 0 else None


def _packets(number: int) -> str:
    return "1 packet" if number == 1 else f"{number} packets"
