"""A recorded packet: the snapshot it was sent on, and what the kernel did.  Replayed without a kernel.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from lab.differential.judge import Court, Judgement
from lab.differential.spec import HostSpec, Observation, Part, Probe

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "walk"


class Scenario(Part, frozen=True, kw_only=True):
    """One or a few packets with the kernel's answer.  ``note`` says what is told apart here."""

    note: str
    probes: tuple[Probe, ...]
    seen: Observation


def load(path: Path) -> Scenario:
    """Read a scenario."""
    return msgspec.json.decode(path.read_bytes(), type=Scenario)


def save(name: str, note: str, spec: HostSpec, seen: Observation) -> Path:
    """Write a scenario under its name, and return where."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    data = msgspec.json.encode(Scenario(note=note, probes=spec.probes, seen=seen))
    path.write_bytes(msgspec.json.format(data, indent=1) + b"\n")
    return path


def judge(scenario: Scenario) -> Iterator[Judgement]:
    """Judge the walk by the record."""
    court = Court(HostSpec(probes=scenario.probes), scenario.seen)
    return (court.judge(probe) for probe in scenario.probes)
