"""What became of packets of given sizes, as seen and as the walk says it; also kept in files.  Pure but for those."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.archive import snapshot_file
from dnet_tui.inspect.model import Host, Snapshot
from dnet_tui.inspect.model.view import View
from lab.recordings import recording

Probe = tuple[int, str, int, bool | None]
"""Number, protocol, bytes, and whether Don't Fragment is set (None: whatever Linux does)."""

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "mtu"
ENDS = frozenset({"delivered", "refused", "too-big"})


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The packets sent from one address to another, and the numbers of those that arrived."""

    snapshot: Snapshot
    source: str
    target: str
    probes: tuple[Probe, ...]
    arrived: tuple[int, ...]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording's data are: the packets, with the snapshot as it was written."""

    snapshot: msgspec.Raw
    source: str
    target: str
    probes: tuple[Probe, ...]
    arrived: tuple[int, ...]


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a person reads of a recording: where the narrow place is, and what became of each packet."""

    shows: str
    source: str
    target: str
    arrived: tuple[str, ...]
    lost: tuple[str, ...]


def spec(seen: Seen, shows: str) -> Spec:
    """Say in words what was seen."""
    return Spec(
        shows=shows,
        source=seen.source,
        target=seen.target,
        arrived=tuple(_text(probe) for probe in seen.probes if probe[0] in seen.arrived),
        lost=tuple(_text(probe) for probe in seen.probes if probe[0] not in seen.arrived),
    )


def _text(probe: Probe) -> str:
    _, proto, size, df = probe
    return f"{proto} {size}" + {None: "", True: " DF", False: " may be fragmented"}[df]


def names() -> tuple[str, ...]:
    """Return the recordings there are."""
    return recording.names(FOLDER)


def save(seen: Seen, name: str, shows: str) -> None:
    """Keep it, without the names of the machine."""
    kernel = ".".join(seen.snapshot.host.kernel.split(".")[:2])
    plain = msgspec.structs.replace(seen.snapshot, host=Host(hostname="lab", kernel=kernel))
    raw = msgspec.Raw(snapshot_file.encode(plain))
    kept = Kept(snapshot=raw, source=seen.source, target=seen.target, probes=seen.probes, arrived=seen.arrived)
    recording.write_data(FOLDER, name, kept)
    recording.write_spec(FOLDER, name, spec(seen, shows))


def load(name: str) -> Seen:
    """What was kept."""
    kept = recording.read_data(FOLDER, name, Kept)
    return Seen(
        snapshot=recording.snapshot(kept.snapshot, name),
        source=kept.source,
        target=kept.target,
        probes=kept.probes,
        arrived=kept.arrived,
    )


def load_spec(name: str) -> Spec:
    """What a person reads of it."""
    return recording.read_spec(FOLDER, name, Spec)


def renew(name: str) -> None:
    """Write a recording's data anew, in today's format."""
    kept = recording.read_data(FOLDER, name, Kept)
    recording.write_data(FOLDER, name, msgspec.structs.replace(kept, snapshot=recording.renewed(kept.snapshot)))


def judged(seen: Seen) -> dict[str, list[str]]:
    """What the walk says wrongly, and what it leaves open."""
    view = View(seen.snapshot)
    said: dict[str, list[str]] = {"wrong": [], "unsure": []}
    for probe in seen.probes:
        way = foretold(view, seen.source, seen.target, probe)
        arrived = probe[0] in seen.arrived
        by = way.decided_by.text if way.decided_by is not None else ""
        if way.arrives is None:
            said["unsure"].append(f"{probe}: {by}")
        elif way.arrives is not arrived or way.end not in ENDS:
            said["wrong"].append(f"{probe}: {way.end} by {by}, but {'arrived' if arrived else 'was lost'}")
    return said


def before_bridge_mtu(kernel: str) -> bool:
    """Whether a kernel's br_netfilter may not know the bridge's own MTU (before 6.15)."""
    found = re.match(r"(\d+)\.(\d+)", kernel)
    return found is None or (int(found[1]), int(found[2])) < (6, 15)


def foretold(view: View, source: str, target: str, probe: Probe) -> Walk:
    """What the walk says of it."""
    _, proto, size, df = probe
    six = ":" in target
    ports = {"udp": (5353, 5353), "tcp": (40000, 5353), "icmp": (0, 0)}[proto]
    packet = Packet(
        family="ip6" if six else "ip",
        src=source,
        dst=target,
        proto="icmpv6" if six and proto == "icmp" else proto,
        sport=ports[0],
        dport=ports[1],
        icmp_type=(128 if six else 8) if proto == "icmp" else 0,
        tcp_flags=("SYN",) if proto == "tcp" else (),
        length=size,
        df=df,
    )
    origin = next(ns.id for ns in view.snapshot.namespaces for item in ns.addresses if item.address == source)
    return walk(view, packet, origin=origin)
