"""One snapshot in the making: what is there, reading it, and putting it together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from dnet_tui.inspect.engines.bridge_only_networks import plain_networks
from dnet_tui.inspect.engines.engine_data import EngineReading, unasked
from dnet_tui.inspect.engines.engine_query import Asking
from dnet_tui.inspect.engines.port_proxies import find_proxies
from dnet_tui.inspect.engines.rule_published_ports import with_own_ports
from dnet_tui.inspect.errors import CannotInspectError
from dnet_tui.inspect.kernel.host_info import read_host
from dnet_tui.inspect.kernel.netns import NsHandle, own_handle
from dnet_tui.inspect.kernel.procfs import (
    NamespaceFile,
    ProcessTable,
    read_argv,
    read_namespace_files,
    read_processes,
    read_unbound_files,
)
from dnet_tui.inspect.model import Link, Namespace, Snapshot, TunProgram, known_items
from dnet_tui.inspect.model.coverage.gaps import Gap, with_gaps
from dnet_tui.inspect.model.coverage.namespace_reading import NamespaceReading
from dnet_tui.inspect.model.coverage.needs import EVERYTHING, Needs, SectionName
from dnet_tui.inspect.snapshot import container_placement
from dnet_tui.inspect.snapshot.as_namespace import as_namespace
from dnet_tui.inspect.snapshot.container_processes import find_residents, with_latecomers
from dnet_tui.inspect.snapshot.engine_dependent_reads import read_late
from dnet_tui.inspect.snapshot.find_forwarders import find_forwarders
from dnet_tui.inspect.snapshot.namespace_candidates import NamespaceCandidate, find_candidates
from dnet_tui.inspect.snapshot.network_namespaces import with_roles
from dnet_tui.inspect.snapshot.out_of_sight import NotRead, SeenNamespaces, unseen_ends, unseen_processes, why_not_read
from dnet_tui.inspect.snapshot.read_cache import ReadCache, changed_peers, keep
from dnet_tui.inspect.snapshot.read_namespace import ReadRequest, is_connected
from dnet_tui.inspect.snapshot.read_namespaces import read_places, settle_links
from dnet_tui.inspect.snapshot.resolve_peers import resolve_links
from dnet_tui.inspect.snapshot.socket_owners import socket_namer
from dnet_tui.inspect.version import version

if TYPE_CHECKING:
    from dnet_tui.inspect.engines.read_log import KeptLogs
    from dnet_tui.inspect.kernel.sockets.conntrack_parse import ConntrackFilter
    from dnet_tui.inspect.ruleset.read_firewall import BackgroundRuleRefresh

_UNBOUND = "{} is an ordinary file: no namespace is bound to it"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to take a snapshot.

    ``docker_socket`` is a path (empty: DOCKER_HOST, then the usual places);
    ``engine_timeout`` the seconds each engine gets for all its answers;
    ``workers`` how many namespaces are read at once (0: one per processor, up
    to four; more only get into each other's way).  ``needs`` are the sections
    to read; gaps say which were left out.  ``conntrack`` is how many tracked
    connections of each namespace are read at most, and ``conntrack_filter``
    which ones.
    """

    docker_socket: str = ""
    engine_timeout: float = 3.0
    workers: int = 0
    needs: Needs = EVERYTHING
    conntrack: int = 0
    conntrack_filter: ConntrackFilter | None = None


