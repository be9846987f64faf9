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

from dnet_tui.inspect.model.engines import Container, Engine, Network, PortProxy
from dnet_tui.inspect.model.firewall import Firewall
from dnet_tui.inspect.model.firewalld import Firewalld
from dnet_tui.inspect.model.gaps import Gap
from dnet_tui.inspect.model.links import Address, Link, Value
from dnet_tui.inspect.model.name_servers import Resolver
from dnet_tui.inspect.model.routing import FdbEntry, Neighbour, PolicyRule, ProxiedAddress, Route
from dnet_tui.inspect.model.sockets import ChecksumCounts, ConntrackCounts, ConntrackEntry, Socket
from dnet_tui.inspect.model.traffic_control import TrafficFilter

FORMAT = 1
"""Version of the snapshot file format."""

NamespaceKind = Literal["host", "container", "named", "process"]


class Process(Value, frozen=True, kw_only=True):
    """A process that holds a namespace; ``start`` (clock ticks since boot) guards against PID reuse."""

    pid: int
    start: int
    name: str = ""


class Namespace(Value, frozen=True, kw_only=True):
    """One network namespace.

    ``id`` is ``net:[INODE]``, as in ``readlink /proc/PID/ns/net``.  A section
    that could not be read is empty here *and* has a gap in the snapshot whose
    scope is this id: "none" and "not seen" are different things.
    ``firewall`` is None when nothing of it was read.
    """

    id: str
    inode: int
    kind: NamespaceKind
    names: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    path: str = ""
    """A file by which the namespace can be entered, such as ``/run/netns/web``."""
    links: tuple[Link, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    policy_rules: tuple[PolicyRule, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    fdb: tuple[FdbEntry, ...] = ()
    sysctls: dict[str, str] = msgspec.field(default_factory=dict)
    """Full dotted names, such as ``net.ipv4.conf.docker0.forwarding`` (``/`` for dots inside a device's name).

    Those of ``net.bridge`` only where there is a bridge: elsewhere they mean nothing and aren't read.
    """
    sockets: tuple[Socket, ...] = ()
    firewall: Firewall | None = None
    conntrack: tuple[ConntrackEntry, ...] = ()
    """Only when it was asked for, and then perhaps only those that were; see ``discover.Options.conntrack``."""
    conntrack_udp: tuple[int, ...] | None = None
    """UDP ports of which all tracked connections are in ``conntrack`` even if nobody asked for that; None: of none."""
    checksums: ChecksumCounts | None = None
    """None where it wasn't read."""
    conntrack_counts: ConntrackCounts | None = None
    """None where connection tracking isn't loaded, or doesn't tell."""
    proxied: tuple[ProxiedAddress, ...] = ()
    """A part of the section ``neighbours``."""
    traffic_control: tuple[TrafficFilter, ...] = ()
    """What decides over packets at its devices, by tc; the section ``traffic-control``."""
    xfrm_policies: int | None = None
    """How many IPsec policies there are (``ip xfrm policy``); None when that could not be read."""
    read_at: str = ""
    """When this was read, where it was taken over from an earlier snapshot; empty: at the snapshot's own time."""
    firewall_at: str = ""
    """The same for the counters of ``firewall``.  Its rules are proved to be those of the snapshot's time.

    A rule that came since then has no counters.
    """


class Host(Value, frozen=True, kw_only=True):
    """The machine the snapshot was taken on."""

    hostname: str
    kernel: str
    resolver: Resolver | None = None
    """Its own resolv.conf; None when there is none, or it could not be read."""
    modules_present: bool | None = None
    """Whether the running kernel's modules can still be loaded: its folder of /lib/modules is there.

    False only where another kernel's is there instead (after an update without a restart); None where there
    is none at all, as with kernels that have all built in, or where that can't be told."""


class Snapshot(Value, frozen=True, kw_only=True, omit_defaults=False):
    """Everything dnet-tui knows of a host at one time.  ``gaps`` is what it could not see."""

    format: int = FORMAT
    tool_version: str = ""
    taken_at: str = ""
    host: Host = Host(hostname="", kernel="")
    namespaces: tuple[Namespace, ...] = ()
    engines: tuple[Engine, ...] = ()
    networks: tuple[Network, ...] = ()
    containers: tuple[Container, ...] = ()
    gaps: tuple[Gap, ...] = ()
    proxies: tuple[PortProxy, ...] = ()
    firewalld: Firewalld | None = None
    """None where none runs in the host's namespace."""
