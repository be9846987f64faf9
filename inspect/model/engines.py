"""The model of what engines say: containers, their networks and published ports, the engines themselves.  Pure data."""

from __future__ import annotations

from typing import Literal

import msgspec

from dnet_tui.inspect.model.coverage.sections import Section, Unread, owned_by
from dnet_tui.inspect.model.links import ModelStruct
from dnet_tui.inspect.model.name_servers import Resolver

ContainerMode = Literal[
    "bridge", "host", "none", "container", "macvlan", "ipvlan", "overlay", "slirp4netns", "pasta", "unknown"
]


class PublishedPort(ModelStruct, frozen=True, kw_only=True):
    """A container's port that is published on the host: by the engine, or (``by``) by rules of somebody else's."""

    host_ip: str
    host_port: int
    proto: Literal["tcp", "udp", "sctp"]
    container_port: int
    by: str = ""


class PortProxy(ModelStruct, frozen=True, kw_only=True):
    """A process that passes on connections to a published port in user space (``docker-proxy``).

    ``netns`` is the namespace it listens in: the host's, or a rootless engine's.
    """

    pid: int
    netns: str
    proto: Literal["tcp", "udp", "sctp"]
    host_ip: str
    host_port: int
    container_ip: str
    container_port: int


class Forwarder(ModelStruct, frozen=True, kw_only=True):
    """Any other program that passes on connections: a rootless engine's, or one whose sockets show both sides.

    ``into`` is the namespace in which its own connections begin.  An empty
    ``to_ip`` is that namespace itself: its loopback for who comes by the
    loopback, otherwise its own address.  ``certain``: it does so with every
    connection; otherwise it has some like that, and may do as it likes.
    """

    pid: int
    program: str
    netns: str
    into: str
    proto: Literal["tcp", "udp", "sctp"]
    host_ip: str
    host_port: int
    to_ip: str
    to_port: int
    certain: bool = True


class Endpoint(ModelStruct, frozen=True, kw_only=True):
    """What an engine says of a container's place in one network."""

    network: str
    """The network's id."""
    mac: str = ""
    addresses: tuple[str, ...] = ()
    """CIDRs, IPv4 and IPv6."""
    gateway: str = ""
    gateway6: str = ""


class Container(ModelStruct, frozen=True, kw_only=True):
    """A container, or a named namespace that is used like one (engine ``netns``).

    ``netns`` is the id of the namespace it uses; None when it isn't running or
    the namespace could not be seen (then a gap says why).  For ``mode``
    ``container``, ``joined`` is the id of the container whose namespace it shares.
    """

    id: str
    name: str
    engine: str
    image: str = ""
    pid: int | None = None
    netns: str | None = None
    mode: ContainerMode = "unknown"
    joined: str | None = None
    running: bool = True
    status: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    published: tuple[PublishedPort, ...] = ()
    wanted: tuple[PublishedPort, ...] = ()
    """The ports that a container which isn't running will ask for when it is started."""
    error: str = ""
    """Why its engine could not start (or stop) it the last time, in the engine's words; a good start clears it.

    Source: ``State.Error`` of Docker's inspect; Podman leaves it empty for most failures."""
    resolver: Resolver | Unread | None = None
    """Its resolv.conf; None when it isn't running, or its engine tells of none."""

    def __post_init__(self) -> None:
        owned_by(self, {"resolver": "names"}, self.name)


class Subnet(ModelStruct, frozen=True, kw_only=True):
    """An address range of a network, with the gateway the engine put on the bridge."""

    cidr: str
    gateway: str = ""


class VirtualAddress(ModelStruct, frozen=True, kw_only=True):
    """A service's address in an overlay network: whoever is sent to there, IPVS chooses."""

    service: str
    address: str


class Network(ModelStruct, frozen=True, kw_only=True):
    """A network as an engine (or dnet-tui itself) defined it: the *intention*.

    Intentions are three-valued: None means that nobody stated it, so no check
    may take it for granted.  ``isolated`` asks that other bridge networks of
    the host can't reach this one (Docker's rule for every bridge network).
    ``gateway_mode*``: ``nat``, ``nat-unprotected``, ``routed`` or ``isolated``.
    """

    id: str
    name: str
    engine: str
    driver: str = "bridge"
    bridge: str = ""
    """The kernel's name of the bridge; empty where the driver has none."""
    subnets: tuple[Subnet, ...] = ()
    internal: bool | None = None
    icc: bool | None = None
    masquerade: bool | None = None
    isolated: bool | None = None
    gateway_mode4: str = ""
    gateway_mode6: str = ""
    ipv6: bool = False
    mtu: int | None = None
    host_binding: str = ""
    options: dict[str, str] = msgspec.field(default_factory=dict)
    virtual: tuple[VirtualAddress, ...] = ()
    """The virtual addresses of services in it, as a swarm's manager tells them."""
    dns: bool | None = None
    """Whether a name server of the engine's own answers at the gateway's address (Podman's ``dns_enabled``)."""


class LogLine(ModelStruct, frozen=True, kw_only=True):
    """A failure that an engine's log tells of.

    ``time`` is ISO 8601 as the log has it, ``unit`` the systemd unit (empty
    where the log is a file), ``text`` the telling part alone; see
    :mod:`dnet_tui.inspect.model.engine_kinds.startup_errors`, whose word for it is ``kind``.
    """

    kind: str
    text: str
    time: str = ""
    unit: str = ""


class AddressPool(ModelStruct, frozen=True, kw_only=True):
    """A range that an engine takes the subnets of new networks from, each with a prefix of ``size`` bits."""

    base: str
    size: int


class Engine(ModelStruct, frozen=True, kw_only=True):
    """A container engine found on the host.

    ``reachable`` is False when its socket is there but it did not answer in
    time or refused, or when it wasn't asked because its networks are in
    another namespace (a rootless one); a gap then says which.  ``firewall``
    is what it says of its backend (``iptables``, ``nftables``, ``firewalld``,
    ``none``), empty when unknown; ``network_backend`` is Podman's
    (``netavark``, ``cni``).

    The rest are the daemon's settings; None when nothing tells.  They ask
    whether it runs a proxy process for each published port, writes rules for
    IPv4 and for IPv6, turns forwarding on, and masquerades by default.
    """

    name: str
    version: str = ""
    socket: str = ""
    reachable: bool = True
    firewall: str = ""
    rootless: bool = False
    userland_proxy: bool | None = None
    network_backend: str = ""
    iptables: bool | None = None
    ip6tables: bool | None = None
    ip_forward: bool | None = None
    ip_masq: bool | None = None
    netns: str | None = None
    """The namespace its bridges are in, where that is known not to be the host's."""
    iptables_program: str = ""
    """The file that ``iptables`` is to the daemon: the first in its PATH, in its own file system; empty: not known."""
    iptables_backend: Literal["iptables-nft", "iptables-legacy", ""] = ""
    """The backend that this program writes to, by what its links lead to; empty when their names don't tell."""
    address_pools: tuple[AddressPool, ...] | None = None
    """Its default address pools; None when nothing tells."""
    log: Section[LogLine] | None = None
    """The known network failures in its log of the last day, the oldest first, each text once with its latest time.

    None when no log of it was found."""

    def __post_init__(self) -> None:
        owned_by(self, {"log": "log"}, self.name)
