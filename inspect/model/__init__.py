"""The data model: one immutable picture of a host's container networking.  Pure data.

The names that most readers need are here; what is special to one subject is in its module.
"""

from __future__ import annotations

from dnet_tui.inspect.model.engines import (
    AddressPool,
    Container,
    ContainerMode,
    Endpoint,
    Engine,
    LogLine,
    Network,
    PortProxy,
    PublishedPort,
    Subnet,
)
from dnet_tui.inspect.model.firewalld import Firewalld, FirewalldZone
from dnet_tui.inspect.model.links import (
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
from dnet_tui.inspect.model.name_servers import NameServer, Resolver
from dnet_tui.inspect.model.routing import FdbEntry, Neighbour, NextHop, PolicyRule, ProxiedAddress, Route
from dnet_tui.inspect.model.snapshot import FORMAT, Host, Namespace, NamespaceKind, Process, Snapshot
from dnet_tui.inspect.model.sockets import ChecksumCounts, ConntrackCounts, ConntrackEntry, ConntrackTuple, Socket
from dnet_tui.inspect.model.traffic_control import TrafficFilter

__all__ = [
    "FORMAT",
    "Address",
    "AddressPool",
    "AnyDetail",
    "Bond",
    "BridgeInfo",
    "BridgePort",
    "ChecksumCounts",
    "ConntrackCounts",
    "ConntrackEntry",
    "ConntrackTuple",
    "Container",
    "ContainerMode",
    "Detail",
    "Endpoint",
    "Engine",
    "Family",
    "FdbEntry",
    "Firewalld",
    "FirewalldZone",
    "Geneve",
    "Host",
    "Ipvlan",
    "Link",
    "LinkRef",
    "LinkStats",
    "LogLine",
    "Macvlan",
    "NameServer",
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
    "Resolver",
    "Route",
    "Snapshot",
    "Socket",
    "Subnet",
    "TrafficFilter",
    "Tun",
    "Tunnel",
    "Value",
    "Vlan",
    "Vrf",
    "Vxlan",
]
