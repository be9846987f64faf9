"""What the kernel's sights of a probe add up to: where it arrived, or where and by what it ended.  Pure."""

from __future__ import annotations

from dnet_tui.diagnostics.trace import trace_events
from dnet_tui.diagnostics.trace.trace_events import PacketOutcome, TraceDirection
from lab.differential.spec import Outcome

BRIDGE = "bridge"
"""The family of the rules that a bridge asks about its frames."""


def sent_answer(outcome: Outcome, place: str) -> str:
    """The kind of answer that ``place`` made, empty when none."""
    return trace_events.sent_answer(outcome.sights, place)


def account(outcome: Outcome, direction: TraceDirection, origin: str, kind: str = "") -> PacketOutcome:
    """Sum up the sights of the probe (``there``) or of its answer of one ``kind`` (``back``)."""
    above = [sight for sight in outcome.sights if sight.family != BRIDGE]
    return trace_events.account(above, direction, origin, kind, errno=outcome.errno)


def bridge_drops(outcome: Outcome, direction: TraceDirection, kind: str = "") -> list[trace_events.TracePoint]:
    """Where a rule or a policy of the bridge family dropped a frame with the packet, or a flooded copy of it."""
    return [
        sight
        for sight in outcome.sights
        if (sight.family, sight.direction, sight.verdict) == (BRIDGE, direction, "drop")
        and (not kind or sight.kind == kind)
    ]
