"""What the kernel saw of a packet, point by point, and what that adds up to.  Pure.

A table of one's own marks the packet at the head of the first hook of each
namespace and watches it at the head and the tail of every hook; the trace
events in between name each rule.  :class:`Sightings` turns the events of a
namespace into sights, :func:`account` says where a packet ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from dnet_tui.inspect.nftables.trace_events import TraceEvent

Stage = Literal["prerouting", "input", "forward", "output", "postrouting"]
TraceDirection = Literal["there", "back"]
Where = Literal["arrived", "hook", "routing", "link", "nowhere"]

STAGES: tuple[Stage, ...] = ("prerouting", "input", "forward", "output", "postrouting")
MARKED: tuple[Stage, ...] = ("prerouting", "output")
"""Where packets come into a namespace."""

FIRST, LAST = -2147483000, 2147483000
"""The priorities of the heads and tails of all hooks."""

_NUMBER = {"output": 0, "postrouting": 1, "prerouting": 2, "input": 3, "forward": 3}


class Recognised(NamedTuple):
    """Which watched packet some headers belong to: its number, its direction and kind, and its tuple as it is there."""

    probe: int
    direction: TraceDirection
    kind: str
    src: str
    dst: str
    sport: int
    dport: int
    icmp: tuple[int, int]


class TracePoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The kernel saw a packet of a probe at one point of a namespace.

    ``point`` is ``head`` or ``tail`` of a hook, or ``rule`` / ``policy``: one
    of a chain's own that was met, with its handle (nftables) or number
    (legacy, where the verdict isn't told).
    """

    place: str
    direction: TraceDirection
    point: Literal["head", "tail", "rule", "policy"]
    stage: str = ""
    backend: Literal["nft", "legacy", ""] = ""
    family: str = ""
    table: str = ""
    chain: str = ""
    handle: int = 0
    number: int = 0
    verdict: str = ""
    to: str = ""
    """The chain of a jump or goto."""
    kind: str = ""
    """What the packet is: ``syn``, ``synack``, ``rst``, ``udp``, ``udp-reply``, ``echo`` …, ``icmp-error``."""
    src: str = ""
    dst: str = ""
    sport: int = 0
    dport: int = 0
    icmp: tuple[int, int] = (0, 0)
    iif: int = 0
    oif: int = 0
    mark: int = 0


class Sightings:
    """Makes the sights of one namespace of its trace events, in their order.

    ``table`` is the own table; ``recognise`` knows a packet by the bytes of
    its network and transport headers.
    """

    def __init__(self, place: str, table: str, recognise: Callable[[bytes, bytes], Recognised | None]) -> None:
        self._place = place
        self._table = table
        self._recognise = recognise
        self._packets: dict[int, Recognised] = {}
        self._stages: dict[tuple[int, str], str] = {}
        self._way: dict[int, tuple[int, int]] = {}

    def take(self, event: TraceEvent) -> tuple[int, TracePoint] | None:
        """The number of the probe and the sight; None for an event of no interest."""
        if event.network:
            known = self._recognise(event.network, event.transport)
            if known is None:
                self._packets.pop(event.ident, None)
            else:
                self._packets[event.ident] = known
        packet = self._packets.get(event.ident)
        if packet is None:
            return None
        if event.table == self._table:
            if event.kind == "rule" and (event.iif or event.oif):
                self._way[event.ident] = (event.iif, event.oif)
            point, _, stage = event.chain.partition("-")
            if event.kind != "policy" or point not in {"head", "tail"}:
                return None
            if point == "head":
                self._stages[packet.probe, packet.kind] = stage
            return packet.probe, self._sight(event, packet, point="head" if point == "head" else "tail", stage=stage)
        # The end of a base chain is told like a rule without a number (nft_do_chain, since Linux 6.4).
        if event.kind not in {"rule", "policy"} or (event.kind == "rule" and not event.handle):
            return None
        return packet.probe, self._sight(
            event, packet, point=event.kind, stage=self._stages.get((packet.probe, packet.kind), ""), backend="nft"
        )

    def _sight(
        self,
        event: TraceEvent,
        packet: Recognised,
        *,
        point: Literal["head", "tail", "rule", "policy"],
        stage: str,
        backend: Literal["nft", ""] = "",
    ) -> TracePoint:
        # A policy's event has no interfaces; a rule before it in the same chain may have had them.
        iif, oif = (event.iif, event.oif) if backend else self._way.pop(event.ident, (event.iif, event.oif))
        return TracePoint(
            place=self._place,
            direction=packet.direction,
            point=point,
            stage=stage,
            backend=backend,
            family=event.family,
            table=event.table if backend else "",
            chain=event.chain if backend else "",
            handle=event.handle if backend else 0,
            verdict=event.verdict if backend else "",
            to=event.to,
            kind=packet.kind,
            src=packet.src,
            dst=packet.dst,
            sport=packet.sport,
            dport=packet.dport,
            icmp=packet.icmp,
            iif=iif,
            oif=oif,
            mark=event.mark,
        )


class PacketOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a packet ended.

    ``arrived``: through INPUT of ``place``.  ``hook``: inside a hook, by ``by``
    when a rule or policy did it.  ``routing``: between hooks of ``place``.
    ``link``: after POSTROUTING of ``place``, nobody else saw it.  ``nowhere``:
    it was never made (``errno`` says why).
    """

    where: Where
    place: str = ""
    stage: str = ""
    by: TracePoint | None = None
    last: TracePoint | None = None
    errno: int = 0

    def __str__(self) -> str:
        words = f"{self.where} {self.place} {self.stage}".rstrip()
        if self.by is not None:
            words += f" by {self.by.backend} {self.by.table} {self.by.chain} handle {self.by.handle or self.by.number}"
        if self.errno:
            words += f" (errno {self.errno})"
        return words + (f", last seen as {tuple_of(self.last)}" if self.last else "")


def tuple_of(sight: TracePoint) -> str:
    """The packet's tuple in words."""
    return f"{sight.kind} {sight.src}:{sight.sport} > {sight.dst}:{sight.dport}"


def own_table(name: str, marks: Iterable[str]) -> str:
    """The table that watches every hook, in nft's words; ``marks`` are the rules that pick packets for the trace.

    The priorities are near the ends of what the kernel takes, so that
    nothing of anybody else comes before the head or after the tail.
    """
    lines = [f"table inet {name} {{", " chain chosen {", *(f"  {mark} meta nftrace set 1" for mark in marks), " }"]
    for stage in STAGES:
        entry = " jump chosen;" if stage in MARKED else ""
        lines.append(f" chain head-{stage} {{ type filter hook {stage} priority {FIRST};{entry} }}")
        # Of a chain without rules the kernel doesn't tell by which interface the packet goes.
        told = " continue;" if stage == "postrouting" else ""
        lines.append(f" chain tail-{stage} {{ type filter hook {stage} priority {LAST};{told} }}")
    return "\n".join([*lines, "}"])


def sent_answer(sights: Iterable[TracePoint], place: str) -> str:
    """The kind of answer that ``place`` made, empty when none."""
    wanted = (place, "back", "head", "output")
    return next((s.kind for s in sights if (s.place, s.direction, s.point, s.stage) == wanted), "")


def account(
    every: Iterable[TracePoint],
    direction: TraceDirection,
    origin: str,
    kind: str = "",
    *,
    host: str = "host",
    errno: int = 0,
) -> PacketOutcome:
    """Sum up the sights of the packet (``there``), or of its answer of one ``kind`` (``back``).

    ``origin`` is where it was made, ``host`` the place through which all
    others are connected.
    """
    sights = [s for s in every if s.direction == direction and (not kind or s.kind == kind)]
    if not sights:
        return PacketOutcome(where="nowhere", place=origin, errno=errno)
    arrived = next((s for s in reversed(sights) if (s.point, s.stage) == ("tail", "input")), None)
    if arrived is not None:
        return PacketOutcome(where="arrived", place=arrived.place, last=arrived)
    for place, stage in dict.fromkeys((s.place, s.stage) for s in sights if s.point == "head"):
        here = [s for s in sights if s.place == place]
        heads, tails = (_count(here, point, stage) for point in ("head", "tail"))
        if heads > tails:
            return PacketOutcome(where="hook", place=place, stage=stage, by=_culprit(here), last=here[-1])
    place = _last_place(sights, origin, host)
    here = [s for s in sights if s.place == place and s.point == "tail"]
    last = max(here, key=lambda s: _NUMBER[s.stage]) if place == origin else here[-1]  # a new way begins at its OUTPUT
    if last.stage == "postrouting":
        return PacketOutcome(where="link", place=place, stage="postrouting", last=last)
    return PacketOutcome(where="routing", place=place, stage=last.stage, last=last)


def _count(sights: Iterable[TracePoint], point: str, stage: str) -> int:
    return sum(1 for s in sights if (s.point, s.stage) == (point, stage))


def _culprit(here: Sequence[TracePoint]) -> TracePoint | None:
    dropped = [s for s in here if s.backend == "nft" and s.verdict == "drop"]
    legacy = [s for s in here if s.backend == "legacy"]
    return dropped[-1] if dropped else legacy[-1] if legacy else None


def _last_place(sights: Sequence[TracePoint], origin: str, host: str) -> str:
    """The namespace in which it was last: containers hang on the host, so it is the third one if there is one."""
    places = list(dict.fromkeys(s.place for s in sights))
    if any(s.place == origin and s.stage == "prerouting" for s in sights):
        return origin  # it came back
    others = [place for place in places if place not in {origin, host}]
    if others:
        return others[-1]
    return host if host in places else origin
