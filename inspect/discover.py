"""Takes a snapshot of the host: the one entrance to this room.

Two phases.  First every namespace is read, from inside, while the engine is
asked in parallel; then relations are resolved (veth peers, which container
is where, networks).  The kernel is the truth; an engine only adds names and
intentions, so a silent one costs its names and nothing else.

Reads only.  What can't be read is a gap in the snapshot, never an error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec

from dnet_tui.inspect import tenants
from dnet_tui.inspect.collect import collect, is_connected
from dnet_tui.inspect.conntrack_parse import ConntrackFilter
from dnet_tui.inspect.contents import AS_ROOT, Contents
from dnet_tui.inspect.engines.answer import Answer
from dnet_tui.inspect.engines.asking import Asking
from dnet_tui.inspect.errors import CannotInspectError
from dnet_tui.inspect.gaps import Gap
from dnet_tui.inspect.legible import storable
from dnet_tui.inspect.model import Container, Host, Namespace, Snapshot, Socket
from dnet_tui.inspect.netns import NamespaceGoneError, NsHandle, own_handle, run_in
from dnet_tui.inspect.places import Place, find_places
from dnet_tui.inspect.plain_networks import plain_networks
from dnet_tui.inspect.procfs import (
    NamespaceFile,
    ProcessSeen,
    ProcessTable,
    read_argv,
    read_namespace_files,
    read_process,
    read_processes,
    read_socket_owners,
)
from dnet_tui.inspect.proxies import find_proxies
from dnet_tui.inspect.resolve import resolve_links


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to take a snapshot.

    ``docker_socket`` is a path (empty: DOCKER_HOST, then the usual places);
    ``engine_timeout`` the seconds each engine gets for all its answers;
    ``workers`` how many namespaces are read at once; without ``firewall`` no
    rules are read, and a gap says so.  ``conntrack`` is how many tracked
    connections of each namespace are read at most, and ``conntrack_filter``
    which ones.
    """

    docker_socket: str = ""
    engine_timeout: float = 3.0
    workers: int = 4
    firewall: bool = True
    conntrack: int = 0
    conntrack_filter: ConntrackFilter = ConntrackFilter()


def take_snapshot(options: Options | None = None) -> Snapshot:
    """Read this host, as the network namespace that the process is in sees it.

    Raises:
        CannotInspectError: /proc isn't there, so nothing can be found.
    """
    return _Taking(options or Options()).snapshot()


