"""Takes a snapshot of the host: the one entrance to this room.

Two phases.  First every namespace is read, from inside, while the engine is
asked in parallel; then relations are resolved (veth peers, which container
is where, networks).  The kernel is the truth; an engine only adds names and
intentions, so a silent one costs its names and nothing else.

Reads only.  What can't be read is a gap in the snapshot, never an error.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from dnet_tui.inspect.engines.bridge_only_networks import plain_networks
from dnet_tui.inspect.engines.engine_data import Answer, unasked
from dnet_tui.inspect.engines.engine_query import Asking
from dnet_tui.inspect.engines.port_proxies import find_proxies
from dnet_tui.inspect.errors import CannotInspectError
from dnet_tui.inspect.kernel.host_info import read_host
from dnet_tui.inspect.kernel.netns import NamespaceGoneError, NsHandle, own_handle
from dnet_tui.inspect.kernel.procfs import NamespaceFile, ProcessTable, read_argv, read_namespace_files, read_processes
from dnet_tui.inspect.kernel.sockets.conntrack_parse import ConntrackFilter
from dnet_tui.inspect.model import Namespace, Snapshot
from dnet_tui.inspect.model.gaps import Gap, with_gaps
from dnet_tui.inspect.model.namespace_reading import AS_ROOT, Contents
from dnet_tui.inspect.model.sections import NOT_ASKED, NOT_READ, Settings, Unread
from dnet_tui.inspect.ruleset.change_log import RuleEvents
from dnet_tui.inspect.ruleset.read_firewall import RulesAhead
from dnet_tui.inspect.snapshot import container_placement
from dnet_tui.inspect.snapshot.container_processes import find_residents, with_latecomers
from dnet_tui.inspect.snapshot.engine_dependent_reads import read_told
from dnet_tui.inspect.snapshot.namespace_candidates import Place, find_places
from dnet_tui.inspect.snapshot.read_cache import Memory, disturbed, keep
from dnet_tui.inspect.snapshot.read_namespace import Errand, is_connected
from dnet_tui.inspect.snapshot.read_namespaces import left_out, read_places, settle_links
from dnet_tui.inspect.snapshot.resolve_peers import resolve_links
from dnet_tui.inspect.snapshot.socket_owners import socket_namer
from dnet_tui.inspect.text.encoding import storable
from dnet_tui.inspect.version import version


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to take a snapshot.

    ``docker_socket`` is a path (empty: DOCKER_HOST, then the usual places);
    ``engine_timeout`` the seconds each engine gets for all its answers;
    ``workers`` how many namespaces are read at once (0: one per processor, up
    to four; more only get into each other's way); without ``firewall`` no
    rules are read, and a gap says so.  ``conntrack`` is how many tracked
    connections of each namespace are read at most, and ``conntrack_filter``
    which ones.  ``map_only`` reads links and addresses alone, which shows what
    is connected to what in a fraction of the time; gaps say what is missing.
    """

    docker_socket: str = ""
    engine_timeout: float = 3.0
    workers: int = 0
    firewall: bool = True
    conntrack: int = 0
    conntrack_filter: ConntrackFilter = ConntrackFilter()
    map_only: bool = False


def take_snapshot(options: Options | None = None) -> Snapshot:
    """Read this host, as the network namespace that the process is in sees it.

    Raises:
        CannotInspectError: /proc isn't there, so nothing can be found.
    """
    return _Taking(options or Options(), Memory()).snapshot()


class Observer:
    """Takes one snapshot after the other, each faster than the first: what nothing says has changed isn't read again.

    A namespace that is taken over carries the time when it was read
    (``Namespace.read_at``); the host's own is read each time, and so is every
    new one.  Its rules are taken over when they are proved to be unchanged
    (``Namespace.firewall_at``); of the host's, the chains that changed are read
    again.  See :mod:`dnet_tui.inspect.snapshot.read_cache` for the signs of change.  Not
    for several threads at once.
    """

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self._memory = Memory()
        self._events = RuleEvents()

    def take(self) -> Snapshot:
        """Read everything.

        Raises:
            CannotInspectError: /proc isn't there, so nothing can be found.
        """
        self._memory = Memory()
        return self.refresh()

    def refresh(self, touched: Collection[str] = ()) -> Snapshot:
        """Read the host, what is new, and what shows signs of change.

        Args:
            touched: the ids of namespaces that are known to have changed.

        Raises:
            CannotInspectError: /proc isn't there, so nothing can be found.
        """
        taking = _Taking(self._options, self._memory, frozenset(touched), self._rules())
        snapshot = taking.snapshot()
        self._memory = taking.memory
        return snapshot

    def _rules(self) -> RulesAhead | None:
        """The host's rules, being brought up to date, when they were read before."""
        if not self._options.firewall or self._options.map_only:
            return None
        self._events.listen()
        before = next((self._memory.contents.get(key) for key, one in self._memory.places.items() if one.is_host), None)
        return None if before is None else RulesAhead(before, self._events)

    def close(self) -> None:
        """Stop to keep account of changed rules.  Safe to repeat; a later refresh begins again."""
        self._events.close()


