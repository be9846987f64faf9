"""Reads /proc: which processes there are, in which network namespace and container.

Changes nothing.  A process that ends meanwhile is left out; one that may not
be looked into is counted.  Sources: proc(5), namespaces(7).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import msgspec

from dnet_tui.inspect.kernel.capabilities import CAP_SYS_PTRACE, has_capability
from dnet_tui.inspect.kernel.cgroups import CgroupContainer, container_of
from dnet_tui.inspect.kernel.netns import inode_of, read_small, read_whole
from dnet_tui.inspect.text.encoding import storable, text

_KERNEL_THREAD = 0x00200000
"""PF_KTHREAD: such a process runs the kernel's own code, in the first namespace."""


class ProcessSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A process.  ``start`` in clock ticks since boot; ``inode`` is its network namespace's."""

    pid: int
    parent: int
    start: int
    name: str
    inode: int
    container: CgroupContainer | None = None


class HiddenProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process whose namespaces may not be looked at; its name and container are told all the same, mostly.

    ``name`` is empty where /proc hides even that (``hidepid=noaccess``).
    """

    pid: int
    name: str = ""
    container: CgroupContainer | None = None


class ProcessTable(msgspec.Struct, frozen=True, kw_only=True):
    """The processes that could be looked into, the oldest first, and those that could not.

    ``hiding`` is how /proc hides other users' processes (its option
    ``hidepid``); empty where it does not.
    """

    processes: tuple[ProcessSeen, ...] = ()
    hidden: tuple[HiddenProcess, ...] = ()
    hiding: str = ""


def read_processes(known: Mapping[int, ProcessSeen] | None = None) -> ProcessTable:
    """List the processes of the PID namespace that /proc shows.

    Args:
        known: processes by their PID as they were seen before: the container of one that is still there isn't
            looked up again once it has one.

    Raises:
        OSError: /proc can't be listed.
    """
    seen: list[ProcessSeen] = []
    hidden: list[HiddenProcess] = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - Path.iterdir costs a multiple over thousands of entries
        if not name.isdecimal():
            continue
        try:
            process = read_process(int(name), known)
        except PermissionError:
            hidden.append(_hidden(int(name)))
        except (OSError, ValueError):
            continue
        else:
            if process is not None:
                seen.append(process)
    seen.sort(key=lambda process: (process.start, process.pid))
    return ProcessTable(processes=tuple(seen), hidden=tuple(hidden), hiding=_read_hiding())


def _hidden(pid: int) -> HiddenProcess:
    """What is told of a process that may not be looked into: unlike its namespaces, this is open to everybody."""
    try:
        stat = parse_stat(read_small(f"/proc/{pid}/stat"))
        return HiddenProcess(pid=pid, name=stat.name, container=_container(read_small(f"/proc/{pid}/cgroup")))
    except (OSError, ValueError):
        return HiddenProcess(pid=pid)


def _read_hiding() -> str:
    """How /proc hides processes from this one; empty where it does not, or that can't be told."""
    try:
        return "" if has_capability(CAP_SYS_PTRACE) else parse_hiding(read_whole("/proc/self/mountinfo"))
    except OSError:
        return ""


def parse_hiding(raw: bytes) -> str:
    """The option ``hidepid`` of the uppermost /proc in a mountinfo; empty for none (proc(5): 0, 1, 2, 4 or words)."""
    found = ""
    for line in raw.splitlines():
        fields = line.split()
        if len(fields) < 5 or fields[4] != b"/proc" or b"-" not in fields:
            continue
        kind, *rest = fields[fields.index(b"-") + 1 :]
        options = rest[-1].split(b",") if rest else []
        value = next((text(item[8:]) for item in options if item.startswith(b"hidepid=")), "")
        found = value if kind == b"proc" and value not in ("0", "off") else ""
    return found


def read_process(pid: int, known: Mapping[int, ProcessSeen] | None = None) -> ProcessSeen | None:
    """One process; None for a kernel thread and for one that has ended but is still listed.

    Raises:
        OSError: there is no such process, or it may not be looked into.
        ValueError: /proc says something that proc(5) doesn't describe.
    """
    stat = parse_stat(read_small(f"/proc/{pid}/stat"))
    if stat.flags & _KERNEL_THREAD or stat.state in "ZXx":
        return None
    inode = inode_of(pid)
    before = known.get(pid) if known else None
    same = before is not None and (before.start, before.name, before.inode) == (stat.start, stat.name, inode)
    if before is not None and same and before.container is not None:  # one that has none yet may be put into one
        return before if before.parent == stat.parent else msgspec.structs.replace(before, parent=stat.parent)
    return ProcessSeen(
        pid=pid,
        parent=stat.parent,
        start=stat.start,
        name=stat.name,
        inode=inode,
        container=_container(read_small(f"/proc/{pid}/cgroup")),
    )


