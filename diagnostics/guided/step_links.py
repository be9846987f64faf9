"""Where a guided check's packets can be seen: the links of their way, and the two that a step lies between.  Pure."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from dnet_tui.diagnostics.capture.path_points import links_passed
from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.guided.steps import Leg, Step, decider_words
from dnet_tui.diagnostics.guided.why import Why
from dnet_tui.diagnostics.trace.trace import Trace
from dnet_tui.diagnostics.trace.unanswerable import NOBODY_ANSWERS
from dnet_tui.diagnostics.walk.api import reply, walk
from dnet_tui.diagnostics.walk.packet import Obstacle, Walk
from dnet_tui.inspect.model import LinkRef, NotSeen

MOST = 6
"""The most links that are captured at for one flow: those nearest to where it stops."""


class StepLinks(msgspec.Struct, frozen=True, kw_only=True):
    """``links`` of a whole way, in its order; ``pairs`` has for each step the one before it and the one after it.

    Each entry of a pair is a place in ``links``; None where there is no link on that side.
    """

    links: tuple[LinkRef, ...]
    pairs: tuple[tuple[int | None, int | None], ...]

    def at(self, step: int) -> tuple[int | None, int | None]:
        """The pair of one step."""
        return self.pairs[step] if 0 <= step < len(self.pairs) else (None, None)


def step_links(case: HostContext, answer: Why) -> StepLinks:
    """The links at which this flow is seen, and those on both sides of each step.

    What stops the packet is left aside for this: the link behind it is where its absence shows.
    """
    legs = _legs(case, answer.trace)
    every = list(dict.fromkeys(link for leg in _LEGS for link in legs[leg][1]))
    shown = _nearest(every, _stop(case, answer, legs))
    return StepLinks(links=shown, pairs=tuple(_pair(case, step, legs, shown) for step in answer.steps))


_LEGS: tuple[Leg, ...] = ("there", "proxy", "answer", "proxy-answer", "later")
_Legs = dict[Leg, tuple[Walk | None, tuple[LinkRef, ...]]]


def _legs(case: HostContext, trace: Trace) -> _Legs:
    """Each walk of a trace, and the links that it would pass if nothing stopped it."""
    return {leg: (way, _unhindered(case, trace, leg, way)) for leg, way in walks(trace).items()}


def walks(trace: Trace) -> dict[Leg, Walk | None]:
    """The walk of each leg of a trace; None of a leg that there isn't."""
    relay = trace.relay
    return {
        "there": trace.forward,
        "answer": trace.answer,
        "proxy": relay.forward if relay is not None else None,
        "proxy-answer": relay.answer if relay is not None else None,
        "later": trace.stopped_later.walk if trace.stopped_later is not None else None,
    }


def _unhindered(case: HostContext, trace: Trace, leg: Leg, way: Walk | None) -> tuple[LinkRef, ...]:
    if way is None:
        return ()
    further = _past_obstacles(case, trace, leg, way)
    return tuple(dict.fromkeys((*links_passed(case.view, way), *links_passed(case.view, further))))


def _past_obstacles(case: HostContext, trace: Trace, leg: Leg, way: Walk) -> Walk:
    """The walk as it would go on; the same one where nothing stops it, or that can't be told."""
    with suppress(NotSeen):
        if way.obstacles and leg == "there" and way.origin:
            return walk(case.view, way.start, origin=way.origin, outside=True, beyond=True)
        if way.obstacles and leg == "answer" and way.hops:
            return reply(case.view, trace.forward, beyond=True)
    return way


def would_go_on(case: HostContext, trace: Trace) -> tuple[str, ...]:
    """What else stands in the packet's way behind what stops it, in words; nothing where it isn't stopped."""
    leg: Leg = "there" if trace.forward.arrives is not True else "answer"
    way = trace.forward if leg == "there" else trace.answer
    if way is None or not way.obstacles or way.arrives is True or way.obstacles[0].stage == NOBODY_ANSWERS:
        return ()
    further = _past_obstacles(case, trace, leg, way)
    if further is way:
        return ()
    others = [item for item in further.obstacles if item.by != way.obstacles[0].by]
    if others:
        return tuple(dict.fromkeys(f"then {_where(case, item)}{decider_words(item.by)}" for item in others))
    return ("nothing else stops it",)


def _where(case: HostContext, stop: Obstacle) -> str:
    return f"{case.view.label(stop.by.namespace)}: " if stop.by.namespace else ""


def _before(case: HostContext, step: Step, legs: _Legs) -> LinkRef | None:
    """The last link that was passed with a step."""
    way = legs[step.leg][0]
    if way is None or not step.passed:
        return None
    passed = links_passed(case.view, msgspec.structs.replace(way, hops=way.hops[: step.passed]))
    return passed[-1] if passed else None


def _pair(case: HostContext, step: Step, legs: _Legs, shown: tuple[LinkRef, ...]) -> tuple[int | None, int | None]:
    leg = step.leg
    before = _before(case, step, legs)
    if before is None and leg == "answer":  # that nobody sends: what shows it is the way there, and nothing on it back
        leg = "there"
        before = next(reversed(legs[leg][1]), None)
    links = [link for link in legs[leg][1] if link in shown]
    if before is None or before not in links:
        return (None, shown.index(links[0])) if links else (None, None)
    place = links.index(before)
    if place + 1 < len(links):
        return shown.index(before), shown.index(links[place + 1])
    # The end of the way: what comes in by its last link has got there.
    return (shown.index(links[place - 1]) if place else None), shown.index(before)


def _stop(case: HostContext, answer: Why, legs: _Legs) -> LinkRef | None:
    stopped = next((step for step in answer.steps if step.outcome != "ok"), None)
    return _before(case, stopped, legs) if stopped is not None else None


def _nearest(links: list[LinkRef], stop: LinkRef | None) -> tuple[LinkRef, ...]:
    """At most :data:`MOST` links: the first one, where its sender is, and those around the stop."""
    if len(links) <= MOST:
        return tuple(links)
    middle = links.index(stop) if stop in links else len(links) - 1
    first = max(1, min(middle - (MOST - 1) // 2, len(links) - (MOST - 1)))
    return (links[0], *links[first : first + MOST - 1])
