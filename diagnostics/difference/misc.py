"""What changed around the networks: name servers of the host, firewalld, IPsec, VXLAN's static ways.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dnet_tui.diagnostics.difference.base import (
    DifferenceEntry,
    DifferenceItem,
    DifferenceKind,
    Pair,
    arrow,
    device,
    devices,
    entries,
    fields,
)
from dnet_tui.inspect.model import Firewalld, Namespace, Resolver, Snapshot, Unread, known_items


def surroundings(before: Snapshot, after: Snapshot) -> Iterator[DifferenceItem]:
    """Whom the host asks for names, and how firewalld is set up; only where both were seen."""
    was, now = before.host.resolver, after.host.resolver
    if isinstance(was, Resolver) and isinstance(now, Resolver) and was.servers != now.servers:
        one, other = ", ".join(was.servers), ", ".join(now.servers)
        yield _changed("names", "host", "name servers", one, other)
    if isinstance(before.firewalld, Firewalld) and isinstance(after.firewalld, Firewalld):
        yield from _firewalld(before.firewalld, after.firewalld)


def _changed(section: str, scope: str, what: str, before: str, after: str) -> DifferenceItem:
    text = f"{what} {arrow(before, after)}"
    return DifferenceItem(
        kind="changed", section=section, scope=scope, what=what, text=text, before=before, after=after
    )


def _firewalld(was: Firewalld, now: Firewalld) -> Iterator[DifferenceItem]:
    for what, one, other in fields(was, now, ("pid", "settled", "zones", "lacks")):
        yield _changed("firewalld", "firewalld", what, one, other)
    if isinstance(was.zones, Unread) or isinstance(now.zones, Unread):
        return

    def word(kind: DifferenceKind, entry: DifferenceEntry) -> str:
        return f"{entry.what} {'appeared' if kind == 'added' else 'is gone'} ({entry.text})"

    yield from entries("firewalld", "firewalld", _zones(was), _zones(now), word)


def _zones(item: Firewalld) -> Iterator[DifferenceEntry]:
    for zone in known_items(item.zones):
        parts = [f"target {zone.target}", *zone.interfaces, *zone.sources]
        yield DifferenceEntry(key=zone.name, what=f"zone {zone.name}", text=", ".join(parts))


def ipsec(pair: Pair) -> Iterator[DifferenceItem]:
    """How many IPsec policies there are: none and some are different networks."""
    was, now = pair.old.xfrm_policies, pair.new.xfrm_policies
    if isinstance(was, int) and isinstance(now, int) and was != now:
        yield _changed("xfrm", pair.label, "IPsec policies", str(was), str(now))


def static_ways(pair: Pair) -> Iterator[DifferenceItem]:
    """Where VXLAN sends what it has no other way for, and MACs whose remote end is known."""

    def word(kind: DifferenceKind, entry: DifferenceEntry) -> str:
        return f"{entry.what} {entry.text} {'added' if kind == 'added' else 'is gone'}"

    yield from entries("fdb", pair.label, _ways(pair.old, pair), _ways(pair.new, None), word)


def _ways(ns: Namespace, pair: Pair | None) -> Iterator[DifferenceEntry]:
    names = devices(ns, pair.renamed if pair is not None else None)
    for item in ns.fdb:
        if item.remote and item.state == "PERMANENT":
            name = device(names, item.ifindex)
            yield DifferenceEntry(
                key=(name, item.mac, item.remote), what=f"{item.mac} by {name}", text=f"to {item.remote}"
            )
