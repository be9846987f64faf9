"""What a later snapshot may take over from an earlier one: namespaces that nothing says have changed.  Pure.

A namespace's number is given to a new one once it has ended, so its id alone
proves nothing.  It is the same one if a process that was in it then is in it
now, or if the kernel's cookie says so (see ``NamespaceReading.cookie``).

What counts as a sign of change: the caller names it; other processes are the
oldest in it; an end of a pair in the host that leads into it is new, gone or
different; or it could not be read whole before.  What changes inside without
any of these (an address, a route, a rule) is not seen: that is why such a
namespace carries the time when it was read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model import Link
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.snapshot.namespace_candidates import NamespaceCandidate

if TYPE_CHECKING:
    from dnet_tui.inspect.engines.read_log import KeptLogs
    from dnet_tui.inspect.ruleset.owner_cache import OwnerCache


class ReadCache(msgspec.Struct, kw_only=True):
    """What one snapshot leaves to the next.  Empty before the first; owners and logs only where they were wanted."""

    places: dict[str, NamespaceCandidate] = {}
    contents: dict[str, NamespaceReading] = {}
    processes: dict[int, ProcessSeen] = {}
    owners: OwnerCache | None = None
    logs: KeptLogs | None = None


class Kept(msgspec.Struct, kw_only=True):
    """The namespaces to take over: those that are ``sure``, and those whose cookie must be looked at first."""

    sure: dict[str, NamespaceReading]
    doubtful: dict[str, NamespaceReading]


def keep(memory: ReadCache, places: Iterable[NamespaceCandidate], touched: Collection[str]) -> Kept:
    """Choose what to take over; ``touched`` are the ids of namespaces that are known to have changed."""
    kept = Kept(sure={}, doubtful={})
    for place in places:
        before, contents = memory.places.get(place.id), memory.contents.get(place.id)
        if before is None or contents is None or place.is_host or place.id in touched or contents.gaps:
            continue
        # Of a sandbox mostly nothing was read but that it leads nowhere; a look at it is cheap.
        if place.is_sandbox or before.is_sandbox or before.processes != place.processes:
            continue
        if place.processes:
            kept.sure[place.id] = contents
        elif contents.cookie is not None:
            kept.doubtful[place.id] = contents
    return kept


def changed_peers(before: NamespaceReading, now: NamespaceReading) -> set[str]:
    """The namespaces (by id) at whose links' other ends, in the host, something changed."""
    return {namespace for _, (namespace, _) in _ends(before).items() ^ _ends(now).items()}


def _ends(host: NamespaceReading) -> Mapping[int, tuple[str, tuple[object, ...]]]:
    """The host's links that lead elsewhere: by ifindex, where to, and what shows when something happens there."""
    return {
        link.ifindex: (host.nsids[link.lower_nsid], link_signature(link))
        for link in host.links
        if link.lower_nsid is not None and link.lower_nsid in host.nsids
    }


def link_signature(link: Link) -> tuple[object, ...]:
    """What of a link shows that something at its other end has changed."""
    return link.name, link.kind, link.lower, link.up, link.carrier, link.operstate, link.mtu, link.master
