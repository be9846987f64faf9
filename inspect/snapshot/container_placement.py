"""Which container lives in which namespace, also without any engine.  Pure.

The kernel knows a container's processes by their cgroup; the engine adds the
name, the image and the networks.  With the engine silent, the short id stands
for the name and everything else stays as the kernel tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from dnet_tui.inspect.kernel.cgroups import CgroupContainer, short_id
from dnet_tui.inspect.kernel.netns import namespace_id
from dnet_tui.inspect.kernel.procfs import ProcessSeen
from dnet_tui.inspect.model import Container, ContainerMode, Endpoint, Link, Namespace, Network
from dnet_tui.inspect.model.coverage.gaps import Gap
from dnet_tui.inspect.model.coverage.sections import known_items
from dnet_tui.inspect.model.default_routes import ways_out
from dnet_tui.inspect.model.engine_kinds.others import NETNS, UNKNOWN
from dnet_tui.inspect.model.engine_kinds.registry import ENGINE_KINDS
from dnet_tui.inspect.model.engine_kinds.traits import Supervisor

ArgvReader = Callable[[int], tuple[str, ...]]
"""Returns the arguments of a process by its PID, none when it can't tell."""


def engine_by_ancestor(process: ProcessSeen, table: Mapping[int, ProcessSeen], argv: ArgvReader) -> str:
    """The engine of a container's process by who started it; ``unknown`` when that doesn't tell.

    containerd's shim says for whom it works (``-namespace moby`` is Docker);
    conmon is CRI-O's or Podman's, LXC's monitor LXD's, Incus' or nobody's, by
    the folders in their arguments.
    """
    seen: set[int] = set()
    current: ProcessSeen | None = process
    while current is not None and current.pid not in seen:
        seen.add(current.pid)
        for supervisor, kind in _SUPERVISORS:
            if _is_named(current.name, supervisor) and _is_told(current.pid, argv, supervisor):
                return kind
        current = table.get(current.parent)
    return UNKNOWN.kind


_SUPERVISORS = tuple((supervisor, kind.kind) for kind in ENGINE_KINDS for supervisor in kind.supervisors)


def _is_named(name: str, supervisor: Supervisor) -> bool:
    return name.startswith(supervisor.name) if supervisor.prefix else name == supervisor.name


def _is_told(pid: int, argv: ArgvReader, supervisor: Supervisor) -> bool:
    """Whether a process's arguments are those of an engine's supervisor."""
    if supervisor.option:
        words = argv(pid)
        given = words[words.index(supervisor.option) + 1] if supervisor.option in words[:-1] else ""
        return given in supervisor.values
    return not supervisor.argument or any(supervisor.argument in word for word in argv(pid))


class Resident(msgspec.Struct, frozen=True, kw_only=True):
    """A container that the kernel shows: its oldest process."""

    container: CgroupContainer
    process: ProcessSeen


def residents(processes: Iterable[ProcessSeen], own: CgroupContainer | None, host: int) -> dict[str, Resident]:
    """The containers among the processes (oldest first), by id.

    ``own`` is the container that dnet-tui itself runs in, if any: when the
    whole machine is a container, its id isn't a container of this host.
    """
    found: dict[str, Resident] = {}
    for process in processes:
        container = process.container
        if container is None or (own is not None and container.id == own.id and process.inode == host):
            continue
        found.setdefault(container.id, Resident(container=container, process=process))
    return found


def matched_by_pid(told: Iterable[Container], processes: Mapping[int, ProcessSeen]) -> dict[str, Resident]:
    """The containers by the PID that their engine told: its own word for which process is the first.

    A process whose cgroup names *another* container got a PID that was used
    before: it isn't taken.
    """
    found: dict[str, Resident] = {}
    for container in told:
        process = processes.get(container.pid or 0)
        if process is None or not container.running:
            continue
        if process.container is None or process.container.id == container.id:
            cgroup = CgroupContainer(id=container.id, engine=container.engine)
            found[container.id] = Resident(container=cgroup, process=process)
    return found


def assign_namespaces(
    told: Iterable[Container], seen: Mapping[str, Resident], unread: Mapping[str, str]
) -> tuple[tuple[Container, ...], tuple[Gap, ...]]:
    """Give every container that an engine told of its namespace, and add those that only the kernel shows.

    ``unread`` are the namespaces that could not be read, with the reason.
    """
    placed: list[Container] = []
    gaps: list[Gap] = []
    told_ids: set[str] = set()
    for container in told:
        told_ids.add(container.id)
        placed.append(_place(container, seen.get(container.id), unread, gaps))
    for key, resident in seen.items():
        if key not in told_ids:
            placed.append(_place(_nameless(resident), resident, unread, gaps))
    return tuple(placed), tuple(gaps)


def _nameless(resident: Resident) -> Container:
    return Container(
        id=resident.container.id,
        name=short_id(resident.container.id),
        engine=resident.container.engine,
        pid=resident.process.pid,
        status="running",
    )


