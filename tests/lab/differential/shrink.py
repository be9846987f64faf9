"""Makes a disagreement small: leaves out whatever of a host it doesn't need.  Runs hosts, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from lab.differential.run import Trial, try_host
from lab.differential.spec import HostSpec

T = TypeVar("T")
_PARTS = ("probes", "natives", "rules", "steps", "chains")


def is_wrong(trial: Trial) -> bool:
    """Whether a definite answer is contradicted."""
    return any(item.result == "wrong" for item in trial.judgements)


def shrink(spec: HostSpec, fails: Callable[[Trial], bool] = is_wrong, *, most: int = 200) -> HostSpec:
    """Return a smaller host on which ``fails`` still holds; runs at most ``most`` hosts.

    Returns ``spec`` itself when it doesn't hold there any more (it was a matter of luck).
    """
    left = most

    def still(candidate: HostSpec) -> bool:
        nonlocal left
        left -= 1
        return left > 0 and fails(try_host(candidate))

    if not still(spec):
        return spec
    for part in _PARTS:
        spec = _with_less(spec, part, still)
    return _without_boxes(spec, still)


def _with_less(spec: HostSpec, part: str, still: Callable[[HostSpec], bool]) -> HostSpec:
    def with_part(kept: Sequence[object]) -> HostSpec:
        return msgspec.structs.replace(spec, **{part: tuple(kept)})

    return with_part(smallest(getattr(spec, part), lambda kept: still(with_part(kept))))


def smallest(items: Sequence[T], holds: Callable[[Sequence[T]], bool]) -> Sequence[T]:
    """Leave out ever smaller slices of ``items`` while ``holds`` stays true."""
    size = len(items)
    while size >= 1:
        at = 0
        while at < len(items):
            fewer = [*items[:at], *items[at + size :]]
            if holds(fewer):
                items = fewer
            else:
                at += size
        size //= 2
    return items


def _without_boxes(spec: HostSpec, still: Callable[[HostSpec], bool]) -> HostSpec:
    named = {probe.origin for probe in spec.probes} | {step.place for step in spec.steps}
    for box in spec.boxes:
        fewer = msgspec.structs.replace(spec, boxes=tuple(item for item in spec.boxes if item is not box))
        if box.name not in named and still(fewer):
            spec = fewer
    used = {leg.bridge for box in spec.boxes for leg in box.legs}
    fewer = msgspec.structs.replace(spec, bridges=tuple(item for item in spec.bridges if item.name in used))
    return fewer if fewer.bridges != spec.bridges and still(fewer) else spec
