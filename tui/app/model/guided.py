"""The guided check's own state: what was asked, what came of it, what is seen of it, and what was done.  Pure data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from dnet_tui.inspect.model import Snapshot

if TYPE_CHECKING:  # the walk and the checks: not before the first screen
    from dnet_tui.diagnostics.guided.step_links import StepLinks
    from dnet_tui.diagnostics.guided.why import Why
    from dnet_tui.diagnostics.trace.first_packet import TraceProtocol

GuidedPage = Literal["question", "who", "steps", "result"]
"""What is on show: the questions, the places, the steps, the closing page."""

SEEN_KEPT = 500
"""So many packets of a flow are kept for the table; the counts go on."""


class AskedFlow(msgspec.Struct, frozen=True, kw_only=True):
    """Which flow is asked about, as it was typed.  ``question`` is the id of a question, or empty."""

    source: str = ""
    target: str = ""
    port: int = 0
    proto: TraceProtocol = "tcp"
    question: str = ""


class PointSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What a packet was like at one point: ``src → dst`` there, and nanoseconds since its first sighting."""

    point: int
    ends: str
    source: str
    delay: int


class SeenPacket(msgspec.Struct, frozen=True, kw_only=True):
    """One packet with all points that saw it.  ``there``: in the direction that was asked about."""

    number: int
    time: int
    text: str
    kind: str
    there: bool
    sightings: tuple[PointSeen, ...]


class PointCount(msgspec.Struct, frozen=True, kw_only=True):
    """Packets at one point: ``there`` and ``back``, and as which source those went there."""

    there: int = 0
    back: int = 0
    sources: tuple[str, ...] = ()


class FlowCount(msgspec.Struct, frozen=True, kw_only=True):
    """Packets of a flow, by point; ``kinds`` says what they were, and what came back."""

    points: tuple[PointCount, ...] = ()
    there_kinds: dict[str, int] = {}
    back_kinds: dict[str, int] = {}


class ProbeLine(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a real packet that was sent: ``good`` is None where nothing can be said."""

    text: str
    good: bool | None = None


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Packets of the flow as they come, at ``points`` (labels, in the packet's order)."""

    points: tuple[str, ...] = ()
    running: bool = False
    packets: tuple[SeenPacket, ...] = ()
    count: FlowCount = FlowCount()
    trouble: str = ""
    probes: tuple[ProbeLine, ...] = ()


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A wish with the answer that a snapshot gives."""

    wish: AskedFlow
    why: Why
    links: StepLinks
    labels: tuple[str, ...]
    """What the links are called."""
    snapshot: Snapshot
    further: tuple[str, ...] = ()
    """What would stop it if the first obstacle weren't there."""


class GuidedView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole check.  ``before`` is the proof as it was when a fix was applied."""

    page: GuidedPage = "question"
    wish: AskedFlow = AskedFlow()
    busy: str = ""
    trouble: str = ""
    answered: Answered | None = None
    step: int = -1
    """Which step is selected."""
    proof: Proof = Proof()
    before: Proof | None = None
    was: Answered | None = None
    """The answer before the fix."""


def counted(count: FlowCount, packets: tuple[SeenPacket, ...], points: int) -> FlowCount:
    """Return the counts with more packets in them."""
    there = [item.there for item in count.points] or [0] * points
    back = [item.back for item in count.points] or [0] * points
    sources = [dict.fromkeys(item.sources) for item in count.points] or [{} for _ in range(points)]
    there_kinds, back_kinds = dict(count.there_kinds), dict(count.back_kinds)
    for packet in packets:
        kinds = there_kinds if packet.there else back_kinds
        kinds[packet.kind] = kinds.get(packet.kind, 0) + 1
        for point in {item.point for item in packet.sightings if item.point < points}:
            (there if packet.there else back)[point] += 1
        for item in packet.sightings if packet.there else ():
            if item.point < points and len(sources[item.point]) < _MOST_SOURCES:
                sources[item.point][item.source] = None
    made = tuple(
        PointCount(there=there[index], back=back[index], sources=tuple(sources[index])) for index in range(points)
    )
    return FlowCount(points=made, there_kinds=there_kinds, back_kinds=back_kinds)


_MOST_SOURCES = 4