def _place(container: Container, resident: Resident | None, unread: Mapping[str, str], gaps: list[Gap]) -> Container:
    if not container.running:
        return container
    if resident is None:
        reason = "its process could not be found: it ended while it was being read, or may not be looked into"
        gaps.append(
            Gap(section="containers", scope=container.name, reason=reason, hint="take the snapshot again, as root")
        )
        return container
    netns = namespace_id(resident.process.inode)
    pid = container.pid or resident.process.pid
    if netns not in unread:
        return msgspec.structs.replace(container, pid=pid, netns=netns)
    reason = f"its network namespace {netns} could not be read: {unread[netns]}"
    gaps.append(Gap(section="containers", scope=container.name, reason=reason))
    return msgspec.structs.replace(container, pid=pid)


def guess_modes(
    containers: Iterable[Container], spaces: Mapping[str, Namespace], seen: Mapping[str, Resident], host: str
) -> tuple[Container, ...]:
    """Fill in the mode of the containers that no engine told of, from what their namespaces hold.

    Of several in one namespace the one whose process is oldest owns it; the
    others joined it.
    """
    known = list(containers)
    owners: dict[str, Container] = {}
    for item in sorted(known, key=lambda item: _age(seen.get(item.id))):
        if item.netns is not None and item.joined is None:
            owners.setdefault(item.netns, item)
    bridges = _Bridges(spaces)
    return tuple(_with_mode(item, owners, bridges, host) for item in known)


def _age(resident: Resident | None) -> tuple[int, int]:
    return (resident.process.start, resident.process.pid) if resident is not None else (1 << 62, 0)


def _with_mode(container: Container, owners: Mapping[str, Container], bridges: _Bridges, host: str) -> Container:
    if container.mode != "unknown" or container.netns is None:
        return container
    if container.netns == host:
        return msgspec.structs.replace(container, mode="host")
    owner = owners.get(container.netns)
    if owner is not None and owner.id != container.id:
        return msgspec.structs.replace(container, mode="container", joined=owner.id)
    space = bridges.spaces.get(container.netns)
    return msgspec.structs.replace(container, mode=_mode_of(space, bridges) if space else "unknown")


def _mode_of(space: Namespace, bridges: _Bridges) -> ContainerMode:
    others = [link for link in space.links if link.kind != "loopback"]
    if not others:
        return "none"
    if any(bridges.of(link) is not None for link in others):
        return "bridge"
    kinds = {link.kind for link in others}
    if "macvlan" in kinds:
        return "macvlan"
    return "ipvlan" if "ipvlan" in kinds else "unknown"


class _Bridges:
    """Finds the bridges that links hang on.  Each namespace's links are looked through once, not for every link."""

    def __init__(self, spaces: Mapping[str, Namespace]) -> None:
        self.spaces = spaces
        self._links: dict[str, dict[int, Link]] = {}

    def of(self, link: Link) -> tuple[Namespace, Link] | None:
        """The bridge that a veth's other end is a port of, and the namespace that bridge is in."""
        if link.kind != "veth" or link.peer is None:
            return None
        space = self.spaces.get(link.peer.namespace)
        if space is None:
            return None
        if space.id not in self._links:
            self._links[space.id] = {item.ifindex: item for item in space.links}
        links = self._links[space.id]
        other = links.get(link.peer.ifindex)
        master = links.get(other.master) if other is not None and other.master is not None else None
        return (space, master) if master is not None and master.kind == "bridge" else None


def named_containers(
    spaces: Mapping[str, Namespace], host: str, occupied: frozenset[str], networks: Iterable[Network]
) -> tuple[Container, ...]:
    """Named namespaces that hang on a bridge of the host, as containers; those on none are left namespaces."""
    by_bridge = {network.bridge: network for network in networks if network.bridge}
    bridges = _Bridges(spaces)
    found: list[Container] = []
    for space in spaces.values():
        if not space.names or space.id == host or space.id in occupied:
            continue
        places = [(link, place[1]) for link in space.links if (place := bridges.of(link)) and place[0].id == host]
        if not places:
            continue
        name = space.names[0]
        endpoints = tuple(
            _endpoint(space, link, by_bridge[bridge.name]) for link, bridge in places if bridge.name in by_bridge
        )
        found.append(
            Container(
                id=f"{NETNS.kind}:{name}",
                name=name,
                engine=NETNS.kind,
                pid=space.processes[0].pid if space.processes else None,
                netns=space.id,
                mode="bridge",
                status="running" if space.processes else "namespace",
                endpoints=endpoints,
            )
        )
    return tuple(found)


def _endpoint(space: Namespace, link: Link, network: Network) -> Endpoint:
    """A namespace's place in a network, as its own addresses and default routes have it."""
    seen = msgspec.structs.replace(space, routes=known_items(space.routes))  # an endpoint is what can be said of it
    gateways = {
        route.family: hop.gateway
        for route in reversed(ways_out(seen))  # the preferred last, which stays
        for hop in route.hops
        if hop.ifindex == link.ifindex and hop.gateway
    }
    return Endpoint(
        network=network.id,
        mac=link.mac,
        addresses=tuple(
            item.cidr
            for item in known_items(space.addresses)
            if item.ifindex == link.ifindex and item.scope == "global"
        ),
        gateway=gateways.get("ip", ""),
        gateway6=gateways.get("ip6", ""),
    )
