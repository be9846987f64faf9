"""A recorded packet: the snapshot it was sent on, and what the kernel did.  Replayed without a kernel.

``NAME.toml`` lists the packets and what must be said of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from lab.differential.judge import Court, Judgement
from lab.differential.spec import HostSpec, Observation, Part, Probe
from lab.recordings import recording

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "walk"


class Verdict(Probe, frozen=True, kw_only=True):
    """A packet, how the walk of it and of its answer ends, and what the kernel did with both; empty without one."""

    walk: str
    walk_back: str = ""
    kernel: str
    kernel_back: str = ""


class Spec(Part, frozen=True, kw_only=True):
    """What a person reads of a scenario.  ``shows`` says what is told apart here."""

    shows: str
    packets: tuple[Verdict, ...]


class Scenario(Part, frozen=True, kw_only=True):
    """One or a few packets with the kernel's answer, and what must be said of them."""

    name: str
    spec: Spec
    seen: Observation

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The packets alone."""
        return tuple(msgspec.convert(item, Probe, from_attributes=True) for item in self.spec.packets)


def names() -> tuple[str, ...]:
    """Return the scenarios that are recorded."""
    return recording.names(FOLDER)


def load(name: str) -> Scenario:
    """Read a scenario."""
    spec = recording.read_spec(FOLDER, name, Spec)
    return Scenario(name=name, spec=spec, seen=recording.read_data(FOLDER, name, Observation))


def save(name: str, shows: str, probes: tuple[Probe, ...], seen: Observation) -> Path:
    """Write a scenario under its name, with what the walk says of it now, and return where its specification is."""
    verdicts = tuple(verdict(judgement) for judgement in judge(probes, seen))
    recording.write_data(FOLDER, name, seen)
    recording.write_spec(FOLDER, name, Spec(shows=shows, packets=verdicts))
    return FOLDER / f"{name}{recording.SPEC}"


def renew(name: str) -> None:
    """Write a scenario's data anew, in today's format; what must be said of it stays."""
    seen = recording.read_data(FOLDER, name, Observation)
    newer = msgspec.structs.replace(seen, snapshot=recording.renewed(seen.snapshot))
    recording.write_data(FOLDER, name, newer)


def verdict(judgement: Judgement) -> Verdict:
    """Return what a specification says of a packet."""
    (walk, walk_back), (kernel, kernel_back) = judgement.end, judgement.kernel
    return Verdict(
        **msgspec.to_builtins(judgement.probe), walk=walk, walk_back=walk_back, kernel=kernel, kernel_back=kernel_back
    )


def judge(probes: tuple[Probe, ...], seen: Observation) -> Iterator[Judgement]:
    """Judge the walk by the record."""
    court = Court(HostSpec(probes=probes), seen)
    return (court.judge(probe) for probe in probes)
