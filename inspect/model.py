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

from dnet_tui.inspect.firewall import Firewall
from dnet_tui.inspect.gaps import Gap
from dnet_tui.inspect.model_engines import (
    Container,
    ContainerMode,
    Endpoint,
    Engine,
    Network,
    PortProxy,
    PublishedPort,
    Subnet,
)
from dnet_tui.inspect.model_links import (
    Address,
    AnyDetail,
    Bond,
    BridgeInfo,
    BridgePort,
    Detail,
    Family,
    Geneve,
    Ipvlan,
    Link,
    LinkRef,
    LinkStats,
    Macvlan,
    Netkit,
    PortVlan,
    Tun,
    Tunnel,
    Value,
    Vlan,
    Vrf,
    Vxlan,
)
from dnet_tui.inspect.model_routing import (
    FdbEntry,
    Neighbour,
    NextHop,
    PolicyRule,
    ProxiedAddress,
    Route,
)
from dnet_tui.inspect.model_sockets import (
    ConntrackEntry,
    ConntrackTuple,
    Socket,
)

__all__ = [
    "FORMAT",
    "Address",
    "AnyDetail",
    "Bond",
    "BridgeInfo",
    "BridgePort",
    "ConntrackEntry",
    "ConntrackTuple",
    "Container",
    "ContainerMode",
    "Detail",
    "Endpoint",
    "Engine",
    "Family",
    "FdbEntry",
    "Geneve",
    "Host",
    "Ipvlan",
    "Link",
    "LinkRef",
    "LinkStats",
    "Macvlan",
    "Namespace",
    "NamespaceKind",
    "Neighbour",
    "Netkit",
    "Network",
    "NextHop",
    "PolicyRule",
    "PortProxy",
    "PortVlan",
    "Process",
    "ProxiedAddress",
    "PublishedPort",
    "Route",
    "Snapshot",
    "Socket",
    "Subnet",
    "Tun",
    "Tunnel",
    "Value",
    "Vlan",
    "Vrf",
    "Vxlan",
]

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
    proxied: tuple[ProxiedAddress, ...] = ()
    """A part of the section ``neighbours``."""
    xfrm_policies: int | None = None
    """How many IPsec policies there are (``ip xfrm policy``); None when that could not be read."""
    read_at: str = ""
    """When this was read, where it was taken over from an earlier snapshot; empty: at the snapshot's own time."""
    firewall_at: str = ""
    """The same for ``firewall``: since then its rules are proved to be unchanged, its counters are not."""


class Host(Value, frozen=True, kw_only=True):
    """The machine the snapshot was taken on."""

    hostname: str
    kernel: str


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