class _Taking:
    """One snapshot in the making.  ``before`` is what an earlier one left; ``memory`` what this one leaves."""

    def __init__(
        self,
        options: Options,
        before: Memory,
        touched: frozenset[str] = frozenset(),
        rules: RulesAhead | None = None,
    ) -> None:
        self._options = options
        self._before = before
        self._touched = touched
        self._rules = rules
        self._taken_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._gaps: list[Gap] = []
        self._contents: dict[str, Contents] = {}
        self._unread: dict[str, str] = {}
        self._denied = False
        self.memory = Memory()

    def snapshot(self) -> Snapshot:
        logs = None if self._options.map_only else self._before.logs
        asking = Asking(self._options.docker_socket, self._options.engine_timeout, os.environ, logs).begin()
        host, table, files = self._look_around()
        asking.look(table.processes, host.inode)
        places = find_places(host, table.processes, files)
        self._read_all(host, places)
        answer = asking.finish()
        self._gaps.extend(answer.gaps)
        table, late = with_latecomers(table, answer.containers)
        if late:  # containers that started meanwhile: their veths are missing in what was read of the host
            known = {place.id for place in places}
            places = find_places(host, table.processes, files)
            self._read(host, places, [place for place in places if place.is_host or place.id not in known])
        self.memory = Memory(
            places={place.id: place for place in places},
            contents=self._contents,
            processes={process.pid: process for process in table.processes},
            owners=self._before.owners,
            logs=self._before.logs,
        )
        return self._assemble(host, table, places, answer)

    def _look_around(self) -> tuple[NsHandle, ProcessTable, tuple[NamespaceFile, ...]]:
        try:
            host = own_handle()
            table = read_processes(self._before.processes)
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

    def _read_all(self, host: NsHandle, places: tuple[Place, ...]) -> None:
        """Take over what may be taken over, read the rest, and what that shows to be disturbed."""
        kept = keep(self._before, places, self._touched)
        self._contents.update(kept.sure)
        self._read(host, places, [place for place in places if place.id not in kept.sure], kept.doubtful)
        old, new = self._before.contents.get(host.id), self._contents.get(host.id)
        if old is not None and new is not None:
            again = disturbed(old, new) & (kept.sure.keys() | kept.doubtful.keys())
            self._read(host, places, [place for place in places if place.id in again])

    def _read(
        self,
        host: NsHandle,
        places: Sequence[Place],
        wanted: Sequence[Place],
        doubtful: dict[str, Contents] | None = None,
    ) -> None:
        """Read the wanted ones among all namespaces; of the ``doubtful``, only those that are others by now."""
        found = read_places(
            wanted,
            host,
            self._errand(),
            at=self._taken_at,
            workers=self._options.workers,
            before=self._before.contents,
            doubtful=doubtful or {},
        )
        read: list[str] = []
        for place in wanted:
            result = found[place.id]
            if isinstance(result, Contents):
                self._contents[place.id] = result
                read.append(place.id)
            else:
                self._contents.pop(place.id, None)
                self._miss(place, result)
        settle_links(self._contents, places, host, read, workers=self._options.workers)

    def _errand(self) -> Errand:
        return Errand(
            map_only=self._options.map_only,
            firewall=self._options.firewall,
            conntrack=self._options.conntrack,
            conntrack_filter=self._options.conntrack_filter,
            rules=self._rules,
        )

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

    def _assemble(self, host: NsHandle, table: ProcessTable, places: tuple[Place, ...], answer: Answer) -> Snapshot:
        seen = find_residents(table, answer.containers, host.inode)
        containers, gaps = container_placement.settle(answer.containers, seen, self._unread)
        self._gaps.extend(gaps)
        self._gaps.extend(unasked(containers, answer))
        self._gaps.extend(left_out(map_only=self._options.map_only, firewall=self._options.firewall))
        told = read_told(containers, self._contents.get(host.id), self._errand())
        containers = told.containers
        self._gaps.extend(told.gaps)
        occupied = frozenset(item.netns for item in containers if item.netns is not None)
        spaces = self._namespaces(places, occupied, table)
        networks = answer.networks
        if host.id in spaces:
            plain, gaps = plain_networks(spaces[host.id])
            networks += plain
            self._gaps.extend(gaps)
        containers = container_placement.guess_modes(containers, spaces, seen, host.id)
        containers += container_placement.named_containers(spaces, host.id, occupied, networks)
        snapshot = Snapshot(
            tool_version=version(),
            taken_at=self._taken_at,
            host=read_host(told.resolver),
            namespaces=tuple(spaces.values()),
            engines=answer.engines,
            networks=networks,
            containers=containers,
            proxies=find_proxies(table.processes, read_argv),
            firewalld=answer.firewalld,
        )
        snapshot = with_gaps(snapshot, self._gaps)
        return self.memory.owners.fill_in(snapshot) if self._options.firewall else snapshot

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
        name_sockets = socket_namer([contents for _, contents in kept], table)
        spaces: dict[str, Namespace] = {}
        for place, contents in kept:
            self._gaps.extend(contents.gaps)
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
                sysctls=Settings(values=contents.sysctls),
                sockets=name_sockets(contents.sockets),
                firewall=contents.firewall or Unread(reason=NOT_READ),
                conntrack=contents.conntrack,
                conntrack_udp=contents.conntrack_udp,
                conntrack_counts=contents.conntrack_counts,
                nat_ports=Unread(reason=NOT_ASKED) if contents.nat_ports is None else contents.nat_ports,
                checksums=contents.checksums or Unread(reason="the kernel tells of none"),
                proxied=contents.proxied,
                traffic_control=contents.traffic_control,
                xfrm_policies=Unread(reason=NOT_READ) if contents.xfrm_policies is None else contents.xfrm_policies,
                xfrm=Unread(reason=NOT_READ) if contents.xfrm_policies is None else contents.xfrm,
                read_at=self._unless_now(contents.read_at),
                firewall_at=self._unless_now(contents.firewall_at),
            )
        return spaces

    def _unless_now(self, time: str) -> str:
        return "" if time == self._taken_at else time
