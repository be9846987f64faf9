"""Recorded swarms of one node: what a trace between their places, and the map, must say.  Pure but for the files."""

from __future__ import annotations

from pathlib import Path

import msgspec

from dnet_tui.diagnostics.context.host_context import HostContext
from dnet_tui.diagnostics.trace.endpoints import find
from dnet_tui.diagnostics.trace.trace import trace
from dnet_tui.inspect.archive import snapshot_file
from dnet_tui.inspect.model import Snapshot
from lab.recordings import recording

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "swarm"

ASKED = (
    ("ov1", "ov2", 80),
    ("ov2", "ov1", 81),
    ("ov1", "svc", 80),
    ("ov1", "outside", 443),
    ("ov1", "host", 22),
    ("ov1", "web", 80),
    ("host", "ov1", 80),
    ("outside", "host", 9090),
)
"""From, to and port of the traces."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A trace: its verdict, and the namespaces that it passes, by their names."""

    source: str
    target: str
    port: int
    verdict: str
    by: tuple[str, ...]


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a person reads of a recording."""

    shows: str
    traces: tuple[Said, ...]


def names() -> tuple[str, ...]:
    """Return the recordings."""
    return recording.names(FOLDER)


def name_of(release: tuple[int, ...]) -> str:
    """Return the name of the recording of a Docker's release."""
    return f"docker-{'20' if release < (23,) else 'new'}"


def snapshot(name: str) -> Snapshot:
    """Return a recorded host."""
    return recording.snapshot(recording.read_data(FOLDER, name, msgspec.Raw), name)


def spec(name: str) -> Spec:
    """Return what must be said of it."""
    return recording.read_spec(FOLDER, name, Spec)


def said(host: Snapshot, *, mapped: bool = True) -> tuple[Said, ...]:
    """Return what the traces say; without ``mapped`` but the verdicts."""
    case = HostContext(host)
    found = []
    for source, target, port in ASKED:
        one = trace(case, find(case, source), find(case, target), port=port)
        by = tuple(dict.fromkeys(case.view.label(hop.namespace) for hop in one.forward.hops)) if mapped else ()
        found.append(Said(source=source, target=target, port=port, verdict=one.verdict, by=by))
    return tuple(found)


def write(release: tuple[int, ...], host: Snapshot) -> None:
    """Record a host."""
    name = name_of(release)
    version = ".".join(map(str, release))
    plain = msgspec.structs.replace(host, host=msgspec.structs.replace(host.host, kernel="recorded"), tool_version="")
    recording.write_data(FOLDER, name, msgspec.Raw(snapshot_file.encode(plain)))
    recording.write_spec(FOLDER, name, Spec(shows=f"a swarm of one node, Docker {version}", traces=said(host)))
