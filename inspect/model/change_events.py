"""What moved on a host, as far as notifications tell, and which namespaces that concerns.  Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from dnet_tui.inspect.model import Snapshot

OURS = -1
"""Instead of a namespace's number: our own one."""
ANY = -2
"""Instead of a namespace's number: notifications were lost, so it may be any."""


class Moved(NamedTuple):
    """A section of a snapshot that may look different now, in the namespace that ours knows by the number ``nsid``."""

    section: str
    nsid: int = OURS


def touched(shown: Snapshot, moved: Collection[Moved]) -> frozenset[str]:
    """The ids of the other namespaces of ``shown`` in which something moved.

    The host's links tell the number of the namespace they lead into.  A
    number that none of them has may be that of any namespace without a link
    to the host.
    """
    numbers = {item.nsid for item in moved} - {OURS}
    others = frozenset(ns.id for ns in shown.namespaces if ns.kind != "host")
    if not numbers or ANY in numbers:
        return others if numbers else frozenset()
    known = {
        link.lower_nsid: link.peer.namespace
        for ns in shown.namespaces
        if ns.kind == "host"
        for link in ns.links
        if link.lower_nsid is not None and link.peer is not None
    }
    found = {known[number] for number in numbers if number in known}
    if not numbers <= known.keys():
        found |= others - set(known.values())
    return frozenset(found)