class SnapshotRun:
    """One snapshot in the making.  ``before`` is what an earlier one left; ``memory`` what this one leaves."""

    def __init__(
        self,
        options: Options,
        before: ReadCache,
        touched: frozenset[str] = frozenset(),
        rules: BackgroundRuleRefresh | None = None,
    ) -> None:
        self._options = options
        self._before = before
        self._touched = touched
        self._rules = rules
        self._taken_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._gaps: list[Gap] = []
        self._contents: dict[str, NamespaceReading] = {}
        self._unread: dict[str, NotRead] = {}
        self.memory = ReadCache()

    def snapshot(self) -> Snapshot:
        """Take it.

        Raises:
            CannotInspectError: /proc isn't there, so nothing can be found.
        """
        logs = self._logs()
        asking = Asking(self._options.docker_socket, self._options.engine_timeout, os.environ, logs).begin()
        host, table, files = self._look_around()
        asking.look(table.processes, host.inode)
        places = find_candidates(host, table.processes, files)
        self._read_all(host, places)
        answer = asking.finish()
        self._gaps.extend(answer.gaps)
        table, late = with_latecomers(table, answer.containers)
        if late:  # containers that started meanwhile: their veths are missing in what was read of the host
            known = {place.id for place in places}
            places = find_candidates(host, table.processes, files)
            self._read(host, places, [place for place in places if place.is_host or place.id not in known])
        elif self._has_loose_ends(host):
            table, places = self._look_again(host, table, places)
        self.memory = ReadCache(
            places={place.id: place for place in places},
            contents=self._contents,
            processes={process.pid: process for process in table.processes},
            owners=self._before.owners,
            logs=logs,
        )
        return self._assemble(host, table, places, answer)

    def _has_loose_ends(self, host: NsHandle) -> bool:
        """Whether a link of the host leads to a namespace that wasn't read."""
        contents = self._contents.get(host.id)
        return contents is not None and any(
            link.lower_nsid is not None and contents.nsids.get(link.lower_nsid) not in self._contents
            for link in contents.links
        )

    def _look_again(
        self, host: NsHandle, table: ProcessTable, places: tuple[NamespaceCandidate, ...]
    ) -> tuple[ProcessTable, tuple[NamespaceCandidate, ...]]:
        """Look for namespaces that came after the processes were listed: the host's links tell of them already."""
        try:
            newer = read_processes({process.pid: process for process in table.processes})
            found = find_candidates(host, newer.processes, read_namespace_files())
        except (OSError, ValueError):
            return table, places
        known = {place.id for place in places}
        new = [place for place in found if place.id not in known]
        if not new:
            return table, places
        places = (*places, *new)
        self._read(host, places, new)
        settle_links(self._contents, places, host, [host.id], workers=self._options.workers)
        return newer, places

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
        self._gaps.extend(
            Gap(section="namespace-files", scope=path, reason=_UNBOUND.format(path))
            for path in read_unbound_files(files)
        )
        return host, table, files

    def _read_all(self, host: NsHandle, places: tuple[NamespaceCandidate, ...]) -> None:
        """Take over what may be taken over, read the rest, and what that shows to be disturbed."""
        kept = keep(self._before, places, self._touched)
        self._contents.update(kept.sure)
        self._read(host, places, [place for place in places if place.id not in kept.sure], kept.doubtful)
        old, new = self._before.contents.get(host.id), self._contents.get(host.id)
        if old is not None and new is not None:
            again = changed_peers(old, new) & (kept.sure.keys() | kept.doubtful.keys())
            self._read(host, places, [place for place in places if place.id in again])

    def _read(
        self,
        host: NsHandle,
        places: Sequence[NamespaceCandidate],
        wanted: Sequence[NamespaceCandidate],
        doubtful: dict[str, NamespaceReading] | None = None,
    ) -> None:
        """Read the wanted ones among all namespaces; of the ``doubtful``, only those that are others by now."""
        found = read_places(
            wanted,
            host,
            self._options.needs,
            self._errand(),
            at=self._taken_at,
            workers=self._options.workers,
            before=self._before.contents,
            doubtful=doubtful or {},
        )
        read: list[str] = []
        for place in wanted:
            result = found[place.id]
            if isinstance(result, NamespaceReading):
                self._contents[place.id] = result
                read.append(place.id)
            else:
                self._contents.pop(place.id, None)
                self._miss(place, result)
        settle_links(self._contents, places, host, read, workers=self._options.workers)

    def _errand(self) -> ReadRequest:
        return ReadRequest(
            sections=self._options.needs.sections,
            conntrack=self._options.conntrack,
            conntrack_filter=self._options.conntrack_filter,
            rules=self._rules,
        )

    def _miss(self, place: NamespaceCandidate, error: Exception) -> None:
        why = self._unread[place.id] = why_not_read(place, error)
        if not place.names and (why.gone or place.is_sandbox):
            return  # if it matters, a link leads to it
        label = ", ".join(place.names) or f"process {place.processes[0].name}"
        reason = (
            f"the namespace {label} {why.reason.removeprefix('it ')}"
            if why.gone
            else (f"the namespace of {label} could not be read: {why.reason}")
        )
        self._gaps.append(Gap(section="namespaces", scope=place.id, reason=reason, hint=why.hint))

    def _assemble(
        self, host: NsHandle, table: ProcessTable, places: tuple[NamespaceCandidate, ...], answer: EngineReading
    ) -> Snapshot:
        seen = find_residents(table, answer.containers, host.inode)
        containers, gaps = container_placement.assign_namespaces(
            answer.containers, seen, {key: why.reason for key, why in self._unread.items()}
        )
        self._gaps.extend(gaps)
        self._gaps.extend(unasked(containers, answer))
        told = read_late(containers, self._contents.get(host.id), self._errand())
        containers = told.containers
        self._gaps.extend(told.gaps)
        occupied = frozenset(item.netns for item in containers if item.netns is not None)
        spaces = self._namespaces(places, occupied, table)
        networks = answer.networks
        spaces = with_roles(spaces, networks)
        if host.id in spaces:
            plain, gaps = plain_networks(spaces[host.id])
            networks += plain
            self._gaps.extend(gaps)
        containers = container_placement.guess_modes(containers, spaces, seen, host.id)
        containers += container_placement.named_containers(spaces, host.id, occupied, networks)
        containers = with_own_ports(containers, spaces.get(host.id))
        snapshot = Snapshot(
            tool_version=version(),
            taken_at=self._taken_at,
            host=read_host(told.resolver),
            namespaces=tuple(spaces.values()),
            engines=answer.engines,
            networks=networks,
            containers=containers,
            proxies=find_proxies(table.processes, read_argv) if self._wants(SectionName.SOCKETS) else (),
            tun_programs=self._tun_programs(table, spaces),
            forwarders=find_forwarders(table, spaces, networks, host.id) if self._wants(SectionName.SOCKETS) else (),
            firewalld=answer.firewalld,
        )
        snapshot = with_gaps(snapshot, self._gaps)
        return self._with_owners(snapshot) if self._wants(SectionName.FIREWALL) else snapshot

    def _tun_programs(self, table: ProcessTable, spaces: Mapping[str, Namespace]) -> tuple[TunProgram, ...]:
        from dnet_tui.inspect.kernel.tunnels.tun_programs import find_tun_programs  # noqa: PLC0415 - hardly ever wanted

        links = {key: tuple(known_items(ns.links)) for key, ns in spaces.items()}
        return find_tun_programs(table.processes, links) if self._wants(SectionName.SOCKETS) else ()

    def _wants(self, section: SectionName) -> bool:
        return section in self._options.needs.sections

    def _logs(self) -> KeptLogs | None:
        """What was read of the engines' logs before; None where they aren't wanted."""
        if not self._wants(SectionName.LOG):
            return None
        from dnet_tui.inspect.engines.read_log import KeptLogs  # noqa: PLC0415 - only when wanted

        return self._before.logs or KeptLogs()

    def _with_owners(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with each rule's owner."""
        from dnet_tui.inspect.ruleset.owner_cache import OwnerCache  # noqa: PLC0415 - only when rules are wanted

        self.memory.owners = self.memory.owners or OwnerCache()
        return self.memory.owners.fill_in(snapshot)

    def _namespaces(
        self, places: Sequence[NamespaceCandidate], occupied: frozenset[str], table: ProcessTable
    ) -> dict[str, Namespace]:
        """The namespaces worth keeping: not the sandboxes that lead nowhere."""
        kept = [
            (place, self._contents[place.id])
            for place in places
            if place.id in self._contents
            and (place.id in occupied or not place.is_sandbox or is_connected(self._contents[place.id]))
        ]
        links = resolve_links((contents for _, contents in kept), privileged=os.geteuid() == 0 or not table.hidden)
        self._gaps.extend(self._out_of_sight(places, links, table))
        name_sockets = socket_namer([contents for _, contents in kept], table)
        spaces: dict[str, Namespace] = {}
        for place, contents in kept:
            self._gaps.extend(contents.gaps)
            spaces[place.id] = as_namespace(
                place.kind(occupied),
                place,
                msgspec.structs.replace(
                    contents,
                    links=links[place.id],
                    sockets=name_sockets(contents.sockets),
                    read_at=self._unless_now(contents.read_at),
                    firewall_at=self._unless_now(contents.firewall_at),
                ),
                self._options.needs.of(is_host=place.is_host),
                tracked=self._options.conntrack > 0,
            )
        return spaces

    def _out_of_sight(
        self, places: Iterable[NamespaceCandidate], links: Mapping[str, tuple[Link, ...]], table: ProcessTable
    ) -> Iterator[Gap]:
        """What can't be told for want of what could not be seen."""
        host = next(place.id for place in places if place.is_host)
        ends = tuple(
            unseen_ends(
                SeenNamespaces(
                    host=host,
                    spaces={key: self._contents[key] for key in links},
                    links=links,
                    unread=self._unread,
                    labels={place.id: ", ".join(place.names) for place in places if place.names},
                    table=table,
                    routed=self._wants(SectionName.ROUTES),
                )
            )
        )
        yield from ends
        yield from unseen_processes(table, host, complete=not ends)

    def _unless_now(self, time: str) -> str:
        return "" if time == self._taken_at else time
