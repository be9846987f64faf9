"""Which namespaces there are to read, and the ways into each.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from dnet_tui.inspect.kernel.netns import NsHandle
from dnet_tui.inspect.kernel.procfs import NamespaceFile, ProcessSeen
from dnet_tui.inspect.model import NamespaceKind, Process

_PROCESSES_KEPT = 8
"""A snapshot names a namespace's oldest processes: those by which it can be entered, not every one."""


class NamespaceCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """A network namespace that was found, before it is read.

    ``names`` are those of ``ip netns``; ``path`` is a file it is bound to;
    ``processes`` are its oldest, ``is_tenanted`` whether one of all of them
    is a container's.
    """

    handle: NsHandle
    is_host: bool = False
    names: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    is_tenanted: bool = False

    @property
    def id(self) -> str:
        """The namespace's id in a snapshot."""
        return self.handle.id

    @property
    def is_sandbox(self) -> bool:
        """Held by nothing but processes that are in no container: worth a look only if it is connected."""
        return not (self.is_host or self.names or self.is_tenanted)

    def kind(self, occupied: frozenset[str]) -> NamespaceKind:
        """What kind of namespace it is; ``occupied`` are the ids of those that containers use."""
        if self.is_host:
            return "host"
        if self.id in occupied:
            return "container"
        return "named" if self.names or not self.processes else "process"


def find_candidates(
    host: NsHandle, processes: Iterable[ProcessSeen], files: Iterable[NamespaceFile]
) -> tuple[NamespaceCandidate, ...]:
    """Every namespace that a process or a file holds: the host's first, then in order of age.

    ``processes`` come oldest first.
    """
    by_inode: dict[int, list[ProcessSeen]] = {host.inode: []}
    for process in processes:
        by_inode.setdefault(process.inode, []).append(process)
    bound: dict[int, list[NamespaceFile]] = {}
    for file in files:
        by_inode.setdefault(file.inode, [])
        bound.setdefault(file.inode, []).append(file)
    return tuple(_place(inode, held, bound.get(inode, []), host) for inode, held in by_inode.items())


def _place(inode: int, held: list[ProcessSeen], files: list[NamespaceFile], host: NsHandle) -> NamespaceCandidate:
    kept = tuple(Process(pid=item.pid, start=item.start, name=item.name) for item in held[:_PROCESSES_KEPT])
    if inode == host.inode:
        return NamespaceCandidate(handle=host, is_host=True, names=_names(files), processes=kept)
    first = kept[0] if kept else None
    return NamespaceCandidate(
        handle=NsHandle(
            inode=inode,
            path=files[0].path if files else "",
            pid=first.pid if first else None,
            start=first.start if first else None,
        ),
        names=_names(files),
        processes=kept,
        is_tenanted=any(item.container is not None for item in held),
    )


def _names(files: list[NamespaceFile]) -> tuple[str, ...]:
    return tuple(file.name for file in files if file.name)
