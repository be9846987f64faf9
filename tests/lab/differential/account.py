"""What the kernel's sights of a probe add up to: where it arrived, or where and by what it ended.  Pure."""

from __future__ import annotations

import msgspec

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


def copies(outcome: Outcome, direction: TraceDirection, fate: PacketOutcome) -> list[PacketOutcome]:
    """``fate``, and the same of each other copy that arrived at its place.

    A promiscuous bridge (as under a macvlan) hands up a copy of every frame.  What it has given a new destination
    for itself is then sent on twice, the copy without its connection, and answered twice: what a client hears is
    the first, under the address it asked.
    """
    arrived = [
        sight
        for sight in outcome.sights
        if sight.family != BRIDGE
        and sight.direction == direction
        and (sight.point, sight.stage, sight.place) == ("tail", "input", fate.place)
        and fate.last is not None
        and sight.kind == fate.last.kind
    ]
    if fate.where != "arrived":
        return [fate]
    return [fate, *(msgspec.structs.replace(fate, last=sight) for sight in arrived if sight != fate.last)]


def bridge_drops(outcome: Outcome, direction: TraceDirection, kind: str = "") -> list[trace_events.TracePoint]:
    """Where a rule or a policy of the bridge family dropped a frame with the packet, or a flooded copy of it."""
    return [
        sight
        for sight in outcome.sights
        if (sight.family, sight.direction, sight.verdict) == (BRIDGE, direction, "drop")
        and (not kind or sight.kind == kind)
    ]
