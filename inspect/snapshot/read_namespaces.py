"""Reads many namespaces at once, and settles which of them their links lead to.

The host's comes first: reading it gives it its numbers for the others, and
what is slow about it (its rules) goes on while the others are read.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import msgspec

from dnet_tui.inspect.kernel.netlink import NetlinkSocket
from dnet_tui.inspect.kernel.netns import NamespaceGoneError, NsHandle, current_inode, opened
from dnet_tui.inspect.kernel.rtnetlink import read_dumps
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.model.coverage.needs import Needs, SectionName
from dnet_tui.inspect.snapshot.namespace_candidates import NamespaceCandidate
from dnet_tui.inspect.snapshot.namespace_pool import visit_all
from dnet_tui.inspect.snapshot.netns_ids import settle_numbers
from dnet_tui.inspect.snapshot.read_namespace import ReadRequest, collect


def read_places(
    places: Sequence[NamespaceCandidate],
    host: NsHandle,
    needs: Needs,
    errand: ReadRequest,
    *,
    at: str,
    workers: int,
    before: Mapping[str, NamespaceReading],
    doubtful: Mapping[str, NamespaceReading],
) -> dict[str, NamespaceReading | Exception]:
    """What each namespace holds, or why it could not be read, by its id.

    Args:
        places: the namespaces to read.
        host: the host's.
        needs: the sections that are wanted of them.
        errand: what else is; the parts that depend on the place are filled in here.
        at: the time, as the snapshot will have it.
        workers: how many are read at once.
        before: what earlier readings had.
        doubtful: those among them that are good enough as they are, if the namespace is still the same.
    """
    with ExitStack() as stack:
        numbers = _HostNumbers(host, stack)

        def read(index: int, fd: int | None) -> NamespaceReading:
            place = places[index]
            kept = doubtful.get(place.id)
            if kept is not None and _is_same(kept):
                return kept
            own = msgspec.structs.replace(
                errand,
                sections=needs.of(is_host=place.is_host),
                only_if_connected=place.is_sandbox,
                before=before.get(place.id),
                rules=errand.rules if place.is_host else None,
            )
            contents = collect(place.id, own, at=at, host=numbers.host)
            if fd is not None:
                contents.host_nsid = numbers.of(fd)
            return contents

        results = visit_all([place.handle for place in places], read, workers=workers or _usual_workers(needs))
    return {place.id: result for place, result in zip(places, results, strict=True)}


def _usual_workers(needs: Needs) -> int:
    """One where the kernel answers at once and Python does the work; more where programs are waited for."""
    return 1 if needs.sections <= _QUICK else 0


_QUICK = frozenset({SectionName.LINKS, SectionName.ADDRESSES, SectionName.ROUTES, SectionName.NEIGHBOURS})


def _is_same(kept: NamespaceReading) -> bool:
    """Whether the namespace that the thread is in is the one that was read, by the kernel's name for it."""
    with NetlinkSocket() as sock:
        return kept.cookie is not None and sock.cookie() == kept.cookie


def settle_links(
    spaces: Mapping[str, NamespaceReading],
    places: Sequence[NamespaceCandidate],
    host: NsHandle,
    fresh: Sequence[str],
    *,
    workers: int,
) -> None:
    """Settle which namespaces the links of the ``fresh`` ones lead to; the others' links are settled already."""
    settle_numbers(spaces, [place.handle for place in places], host.id, fresh, workers=workers)


class _HostNumbers:
    """The host's own namespace, kept open, and a socket in it that tells by which numbers it knows others."""

    def __init__(self, host: NsHandle, stack: ExitStack) -> None:
        self.host: tuple[str, int] | None = None
        self._sock: NetlinkSocket | None = None
        self._lock = threading.Lock()
        with contextlib.suppress(OSError, NamespaceGoneError):
            self.host = (host.id, stack.enter_context(opened(host)))
        with contextlib.suppress(OSError):
            if current_inode() == host.inode:
                self._sock = stack.enter_context(NetlinkSocket())

    def of(self, fd: int) -> int | None:
        """The host's number for a namespace; None when it has none (yet), or can't be asked."""
        if self._sock is None:
            return None
        with self._lock, contextlib.suppress(OSError):
            return read_dumps.read_nsid(self._sock, fd)
        return None