class _Taking:
    """One snapshot in the making."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._gaps: list[Gap] = []
        self._contents: dict[str, Contents] = {}
        self._unread: dict[str, str] = {}
        self._denied = False

    def snapshot(self) -> Snapshot:
        taken_at = datetime.now(UTC).isoformat(timespec="seconds")
        asking = Asking(self._options.docker_socket, self._options.engine_timeout, os.environ).begin()
        host, table, files = self._look_around()
        asking.look(table.processes, host.inode)
        places = find_places(host, table.processes, files)
        self._read_all(places)
        answer = asking.finish()
        self._gaps.extend(answer.gaps)
        table, late = _with_latecomers(table, answer.containers)
        if late:  # containers that started meanwhile: their veths are missing in what was read of the host
            before = {place.id for place in places}
            places = find_places(host, table.processes, files)
            self._read_all(tuple(place for place in places if place.is_host or place.id not in before))
        return self._assemble(taken_at, host, table, places, answer)

    def _look_around(self) -> tuple[NsHandle, ProcessTable, tuple[NamespaceFile, ...]]:
        try:
            host = own_handle()
            table = read_processes()
        except (OSError, ValueError) as error:
            raise CannotInspectError(f"/proc can't be read: {error}", "mount it: mount -t proc proc /proc") from error
        try:
            files = read_namespace_files()
        except OSError as error:
            files = ()
            self._gaps.append(Gap(section="namespaces", reason=f"named namespaces can't be listed: {error.strerror}"))
        if table.denied:
            self._denied = True
            reason = f"{table.denied} processes of other users may not be looked into, so some may be missing"
            self._gaps.extend(
                Gap(section=section, reason=reason, hint=AS_ROOT) for section in ("namespaces", "containers")
            )
        return host, table, files

    def _read_all(self, places: tuple[Place, ...]) -> None:
        """Read namespaces, several at once.  The host's comes first in everybody's list of likely peers."""
        handles = tuple(place.handle for place in places)
        with ThreadPoolExecutor(max_workers=max(1, self._options.workers)) as pool:
            for place, found in zip(places, pool.map(lambda place: self._read(place, handles), places), strict=True):
                if isinstance(found, Contents):
                    self._contents[place.id] = found
                elif found is not None:
                    self._miss(place, found)

    def _read(self, place: Place, handles: tuple[NsHandle, ...]) -> Contents | Exception:
        def inside() -> Contents:
            wanted = (self._options.conntrack, self._options.conntrack_filter)
            return collect(
                place.id,
                handles,
                firewall=self._options.firewall,
                conntrack=wanted if wanted[0] > 0 else None,
                only_if_connected=place.is_sandbox,
            )

        try:
            return run_in(place.handle, inside)
        except Exception as error:  # noqa: BLE001 - one namespace that can't be read must not end the snapshot
            return error

    def _miss(self, place: Place, error: Exception) -> None:
        if isinstance(error, NamespaceGoneError):
            self._unread[place.id] = "it went away while it was being read"
            if place.names:
                reason = f"the namespace {', '.join(place.names)} went away while it was being read"
                self._gaps.append(Gap(section="namespaces", scope=place.id, reason=reason))
            return
        denied = isinstance(error, PermissionError)
        self._denied = self._denied or denied
        reason = "not permitted to enter it" if denied else storable(str(error)) or type(error).__name__
        self._unread[place.id] = reason
        label = ", ".join(place.names) or (f"process {place.processes[0].name}" if place.processes else "")
        self._gaps.append(
            Gap(
                section="namespaces",
                scope=place.id,
                reason=f"the namespace of {label} could not be read: {reason}" if label else reason,
                hint=AS_ROOT if denied else "",
            )
        )

    def _assemble(
        self, taken_at: str, host: NsHandle, table: ProcessTable, places: tuple[Place, ...], answer: Answer
    ) -> Snapshot:
        seen = _residents(table, answer.containers, host.inode)
        containers, gaps = tenants.settle(answer.containers, seen, self._unread)
        self._gaps.extend(gaps)
        self._gaps.extend(_unasked(containers, answer))
        occupied = frozenset(item.netns for item in containers if item.netns is not None)
        spaces = self._namespaces(places, occupied, table)
        networks = answer.networks
        if host.id in spaces:
            plain, gaps = plain_networks(spaces[host.id])
            networks += plain
            self._gaps.extend(gaps)
        containers = tenants.guess_modes(containers, spaces, seen, host.id)
        containers += tenants.named_containers(spaces, host.id, occupied, networks)
        name = os.uname()
        return Snapshot(
            tool_version=_version(),
            taken_at=taken_at,
            host=Host(hostname=storable(name.nodename), kernel=storable(name.release)),
            namespaces=tuple(spaces.values()),
            engines=answer.engines,
            networks=networks,
            containers=containers,
            gaps=tuple(self._gaps),
            proxies=find_proxies(table.processes, read_argv),
        )

    def _namespaces(
        self, places: Iterable[Place], occupied: frozenset[str], table: ProcessTable
    ) -> dict[str, Namespace]:
        """The namespaces worth keeping: not the sandboxes that lead nowhere."""
        kept = [
            (place, self._contents[place.id])
            for place in places
            if place.id in self._contents
            and (place.id in occupied or not place.is_sandbox or is_connected(self._contents[place.id]))
        ]
        links = resolve_links((contents for _, contents in kept), privileged=not self._denied)
        name_sockets = _socket_namer([contents for _, contents in kept], table)
        spaces: dict[str, Namespace] = {}
        for place, contents in kept:
            self._gaps.extend(contents.gaps)
            if not self._options.firewall:
                self._gaps.append(Gap(section="firewall", scope=place.id, reason="the rules were not asked for"))
            spaces[place.id] = Namespace(
                id=place.id,
                inode=place.handle.inode,
                kind=place.kind(occupied),
                names=place.names,
                processes=place.processes,
                path=place.handle.path,
                links=links[place.id],
                addresses=contents.addresses,
                routes=contents.routes,
                policy_rules=contents.policy_rules,
                neighbours=contents.neighbours,
                fdb=contents.fdb,
                sysctls=contents.sysctls,
                sockets=name_sockets(contents.sockets),
                firewall=contents.firewall,
                conntrack=contents.conntrack,
            )
        return spaces


def _with_latecomers(table: ProcessTable, told: Iterable[Container]) -> tuple[ProcessTable, bool]:
    """The table with the processes of containers that started after it was read; whether there are any."""
    known = {process.pid for process in table.processes}
    late: list[ProcessSeen] = []
    for container in told:
        if container.running and container.pid is not None and container.pid not in known:
            try:
                process = read_process(container.pid)
            except (OSError, ValueError):
                continue  # the container is then reported as one whose process wasn't found
            if process is not None:
                late.append(process)
    if not late:
        return table, False
    processes = tuple(sorted((*table.processes, *late), key=lambda item: (item.start, item.pid)))
    return ProcessTable(processes=processes, denied=table.denied), True


def _residents(table: ProcessTable, told: Iterable[Container], host: int) -> dict[str, tenants.Resident]:
    """The containers' processes, with the engine named where the cgroup alone doesn't tell it."""
    by_pid = {process.pid: process for process in table.processes}
    own = by_pid.get(os.getpid())
    seen = tenants.residents(table.processes, own.container if own else None, host)
    seen |= tenants.matched_by_pid(told, by_pid)
    for key, resident in seen.items():
        if resident.container.engine in ("unknown", "lxc") or not resident.container.sure:
            engine = tenants.engine_by_ancestor(resident.process, by_pid, read_argv)
            if engine != "unknown":
                container = msgspec.structs.replace(resident.container, engine=engine)
                seen[key] = msgspec.structs.replace(resident, container=container)
    return seen


def _unasked(containers: Iterable[Container], answer: Answer) -> Iterator[Gap]:
    """A gap for each engine whose containers run here but which nobody could be asked for their names."""
    asked = {engine.name for engine in answer.engines if engine.reachable or not engine.rootless}
    counts: dict[str, int] = {}
    for container in containers:
        if container.engine not in asked:
            counts[container.engine] = counts.get(container.engine, 0) + 1
    for engine, count in sorted(counts.items()):
        if engine in _NAMED_BY_CGROUP:  # no engine's word is missed: their networks are plain bridges, or a tool's
            reason = f"{count} of its containers run here and are known by their cgroups only"
            yield Gap(section="containers", scope=engine, reason=reason, hint="their networks' options aren't known")
            continue
        yield Gap(
            section="engine",
            scope=engine,
            reason=f"{count} of its containers run here and are known by their ids only: its API was not found",
            hint="names, networks and published ports are missing",
        )


_NAMED_BY_CGROUP = frozenset({"lxc", "lxd", "incus", "systemd-nspawn"})


def _socket_namer(
    contents: Iterable[Contents], table: ProcessTable
) -> Callable[[tuple[Socket, ...]], tuple[Socket, ...]]:
    """A function that adds to sockets the process that has them open, found in one pass over /proc."""
    owners = read_socket_owners(socket.inode for item in contents for socket in item.sockets)
    names = {process.pid: process.name for process in table.processes}

    def named(sockets: tuple[Socket, ...]) -> tuple[Socket, ...]:
        return tuple(
            msgspec.structs.replace(socket, pid=owner, process=names.get(owner, ""))
            if (owner := owners.get(socket.inode)) is not None
            else socket
            for socket in sockets
        )

    return named


def _version() -> str:
    from importlib import metadata  # noqa: PLC0415 - takes 20 ms to import: the engine is being waited for by then

    try:
        return metadata.version("dnet-tui")
    except metadata.PackageNotFoundError:
        return ""