@lru_cache(maxsize=4096)
def _container(cgroup: bytes) -> CgroupContainer | None:
    """The container of a /proc/PID/cgroup; many processes have the same."""
    return container_of(text(cgroup))


class Stat(msgspec.Struct, frozen=True, kw_only=True):
    """What we need of /proc/PID/stat."""

    name: str
    state: str
    parent: int
    flags: int
    start: int


def parse_stat(raw: bytes) -> Stat:
    """Parse /proc/PID/stat.  The name may hold blanks, brackets and line breaks.

    Raises:
        ValueError: it isn't of that form.
    """
    head, bracket, tail = raw.rpartition(b")")
    fields = tail.split()
    if not bracket or len(fields) < 20:
        raise ValueError("/proc/PID/stat is malformed")
    return Stat(
        name=text(head.partition(b"(")[2]),
        state=fields[0].decode("ascii", "replace"),
        parent=int(fields[1]),
        flags=int(fields[6]),
        start=int(fields[19]),
    )


class NamespaceFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a namespace is bound to.  ``name`` is set for those in /run/netns (``ip netns``).

    ``path`` may hold bytes that aren't text, as :func:`os.fsdecode` writes them: it is there to be opened.
    """

    path: str
    inode: int
    name: str = ""


_NAMED = ("/run/netns/", "/var/run/netns/")


def read_namespace_files() -> tuple[NamespaceFile, ...]:
    """The network namespaces bound to files in this mount namespace: those of ``ip netns`` and of engines.

    Raises:
        OSError: /proc/self/mountinfo can't be read.
    """
    return parse_mountinfo(read_whole("/proc/self/mountinfo"))


def parse_mountinfo(raw: bytes) -> tuple[NamespaceFile, ...]:
    """Bind mounts of network namespaces in /proc/PID/mountinfo: type nsfs, root ``net:[INODE]``.

    A namespace whose mount is seen at several paths is listed for each;
    names first.
    """
    found: dict[tuple[str, int], NamespaceFile] = {}
    for line in raw.splitlines():
        fields = line.split()
        if len(fields) < 5 or not fields[3].startswith(b"net:["):
            continue
        digits = fields[3][5:-1].decode("ascii", "replace")
        if not digits.isdecimal():
            continue
        raw_path = _unescape(fields[4])
        path = text(raw_path)
        name = next((path.removeprefix(prefix) for prefix in _NAMED if path.startswith(prefix)), "")
        file = NamespaceFile(path=os.fsdecode(raw_path), inode=int(digits), name="" if "/" in name else name)
        found.setdefault((file.name or file.path, file.inode), file)
    return tuple(sorted(found.values(), key=lambda file: (not file.name, file.name, file.path)))


def read_unbound_files(bound: Iterable[NamespaceFile]) -> tuple[str, ...]:
    """The files in /run/netns that no namespace is bound to, which ``ip netns`` lists all the same."""
    known = {file.path for file in bound}
    folder = _NAMED[0]
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names alone are wanted
    except OSError:
        return ()
    return tuple(storable(f"{folder}{name}") for name in names if f"{folder}{name}" not in known)


def _unescape(raw: bytes) -> bytes:
    r"""Undo mountinfo's ``\040`` for blank, tab, line break and backslash."""
    for code, char in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        raw = raw.replace(code, char)
    return raw


def read_argv(pid: int) -> tuple[str, ...]:
    """A process's arguments; none when it has ended or may not be looked into."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(text(part) for part in raw.rstrip(b"\0").split(b"\0"))


def read_socket_owners(inodes: Iterable[int], likely: Iterable[int] = ()) -> dict[int, int]:
    """Which process has each of these sockets open: the PID by the socket's inode.  Best effort.

    The ``likely`` processes are looked through first, the others only for what is left then.
    """
    wanted = {f"socket:[{inode}]": inode for inode in inodes if inode}
    owners: dict[int, int] = {}
    if not wanted:
        return owners
    first = sorted(set(likely))
    for pids in (first, sorted(_pids() - set(first))):
        for pid in pids:
            for target in _descriptors(pid):
                inode = wanted.get(target)
                if inode is not None:
                    owners.setdefault(inode, pid)
        if len(owners) == len(wanted):
            break
    return owners


def _pids() -> set[int]:
    return {int(name) for name in os.listdir("/proc") if name.isdecimal()}  # noqa: PTH208 - as above


def _descriptors(pid: int) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)  # noqa: PTH208 - as above
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"{folder}/{name}")  # noqa: PTH115 - as above
        except OSError:
            continue
