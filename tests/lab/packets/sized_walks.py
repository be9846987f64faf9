"""What became of packets of given sizes, as seen and as the walk says it; also kept in files.  Pure but for those."""

from __future__ import annotations

import lzma
import re
from pathlib import Path

import msgspec

from dnet_tui.diagnostics.walk.api import walk
from dnet_tui.diagnostics.walk.packet import Packet, Walk
from dnet_tui.inspect.archive.snapshot_file import decode
from dnet_tui.inspect.model import Host, Snapshot
from dnet_tui.inspect.model.view import View

Probe = tuple[int, str, int, bool | None]
"""Number, protocol, bytes, and whether Don't Fragment is set (None: whatever Linux does)."""

ENDS = frozenset({"delivered", "refused", "too-big"})


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The packets sent from one address to another, and the numbers of those that arrived."""

    snapshot: Snapshot
    source: str
    target: str
    probes: tuple[Probe, ...]
    arrived: tuple[int, ...]


def save(seen: Seen, path: Path) -> None:
    """Keep it, without the names of the machine."""
    kernel = ".".join(seen.snapshot.host.kernel.split(".")[:2])
    plain = msgspec.structs.replace(seen.snapshot, host=Host(hostname="lab", kernel=kernel))
    path.write_bytes(lzma.compress(msgspec.json.encode(msgspec.structs.replace(seen, snapshot=plain))))


def load(path: Path) -> Seen:
    """What was kept."""
    raw = msgspec.json.decode(lzma.decompress(path.read_bytes()))
    snapshot = decode(msgspec.json.encode(raw.pop("snapshot")))  # of whatever format it was kept in
    return msgspec.convert(raw | {"snapshot": snapshot}, type=Seen)


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
