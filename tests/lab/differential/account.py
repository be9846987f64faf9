"""What the kernel's sights of a probe add up to: where it arrived, or where and by what it ended.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.trace import trace_events
from dnet_tui.diagnostics.trace.trace_events import Account, Direction
from lab.differential.spec import Outcome


def sent_answer(outcome: Outcome, place: str) -> str:
    """The kind of answer that ``place`` made, empty when none."""
    return trace_events.sent_answer(outcome.sights, place)


def account(outcome: Outcome, direction: Direction, origin: str, kind: str = "") -> Account:
    """Sum up the sights of the probe (``there``) or of its answer of one ``kind`` (``back``)."""
    return trace_events.account(outcome.sights, direction, origin, kind, errno=outcome.errno)
