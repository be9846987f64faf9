"""The data model: one immutable picture of a host's container networking.

Everything here is plain data (``msgspec.Struct``, frozen).  Nothing in this
module reads the host; the readers elsewhere in this room build these values
and everything else in the program consumes them.  References are ids, never
pointers, so a snapshot survives a round trip through JSON unchanged.

Units: MTU and byte counters in bytes, metrics and marks as the kernel's
unsigned integers, times as ISO 8601 UTC text.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.inspect.model.coverage.gaps import HOST_FIELDS, NAMESPACE_FIELDS, Gap, gaps_of
from dnet_tui.inspect.model.coverage.sections import NOT_ASKED, NOT_READ, Section, Settings, Unread, owned_by
from dnet_tui.inspect.model.engines import Container, Engine, Forwarder, Network, PortProxy
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.firewalld import Firewalld
from dnet_tui.inspect.model.links import Address, Link, ModelStruct, WireGuardDevice
from dnet_tui.inspect.model.name_servers import Resolver
from dnet_tui.inspect.model.routing import FdbEntry, Neighbour, PolicyRule, ProxiedAddress, Route, XfrmPolicy
from dnet_tui.inspect.model.sockets import (
    ChecksumCounts,
    ConntrackCounts,
    ConntrackEntry,
    NatPortUse,
    Socket,
    TunProgram,
)
from dnet_tui.inspect.model.traffic_control import TrafficFilter

FORMAT = 2
"""Version of the snapshot file format."""

NamespaceKind = Literal["host", "container", "named", "process"]

NamespaceRole = Literal["", "network", "load-balancer"]
"""What an engine made a namespace for, other than for a container: a network's inside, or its load balancer."""


class Process(ModelStruct, frozen=True, kw_only=True):
    """A process that holds a namespace; ``start`` (clock ticks since boot) guards against PID reuse."""

    pid: int
    start: int
    name: str = ""


class Namespace(ModelStruct, frozen=True, kw_only=True):
    """One network namespace.

    ``id`` is ``net:[INODE]``, as in ``readlink /proc/PID/ns/net``.  What was
    read of it are sections (:mod:`dnet_tui.inspect.model.coverage.sections`): plain
    data, or ``Unread``, which raises when it is touched.
    """

    id: str
    inode: int
    kind: NamespaceKind
    names: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    path: str = ""
    """A file by which the namespace can be entered, such as ``/run/netns/web``."""
    role: NamespaceRole = ""
    """``network``: it is the inside of an overlay network; ``load-balancer``: from it IPVS leads to services."""
    serves: str = ""
    """The id of that network, or as much of it as is known."""
    links: Section[Link] = ()
    addresses: Section[Address] = ()
    routes: Section[Route] = ()
    policy_rules: Section[PolicyRule] = ()
    neighbours: Section[Neighbour] = ()
    fdb: Section[FdbEntry] = ()
    sysctls: Settings | Unread = Settings()
    """Full dotted names, such as ``net.ipv4.conf.docker0.forwarding`` (``/`` for dots inside a device's name).

    Those of ``net.bridge`` only where there is a bridge: elsewhere they mean nothing and aren't read.
    """
    sockets: Section[Socket] = ()
    firewall: Firewall | Unread = Unread(reason=NOT_READ)
    conntrack: Section[ConntrackEntry] = Unread(reason=NOT_ASKED)
    """Only when it was asked for, and then perhaps only those that were; see ``discover.Options.conntrack``."""
    conntrack_udp: tuple[int, ...] | None = None
    """UDP ports of which all tracked connections are in ``conntrack`` even if nobody asked for that; None: of none."""
    checksums: ChecksumCounts | Unread = Unread(reason=NOT_READ)
    conntrack_counts: ConntrackCounts | Unread | None = None
    """None where connection tracking isn't loaded, or doesn't tell."""
    nat_ports: Section[NatPortUse] = Unread(reason=NOT_ASKED)
    """The destinations that may take more than half of the ports for translation: of the host's namespace alone."""
    proxied: Section[ProxiedAddress] = ()
    """A part of the section ``neighbours``."""
    traffic_control: Section[TrafficFilter] = ()
    """What decides over packets at its devices, by tc; the section ``traffic-control``."""
    xfrm_policies: int | Unread = Unread(reason=NOT_READ)
    """How many IPsec policies there are (``ip xfrm policy``)."""
    xfrm: Section[XfrmPolicy] = Unread(reason=NOT_READ)
    """The policies themselves, in the order they were made.  Earlier snapshots hold their number alone."""
    wireguard: Section[WireGuardDevice] = Unread(reason=NOT_READ)
    """The peers of its WireGuard interfaces."""
    read_at: str = ""
    """When this was read, where it was taken over from an earlier snapshot; empty: at the snapshot's own time."""
    firewall_at: str = ""
    """The same for the counters of ``firewall``.  Its rules are proved to be those of the snapshot's time.

    A rule that came since then has no counters.
    """

    def __post_init__(self) -> None:
        if isinstance(self.sysctls, dict):  # a plain dict is taken for all there are
            msgspec.structs.force_setattr(self, "sysctls", Settings(values=self.sysctls))
        owned_by(self, NAMESPACE_FIELDS, self.id)


class Host(ModelStruct, frozen=True, kw_only=True):
    """The machine the snapshot was taken on."""

    hostname: str
    kernel: str
    resolver: Resolver | Unread | None = None
    """Its own resolv.conf; None when there is none."""
    modules_present: bool | None = None
    """Whether the running kernel's modules can still be loaded: its folder of /lib/modules is there.

    False only where another kernel's is there instead (after an update without a restart); None where there
    is none at all, as with kernels that have all built in, or where that can't be told."""

    def __post_init__(self) -> None:
        owned_by(self, {"resolver": "names"}, "")


class Snapshot(ModelStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Everything dnet-tui knows of a host at one time.

    The lists of the whole host are read in part where one engine, one container or one namespace could not be
    looked into; :func:`~dnet_tui.inspect.model.coverage.sections.known_items` gives those that are there.
    """

    format: int = FORMAT
    tool_version: str = ""
    taken_at: str = ""
    host: Host = Host(hostname="", kernel="")
    namespaces: Section[Namespace] = ()
    engines: Section[Engine] = ()
    networks: Section[Network] = ()
    containers: Section[Container] = ()
    proxies: tuple[PortProxy, ...] = ()
    tun_programs: tuple[TunProgram, ...] = ()
    """The programs at the other ends of TUN and TAP devices, as far as they could be found."""
    forwarders: tuple[Forwarder, ...] = ()
    """Other programs that pass on connections, as far as their arguments or sockets show it."""
    firewalld: Firewalld | Unread | None = None
    """None where none runs in the host's namespace."""
    unplaced: tuple[Gap, ...] = ()
    """What could not be read of something that isn't in the snapshot."""

    def __post_init__(self) -> None:
        owned_by(self, HOST_FIELDS, "")

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What could not be read, as its sections say."""
        return gaps_of(self)
