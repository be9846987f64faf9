"""Rootless engines: their host is another namespace than ours.

A rootless Docker's daemon, bridges and rules live in a network namespace that
RootlessKit made; a rootless Podman's bridges in one that slirp4netns or pasta
connects.  A picture of this host must not mix them up with its own, nor look
as if it were all there is: so each is named, with the way in.

Recognised by their processes only; sockets alone (systemd listens at one for
every user) mean nothing.  Nothing is entered.

Sources: rootlesskit(1), podman-unshare(1), containers/common
libnetwork/internal/rootlessnetns, slirp4netns(1), pasta(1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from dnet_tui.inspect.engines.engine_data import EngineReading
from dnet_tui.inspect.engines.podman.stores import parse_uids
from dnet_tui.inspect.kernel.netns import namespace_id
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model import Engine
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.engine_kinds.docker import DOCKER
from dnet_tui.inspect.model.engine_kinds.others import CONTAINERD
from dnet_tui.inspect.model.engine_kinds.podman import PODMAN
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS, traits_of

_DAEMONS = {kind.daemon: kind.kind for kind in ENGINE_KINDS if kind.daemon}
_WATCHER = "conmon"
_CONNECTORS = ("slirp4netns", "pasta", "pasta.avx2")


class Rootless(msgspec.Struct, frozen=True, kw_only=True):
    """A rootless engine.  ``netns`` holds its bridges, None when it has none; ``pid`` is a process in there."""

    name: str
    uid: int | None = None
    netns: int | None = None
    pid: int | None = None
    socket: str = ""


class ArgvCache:
    """What is asked of single processes, each question a read below /proc."""

    def __init__(self, argv: Callable[[int], tuple[str, ...]]) -> None:
        self.argv = argv

    def uid(self, pid: int) -> int | None:
        """Who runs it; None when that can't be told, or when it runs as several."""
        try:
            uids = parse_uids(Path(f"/proc/{pid}/status").read_bytes())
        except OSError:
            return None
        return next(iter(uids)) if len(uids) == 1 else None

    def inode_at(self, pid: int, path: str) -> int | None:
        """The namespace that is bound to a file, as that process sees the file system; None when none is."""
        try:
            seen = Path(f"/proc/{pid}/root{path}").stat()
            own = Path("/proc/self/ns/net").stat()
        except OSError:
            return None
        return seen.st_ino if seen.st_dev == own.st_dev else None

    def socket(self, name: str, uid: int | None) -> str:
        """Where a user's engine listens; empty when there is nothing at the usual place."""
        path = f"/run/user/{uid}/{traits_of(name).rootless_socket}"
        try:
            return path if uid is not None and Path(path).exists() else ""
        except OSError:
            return ""


def find_rootless(processes: Iterable[ProcessSeen], glance: ArgvCache) -> tuple[Rootless, ...]:
    """The rootless engines at work.  One of them may be in our own namespace: then we were started in there."""
    seen = {process.pid: process for process in processes if process.container is None}
    found = {(item.name, item.netns, item.uid): item for item in (*_kits(seen, glance), *_podmans(seen, glance))}
    return tuple(found.values())


def _kits(seen: Mapping[int, ProcessSeen], glance: ArgvCache) -> Iterator[Rootless]:
    """Daemons that RootlessKit started: they live in its namespace themselves."""
    for process in seen.values():
        name = _DAEMONS.get(process.name)
        above = [item.name for item in _ancestors(process, seen)] if name else []
        if name and "rootlesskit" in above and not (name == CONTAINERD.kind and DOCKER.daemon in above):
            uid = glance.uid(process.pid)
            yield Rootless(name=name, uid=uid, netns=process.inode, pid=process.pid, socket=glance.socket(name, uid))


def _ancestors(process: ProcessSeen, seen: Mapping[int, ProcessSeen]) -> Iterator[ProcessSeen]:
    passed = {process.pid}
    current = seen.get(process.parent)
    while current is not None and current.pid not in passed:
        passed.add(current.pid)
        yield current
        current = seen.get(current.parent)


