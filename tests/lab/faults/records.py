"""Recorded faults: snapshots of lab hosts with a fault in them, and what the doctor must say of each.  Pure.

``HOST.json`` says, readable and comparable, which findings each fault has;
``HOST.json.xz`` holds the snapshots, redacted, all of one host together: they
differ in little, so that together they are hardly larger than one.
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import msgspec

from dnet_tui.diagnostics.checks.run_checks import examine
from dnet_tui.inspect.archive import snapshot_file
from dnet_tui.inspect.archive.redact import redact
from dnet_tui.inspect.model import Snapshot

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "faults"
HEALTHY = "healthy"
"""The name of the record without a fault."""

_KEY = b"recorded for the scenario tests\0"
"""One for all, so that the records of a host have the same words; what they are of is the lab's alone."""


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A finding, as far as it must come again."""

    check: str
    severity: str
    caused_by: str | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the errors and warnings of one host were, by fault.  ``host`` says what it was recorded from."""

    host: str
    faults: dict[str, tuple[Told, ...]]


def told(snapshot: Snapshot) -> tuple[Told, ...]:
    """Return what the doctor says of a snapshot, in its order; information is left out."""
    return tuple(
        Told(check=item.check, severity=item.severity, caused_by=item.caused_by)
        for item in examine(snapshot).findings
        if item.severity != "info"
    )


def redacted(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot as it is recorded."""
    return redact(snapshot, _KEY)


def names() -> tuple[str, ...]:
    """Return the hosts of which there are records."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def load(name: str) -> Record:
    """Read what must be said of a host's faults."""
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes(), type=Record)


@lru_cache(maxsize=1)
def _raw(name: str) -> dict[str, msgspec.Raw]:
    data = lzma.decompress((FOLDER / f"{name}.json.xz").read_bytes())
    return msgspec.json.decode(data, type=dict[str, msgspec.Raw])


def snapshot(name: str, fault: str) -> Snapshot:
    """Read the snapshot of a host with a fault."""
    return snapshot_file.decode(bytes(_raw(name)[fault]), f"{name} {fault}")


def save(name: str, host: str, snapshots: Mapping[str, Snapshot]) -> int:
    """Write a host's records, redacted already, and return how many bytes they take."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    record = Record(host=host, faults={fault: told(seen) for fault, seen in snapshots.items()})
    words = msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
    (FOLDER / f"{name}.json").write_bytes(words)
    raw = {fault: msgspec.Raw(snapshot_file.encode(seen)) for fault, seen in snapshots.items()}
    packed = lzma.compress(msgspec.json.encode(raw), preset=9)
    (FOLDER / f"{name}.json.xz").write_bytes(packed)
    return len(words) + len(packed)
