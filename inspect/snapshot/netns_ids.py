"""Which namespaces the numbers in links stand for, where the first reading left that open.

A link tells its peer's namespace by a number (nsid) that means something only
in its own namespace; the kernel says whether a given namespace has that
number.  Nearly every link leads to the host or from it, which is asked while
namespaces are read; here the rest is settled: numbers that the host got only
while it was being read, and pairs between two containers.

Source: net_namespaces.h (RTM_GETNSID), net/core/net_namespace.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dnet_tui.inspect.kernel.netlink import NetlinkSocket
from dnet_tui.inspect.kernel.netns import NamespaceGoneError, NsHandle, opened
from dnet_tui.inspect.kernel.rtnetlink import read_dumps
from dnet_tui.inspect.model import Link
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.model.links import PAIRS
from dnet_tui.inspect.snapshot.namespace_pool import visit_all


def settle_numbers(
    spaces: Mapping[str, NamespaceReading],
    handles: Sequence[NsHandle],
    host: str,
    fresh: Iterable[str],
    *,
    workers: int,
) -> None:
    """Fill in the ``nsids`` of the ``fresh`` namespaces, which were just read, as far as they can be told.

    ``handles`` are all the namespaces there are, read or not.
    """
    for key in fresh:
        contents = spaces[key]
        if key == host:
            contents.nsids = {item.host_nsid: item.id for item in spaces.values() if item.host_nsid is not None}
    places = {handle.id: handle for handle in handles}
    asking = [(spaces[key], others) for key, others in open_questions(spaces, places, host, fresh)]
    if not asking:
        return

    def ask(index: int, _fd: int | None) -> None:
        contents, others = asking[index]
        _ask(contents, [places[other] for other in others])

    visit_all([places[contents.id] for contents, _ in asking], ask, workers=workers)


def wanted_numbers(contents: NamespaceReading) -> set[int]:
    """The numbers in its links of which nobody knows yet what they stand for."""
    told = {link.lower_nsid for link in contents.links if link.lower_nsid is not None and link.lower_nsid >= 0}
    return told - contents.nsids.keys()


def open_questions(
    spaces: Mapping[str, NamespaceReading], places: Mapping[str, NsHandle], host: str, fresh: Iterable[str]
) -> Iterator[tuple[str, list[str]]]:
    """Which namespaces to ask, and about which others."""
    index: dict[int, list[tuple[str, Link]]] | None = None
    unread = [key for key in places if key not in spaces]
    for key in fresh:
        contents = spaces[key]
        if key not in places or not wanted_numbers(contents):
            continue
        if index is None:
            index = _by_ifindex(spaces)
        settled = set(contents.nsids.values())
        likely = [other for other in _likely(contents, index) if other not in settled]
        # The host may have got its numbers for anybody meanwhile; another namespace knows few.
        rest = [other for other in spaces if spaces[other].host_nsid is None] if key == host else []
        others = dict.fromkeys(other for other in (*likely, *rest, *unread) if other != key and other in places)
        if others:
            yield key, list(others)


def _by_ifindex(spaces: Mapping[str, NamespaceReading]) -> dict[int, list[tuple[str, Link]]]:
    found: dict[int, list[tuple[str, Link]]] = {}
    for key, contents in spaces.items():
        for link in contents.links:
            found.setdefault(link.ifindex, []).append((key, link))
    return found


def _likely(contents: NamespaceReading, index: Mapping[int, list[tuple[str, Link]]]) -> Iterator[str]:
    """The namespaces that have a link which one of its open links could lead to."""
    wanted = wanted_numbers(contents)
    for link in contents.links:
        if link.lower_nsid not in wanted:
            continue
        lower = link.ifindex if link.lower is None else link.lower
        for key, other in index.get(lower, ()):
            is_end = other.kind == link.kind and other.lower_nsid is not None and other.lower in (None, link.ifindex)
            if is_end or link.kind not in PAIRS:
                yield key


def _ask(contents: NamespaceReading, others: Iterable[NsHandle]) -> None:
    """Ask the namespace that the thread is in for its numbers of the others, until all that are wanted are known."""
    wanted = wanted_numbers(contents)
    found = dict(contents.nsids)
    with NetlinkSocket() as sock:
        for other in others:
            if not wanted - found.keys():
                break
            try:
                with opened(other) as fd:
                    nsid = read_dumps.read_nsid(sock, fd)
            except (OSError, NamespaceGoneError):
                continue  # then the link that leads there says that its peer wasn't found
            if nsid is not None:
                found[nsid] = other.id
    contents.nsids = found