def _podmans(seen: Mapping[int, ProcessSeen], glance: ArgvCache) -> Iterator[Rootless]:
    """Users, root excepted, whose containers a conmon watches over, and the namespace of their bridges.

    It is where their name server runs, or else what slirp4netns or pasta connects for all of them together.
    """
    watchers: dict[int, ProcessSeen] = {}
    shared: dict[int, str] = {}
    servers: dict[int, int] = {}
    for process in seen.values():
        if process.name not in (_WATCHER, PODMAN.name_server, *_CONNECTORS) or not (uid := glance.uid(process.pid)):
            continue
        if process.name == _WATCHER:
            watchers.setdefault(uid, process)
        elif process.name == PODMAN.name_server:
            servers.setdefault(uid, process.inode)
        elif path := shared_path(glance.argv(process.pid)):
            shared[uid] = path
    for uid, watcher in watchers.items():
        inode = servers.get(uid)
        if inode is None and uid in shared:
            inode = glance.inode_at(watcher.pid, shared[uid])
        inside = next((item.pid for item in seen.values() if item.inode == inode), None)
        yield Rootless(name=PODMAN.kind, uid=uid, netns=inode, pid=inside, socket=glance.socket(PODMAN.kind, uid))


def shared_path(argv: tuple[str, ...]) -> str:
    """The file of the namespace that all of a user's bridges share, in slirp4netns's or pasta's arguments.

    Empty for one that connects a single container.
    """
    return next(
        (word for word in argv if word.startswith("/") and "/rootless-netns" in word and ".pid" not in word), ""
    )


def place(answer: EngineReading, found: Iterable[Rootless], host: int) -> EngineReading:
    """Say of rootless engines where their bridges are, those that answered and those that weren't asked.

    ``host`` is the inode of our own namespace: an engine that is in there is
    an ordinary one to us.  The networks of one that isn't lose their bridge's
    name, so that it isn't taken for a bridge of the host.
    """
    left = list(found)
    engines: list[Engine] = []
    gaps = list(answer.gaps)
    away: set[str] = set()
    for engine in answer.engines:
        mine = _own(engine, left) if engine.rootless else None
        if mine is not None:
            left.remove(mine)
        if not engine.rootless or (mine is not None and mine.netns == host):
            engines.append(engine)
            continue
        away.add(engine.name)
        engines.append(msgspec.structs.replace(engine, netns=_id(mine)))
        gaps.append(_gap(mine or Rootless(name=engine.name), section="engine", scope=engine.name))
    for item in left:
        if item.netns != host:
            engine = Engine(name=item.name, socket=item.socket, reachable=False, rootless=True, netns=_id(item))
            engines.append(engine)
            gaps.append(_gap(item, section="namespaces", scope=_id(item) or f"{item.name} of user {item.uid}"))
    networks = tuple(msgspec.structs.replace(net, bridge="") if net.engine in away else net for net in answer.networks)
    return msgspec.structs.replace(answer, engines=tuple(engines), networks=networks, gaps=tuple(gaps))


def _own(engine: Engine, found: Iterable[Rootless]) -> Rootless | None:
    """Which of those found is the one that answered: by its socket, or because there is no other."""
    alike = [item for item in found if item.name == engine.name]
    by_socket = [item for item in alike if item.socket and item.socket == engine.socket]
    return by_socket[0] if by_socket else alike[0] if len(alike) == 1 else None


def _id(item: Rootless | None) -> str | None:
    return namespace_id(item.netns) if item is not None and item.netns is not None else None


def _gap(item: Rootless, *, section: str, scope: str) -> Gap:
    """Where its bridges are, and how to look at them from there."""
    owner = f"the {item.name} of user {item.uid} is rootless" if item.uid is not None else f"{item.name} is rootless"
    inside = f"the namespace {_id(item)}" if item.netns is not None else "a namespace of its own"
    via = f", which process {item.pid} is in" if item.pid is not None else ""
    if item.pid is not None:
        hint = f"look from in there, as root: nsenter -t {item.pid} -n dnet-tui"
    elif item.name == PODMAN.kind:
        hint = "look from in there, as that user: podman unshare --rootless-netns dnet-tui"
    else:
        hint = "look from in there, as that user: nsenter -U --preserve-credentials -n -m -t PID dnet-tui"
    return Gap(section=section, scope=scope, reason=f"{owner}: its bridges are in {inside}{via}, not here", hint=hint)
