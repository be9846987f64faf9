"""Programs that pass on connections besides docker-proxy: pasta, RootlessKit, any whose sockets show both sides.

pasta's arguments tell what it forwards into which namespace.  RootlessKit's
don't: it listens, and its child in the engine's namespace connects to the
same port there.  Of any other program that listens on one port and has
connections to a container, that is what it is seen to do.  Pure.

Sources: pasta(1) (``-t``, ``-u``, ``--netns``); rootlesskit's
pkg/port/builtin; containers/common libnetwork/pasta.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from dnet_tui.inspect.kernel.netns import namespace_id
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.kernel.sockets.connections import TcpConnection
from dnet_tui.inspect.model import Forwarder, Socket
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS

_ANY = "0.0.0.0"  # noqa: S104 - described, not bound to
_PASTA = frozenset({"pasta", "pasta.avx2"})
_ROOTLESSKIT = "rootlesskit"
_KNOWN = frozenset(name for kind in ENGINE_KINDS for name in (*kind.proxy_processes, *kind.programs))
_MAPPING = re.compile(
    r"(?:(?P<ip>[0-9A-Fa-f.:]+|\[[0-9A-Fa-f:]+\])/)?(?P<a>\d{1,5})(?:-(?P<b>\d{1,5}))?(?::(?P<c>\d{1,5})(?:-\d{1,5})?)?"
)
_MOST_PORTS = 1024
_OPTIONS: dict[str, Literal["tcp", "udp"]] = {"-t": "tcp", "--tcp-ports": "tcp", "-u": "udp", "--udp-ports": "udp"}


def find_pasta(
    processes: Iterable[ProcessSeen],
    argv: Callable[[int], tuple[str, ...]],
    inode_at: Callable[[int, str], int | None],
) -> Iterator[Forwarder]:
    """What each pasta forwards; ``inode_at`` tells which namespace a file is bound to, as a process sees it."""
    known = {process.pid: process.inode for process in processes}
    for process in processes:
        if process.name not in _PASTA:
            continue
        words = argv(process.pid)
        into = _namespace_of(words, process.pid, known, inode_at)
        if into is not None:
            yield from parse_pasta(words, process.pid, namespace_id(process.inode), namespace_id(into))


def _namespace_of(
    words: tuple[str, ...], pid: int, known: Mapping[int, int], inode_at: Callable[[int, str], int | None]
) -> int | None:
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == "--netns":
            return inode_at(pid, value if equals else words[at + 1] if at + 1 < len(words) else "")
    last = words[-1] if words else ""
    return known.get(int(last)) if last.isascii() and last.isdecimal() and len(last) < 10 else None


def parse_pasta(words: tuple[str, ...], pid: int, netns: str, into: str) -> Iterator[Forwarder]:
    """What pasta's arguments say that it forwards: ``-t 8080-8081:80-81``, ``-u 127.0.0.1/53``, several with commas."""
    for option, value in zip(words, (*words[1:], ""), strict=True):
        name, equals, joined = option.partition("=")
        proto = _OPTIONS.get(name)
        if proto is None:
            continue
        for item in (joined if equals else value).split(","):
            found = _MAPPING.fullmatch(item)
            if found is None:
                continue  # none, auto, all, or what is left out
            first, last = int(found["a"]), int(found["b"] or found["a"])
            inner = int(found["c"] or first)
            for port in range(first, min(last, first + _MOST_PORTS - 1) + 1):
                yield Forwarder(
                    pid=pid,
                    program="pasta",
                    netns=netns,
                    into=into,
                    proto=proto,
                    host_ip=(found["ip"] or _ANY).strip("[]"),
                    host_port=port,
                    to_ip="",
                    to_port=inner + port - first,
                )


def find_rootlesskit(processes: Iterable[ProcessSeen], sockets: Mapping[str, Iterable[Socket]]) -> Iterator[Forwarder]:
    """What RootlessKit passes on: each port that it listens on, to the same port of its child's loopback."""
    every = tuple(processes)
    parents = {process.pid: process for process in every if process.name == _ROOTLESSKIT}
    children = {
        process.parent: process
        for process in reversed(every)
        if process.parent in parents and process.inode != parents[process.parent].inode
    }
    for pid, child in children.items():
        outer = namespace_id(parents[pid].inode)
        for item in sockets.get(outer, ()):
            if item.pid == pid:
                yield Forwarder(
                    pid=pid,
                    program=_ROOTLESSKIT,
                    netns=outer,
                    into=namespace_id(child.inode),
                    proto=item.proto,
                    host_ip=item.address,
                    host_port=item.port,
                    to_ip="127.0.0.1",
                    to_port=item.port,
                )


def find_by_sockets(
    netns: str,
    sockets: Iterable[Socket],
    connections: Iterable[TcpConnection],
    owners: Mapping[int, int],
) -> Iterator[Forwarder]:
    """What programs of a namespace are seen to pass on: they listen on one port, and have connections of their own.

    ``owners`` are the processes by their sockets' inodes.
    """
    listening: defaultdict[int, list[Socket]] = defaultdict(list)
    for item in sockets:
        if item.pid is not None and item.proto == "tcp" and item.process not in _KNOWN:
            listening[item.pid].append(item)
    seen = set()
    for connection in connections:
        own = listening.get(owners.get(connection.inode, 0), [])
        ports = {item.port for item in own}
        if len(ports) != 1 or connection.port in ports:
            continue  # none, several, or one that it has accepted
        for item in own:
            key = (item.pid, item.address, connection.to_ip, connection.to_port)
            if key not in seen:
                seen.add(key)
                yield Forwarder(
                    pid=item.pid or 0,
                    program=item.process,
                    netns=netns,
                    into=netns,
                    proto="tcp",
                    host_ip=item.address,
                    host_port=item.port,
                    to_ip=connection.to_ip,
                    to_port=connection.to_port,
                    certain=False,
                )
