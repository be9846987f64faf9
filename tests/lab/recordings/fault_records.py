"""Recorded faults: snapshots of lab hosts with a fault in them, and what the doctor must say of each.  Pure.

``HOST.toml`` says, readable and comparable, which findings each fault has;
``HOST.json.xz`` holds the snapshots, redacted, all of one host together: they
differ in little, so that together they are hardly larger than one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import msgspec

from dnet_tui.diagnostics.checks.run_checks import run_checks
from dnet_tui.inspect.archive import snapshot_file
from dnet_tui.inspect.archive.redact import redact
from dnet_tui.inspect.model import Snapshot
from lab.recordings import recording

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "faults"
HEALTHY = "healthy"
"""The name of the record without a fault."""

_KEY = b"recorded for the scenario tests\0"
"""One for all, so that the records of a host have the same words; what they are of is the lab's alone."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A finding, as far as it must come again."""

    check: str
    severity: str
    caused_by: str | None = None

    @property
    def text(self) -> str:
        """As a record has it: ``error masq-missing``, ``warning fwd-policy by docker-rules-lost``."""
        return f"{self.severity} {self.check}" + (f" by {self.caused_by}" if self.caused_by else "")

    @classmethod
    def read(cls, text: str) -> Told:
        """Read what :attr:`text` is."""
        severity, check, *cause = text.split()
        return cls(check=check, severity=severity, caused_by=cause[1] if cause else None)


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a person reads of a host's records: what it was recorded from, and the findings of each fault."""

    host: str
    faults: dict[str, tuple[str, ...]]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the errors and warnings of one host were, by fault.  ``host`` says what it was recorded from."""

    host: str
    faults: dict[str, tuple[Told, ...]]


def told(snapshot: Snapshot) -> tuple[Told, ...]:
    """Return what the doctor says of a snapshot, in its order; information is left out."""
    return tuple(
        Told(check=item.check, severity=item.severity, caused_by=item.caused_by)
        for item in run_checks(snapshot).findings
        if item.severity != "info"
    )


def redacted(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot as it is recorded."""
    return redact(snapshot, _KEY)


def names() -> tuple[str, ...]:
    """Return the hosts of which there are records."""
    return recording.names(FOLDER)


def load(name: str) -> Record:
    """Read what must be said of a host's faults."""
    spec = recording.read_spec(FOLDER, name, Spec)
    return Record(
        host=spec.host,
        faults={fault: tuple(Told.read(text) for text in texts) for fault, texts in spec.faults.items()},
    )


@lru_cache(maxsize=1)
def _raw(name: str) -> dict[str, msgspec.Raw]:
    return recording.read_data(FOLDER, name, dict[str, msgspec.Raw])


def snapshot(name: str, fault: str) -> Snapshot:
    """Read the snapshot of a host with a fault."""
    return recording.snapshot(_raw(name)[fault], f"{name} {fault}")


def save(name: str, host: str, snapshots: Mapping[str, Snapshot]) -> int:
    """Write a host's records, redacted already, and return how many bytes they take."""
    spec = Spec(host=host, faults={fault: tuple(item.text for item in told(seen)) for fault, seen in snapshots.items()})
    raw = {fault: msgspec.Raw(snapshot_file.encode(seen)) for fault, seen in snapshots.items()}
    return recording.write_spec(FOLDER, name, spec) + recording.write_data(FOLDER, name, raw)


def renew(name: str) -> None:
    """Write a host's snapshots anew, in today's format; what must be said of them stays."""
    recording.write_data(FOLDER, name, {fault: recording.renewed(raw) for fault, raw in _raw(name).items()})
