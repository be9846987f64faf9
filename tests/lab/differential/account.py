"""What the kernel's sights of a packet add up to: where it arrived, or where and by what it ended.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from lab.differential.spec import Direction, Outcome, Part, Sight

Where = Literal["arrived", "hook", "routing", "link", "nowhere"]
_NUMBER = {"output": 0, "postrouting": 1, "prerouting": 2, "input": 3, "forward": 3}


class Account(Part, frozen=True, kw_only=True):
    """How a packet ended.

    ``arrived``: through INPUT of ``place``.  ``hook``: inside a hook, by ``by``
    when a rule or policy did it.  ``routing``: between hooks of ``place``.
    ``link``: after POSTROUTING of ``place``, nobody else saw it.  ``nowhere``:
    it was never made (``errno`` says why).
    """

    where: Where
    place: str = ""
    stage: str = ""
    by: Sight | None = None
    last: Sight | None = None
    errno: int = 0

    def __str__(self) -> str:
        words = f"{self.where} {self.place} {self.stage}".rstrip()
        if self.by is not None:
            words += f" by {self.by.backend} {self.by.table} {self.by.chain} handle {self.by.handle or self.by.number}"
        if self.errno:
            words += f" (errno {self.errno})"
        return words + (f", last seen as {tuple_of(self.last)}" if self.last else "")


def tuple_of(sight: Sight) -> str:
    """The packet's tuple in words."""
    return f"{sight.kind} {sight.src}:{sight.sport} > {sight.dst}:{sight.dport}"


def sent_answer(outcome: Outcome, place: str) -> str:
    """The kind of answer that ``place`` made, empty when none."""
    return next(
        (
            s.kind
            for s in outcome.sights
            if (s.place, s.direction, s.point, s.stage) == (place, "back", "head", "output")
        ),
        "",
    )


def account(outcome: Outcome, direction: Direction, origin: str, kind: str = "") -> Account:
    """Sum up the sights of the probe (``there``) or of its answer of one ``kind`` (``back``)."""
    sights = [s for s in outcome.sights if s.direction == direction and (not kind or s.kind == kind)]
    if not sights:
        return Account(where="nowhere", place=origin, errno=outcome.errno)
    arrived = next((s for s in reversed(sights) if (s.point, s.stage) == ("tail", "input")), None)
    if arrived is not None:
        return Account(where="arrived", place=arrived.place, last=arrived)
    for place, stage in dict.fromkeys((s.place, s.stage) for s in sights if s.point == "head"):
        here = [s for s in sights if s.place == place]
        heads, tails = (_count(here, point, stage) for point in ("head", "tail"))
        if heads > tails:
            return Account(where="hook", place=place, stage=stage, by=_culprit(here), last=here[-1])
    place = _last_place(sights, origin)
    here = [s for s in sights if s.place == place and s.point == "tail"]
    last = max(here, key=lambda s: _NUMBER[s.stage]) if place == origin else here[-1]  # a new way begins at its OUTPUT
    if last.stage == "postrouting":
        return Account(where="link", place=place, stage="postrouting", last=last)
    return Account(where="routing", place=place, stage=last.stage, last=last)


def _count(sights: Iterable[Sight], point: str, stage: str) -> int:
    return sum(1 for s in sights if (s.point, s.stage) == (point, stage))


def _culprit(here: list[Sight]) -> Sight | None:
    dropped = [s for s in here if s.backend == "nft" and s.verdict == "drop"]
    legacy = [s for s in here if s.backend == "legacy"]
    return dropped[-1] if dropped else legacy[-1] if legacy else None


def _last_place(sights: list[Sight], origin: str) -> str:
    """The namespace in which it was last: containers hang on the host, so it is the third one if there is one."""
    places = list(dict.fromkeys(s.place for s in sights))
    if any(s.place == origin and s.stage == "prerouting" for s in sights):
        return origin  # it came back
    others = [place for place in places if place not in {origin, "host"}]
    if others:
        return others[-1]
    return "host" if "host" in places else origin
