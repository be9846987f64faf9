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

FORMAT = 1
"""Version of the snapshot file format."""

Family = Literal["ip", "ip6"]
NamespaceKind = Literal["host", "container", "named", "process"]
ContainerMode = Literal[
    "bridge", "host", "none", "container", "macvlan", "ipvlan", "overlay", "slirp4netns", "pasta", "unknown"
]


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of every value in the model: immutable and compared by content.

    Values only hold values, so no cycle can form and the garbage collector
    needn't look at them: a big host's snapshot has half a million.
    """


class LinkRef(Value, frozen=True, kw_only=True):
    """A link's id: ifindexes repeat across namespaces, so both parts are needed."""

    namespace: str
    ifindex: int


class BridgeInfo(Value, frozen=True, kw_only=True):
    """Attributes of a bridge master (``IFLA_BR_*``).  Times are in hundredths of a second, as the kernel tells them."""

    stp: bool = False
    vlan_filtering: bool = False
    nf_call_iptables: bool = False
    nf_call_ip6tables: bool = False
    nf_call_arptables: bool = False
    group_fwd_mask: int = 0
    ageing_time: int = 30000
    forward_delay: int = 1500
    """How long a port listens and then learns before it forwards; counts only with STP on."""
    vlan_protocol: str = "802.1Q"
    vlan_default_pvid: int = 1
    """The VLAN that a new port gets; 0 for none.  Counts only with VLAN filtering on."""
    mcast_snooping: bool = True
    mcast_querier: bool = False


class PortVlan(Value, frozen=True, kw_only=True):
    """A VLAN, or a range of them, that a bridge port (or the bridge itself) carries.

    ``pvid``: frames without a tag belong to it; ``untagged``: its frames leave without a tag.
    ``last`` is the range's end, equal to ``vid`` for a single one.
    """

    vid: int
    last: int
    pvid: bool = False
    untagged: bool = False


class BridgePort(Value, frozen=True, kw_only=True):
    """Attributes of a bridge port (``IFLA_BRPORT_*``).

    ``guard`` drops BPDUs, ``root_block`` keeps the port from becoming the
    root's; ``locked`` passes only frames from sources in the FDB;
    ``neigh_suppress`` and ``proxy_arp`` make the bridge answer ARP and NDP
    itself.
    """

    state: Literal["disabled", "listening", "learning", "forwarding", "blocking", "unknown"] = "unknown"
    isolated: bool = False
    hairpin: bool = False
    flood: bool = True
    broadcast_flood: bool = True
    multicast_flood: bool = True
    learning: bool = True
    guard: bool = False
    root_block: bool = False
    fast_leave: bool = False
    multicast_to_unicast: bool = False
    neigh_suppress: bool = False
    proxy_arp: bool = False
    proxy_arp_wifi: bool = False
    vlan_tunnel: bool = False
    locked: bool = False
    backup_port: int | None = None
    """The ifindex of the port that takes over when this one loses its carrier."""


class LinkStats(Value, frozen=True, kw_only=True):
    """Interface counters (``IFLA_STATS64``)."""

    rx_packets: int = 0
    rx_bytes: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_packets: int = 0
    tx_bytes: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0


class Detail(Value, frozen=True, kw_only=True, tag_field="of"):
    """Base of what only links of one kind have (``IFLA_INFO_DATA``).  Empty text and None mean "not set"."""


class Vxlan(Detail, frozen=True, kw_only=True, tag="vxlan"):
    """A VXLAN tunnel.  The device it is bound to, if any, is its link's ``peer``.

    ``remote`` is the one remote or the multicast group; further remotes are
    FDB entries with ``remote``.  ``external``: a program or routes choose
    VNI and remote per packet, ``vni`` then means nothing.
    """

    vni: int = 0
    remote: str = ""
    local: str = ""
    port: int = 0
    """UDP destination port."""
    learning: bool = True
    external: bool = False
    proxy: bool = False
    """Answers ARP and NDP out of its neighbour table."""
    l2miss: bool = False
    l3miss: bool = False
    vnifilter: bool = False
    gbp: bool = False


class Geneve(Detail, frozen=True, kw_only=True, tag="geneve"):
    """A GENEVE tunnel; the fields mean what they mean for :class:`Vxlan`."""

    vni: int = 0
    remote: str = ""
    port: int = 0
    external: bool = False


class Macvlan(Detail, frozen=True, kw_only=True, tag="macvlan"):
    """A macvlan or macvtap; its parent is the link's ``peer``.

    Modes: ``private``, ``vepa``, ``bridge``, ``passthru``, ``source``.  None
    of them lets it talk to the parent's own host.
    """

    mode: str = ""


class Ipvlan(Detail, frozen=True, kw_only=True, tag="ipvlan"):
    """An ipvlan or ipvtap; its parent is the link's ``peer``.  ``mode``: ``l2``, ``l3``, ``l3s``."""

    mode: str = ""
    flag: str = "bridge"
    """``bridge``, ``private`` or ``vepa``: whether its siblings can be reached."""


class Vlan(Detail, frozen=True, kw_only=True, tag="vlan"):
    """A VLAN device; the link it lies on is the link's ``peer``."""

    vid: int = 0
    protocol: str = "802.1Q"


class Tun(Detail, frozen=True, kw_only=True, tag="tun"):
    """A TUN (IP packets) or TAP (frames) device, whose other end is a program."""

    type: str = ""
    """``tun`` or ``tap``."""
    owner: int | None = None
    """The user id that may open it; None: root alone."""
    group: int | None = None
    persist: bool = False
    multi_queue: bool = False
    queues: int | None = None
    """How many descriptors of programs hold it open; 0: nobody is at the other end.

    None where it isn't told: the kernel counts them for multi-queue devices only."""


class Bond(Detail, frozen=True, kw_only=True, tag="bond"):
    """A bond; its slaves are the links whose ``master`` it is."""

    mode: str = ""
    active: int | None = None
    """The ifindex of the slave in use (active-backup, tlb, alb)."""
    primary: int | None = None
    miimon: int = 0
    """Milliseconds between looks at the slaves' carrier; 0: never looked."""


class Tunnel(Detail, frozen=True, kw_only=True, tag="tunnel"):
    """An IP tunnel: ipip, sit, gre, gretap, vti, erspan and their IPv6 kin (ip6tnl, ip6gre, …)."""

    local: str = ""
    remote: str = ""
    ttl: int = 0
    """0: inherited from the packet inside."""
    ikey: int | None = None
    okey: int | None = None
    external: bool = False


class Vrf(Detail, frozen=True, kw_only=True, tag="vrf"):
    """A VRF: the links whose ``master`` it is route by ``table``."""

    table: int = 0


class Netkit(Detail, frozen=True, kw_only=True, tag="netkit"):
    """A netkit pair's end.  ``policy`` is what happens without a BPF program: ``forward`` or ``blackhole``."""

    mode: str = ""
    """``l2`` or ``l3``."""
    policy: str = ""
    primary: bool = False


AnyDetail = Vxlan | Geneve | Macvlan | Ipvlan | Vlan | Tun | Bond | Tunnel | Vrf | Netkit


class Link(Value, frozen=True, kw_only=True):
    """A network interface of one namespace.

    ``lower`` is the raw ``IFLA_LINK`` (None when the kernel omitted it) and
    ``lower_nsid`` the raw ``IFLA_LINK_NETNSID``; ``peer`` is what they were
    resolved to.  A veth without ``peer`` always says why in ``peer_note``.
    ``master`` is the bridge's (or bond's) ifindex in the same namespace.
    """

    ifindex: int
    name: str
    kind: str = ""
    """``bridge``, ``veth``, ``vxlan`` … as in ``IFLA_INFO_KIND``; empty for a physical device; ``loopback``."""
    mac: str = ""
    mtu: int = 0
    up: bool = False
    """Administratively up (``IFF_UP``)."""
    carrier: bool = False
    """``IFF_LOWER_UP``."""
    operstate: str = "UNKNOWN"
    flags: tuple[str, ...] = ()
    alias: str = ""
    master: int | None = None
    lower: int | None = None
    lower_nsid: int | None = None
    peer: LinkRef | None = None
    peer_note: str = ""
    bridge: BridgeInfo | None = None
    port: BridgePort | None = None
    stats: LinkStats = LinkStats()
    permanent_mac: str = ""
    """The address burnt into the device; empty for a virtual one."""
    detail: AnyDetail | None = None
    """What only links of its kind have; None for kinds without (veth, dummy, wireguard, ifb …)."""
    vlans: tuple[PortVlan, ...] = ()
    """The VLANs it carries as a bridge port, or as a bridge; read only where a bridge filters by VLAN."""


class Address(Value, frozen=True, kw_only=True):
    """An IPv4 or IPv6 address on a link."""

    ifindex: int
    family: Family
    address: str
    prefixlen: int
    scope: str = "global"
    flags: tuple[str, ...] = ()
    peer: str = ""
    """The other end's address on a point-to-point link; ``prefixlen`` then belongs to it."""

    @property
    def cidr(self) -> str:
        """The address with its prefix length, as ``172.17.0.1/16``."""
        return f"{self.address}/{self.prefixlen}"


class NextHop(Value, frozen=True, kw_only=True):
    """One leg of a route: a gateway, a device or both."""

    ifindex: int | None = None
    gateway: str | None = None
    weight: int = 1
    flags: tuple[str, ...] = ()


class Route(Value, frozen=True, kw_only=True):
    """A route of any table.  ``dst`` is a CIDR; the default is ``0.0.0.0/0`` or ``::/0``."""

    family: Family
    table: int
    type: str
    """``unicast``, ``local``, ``broadcast``, ``blackhole``, ``unreachable``, ``prohibit``, ``throw`` …"""
    dst: str
    hops: tuple[NextHop, ...] = ()
    source: str | None = None
    """``RTA_PREFSRC``."""
    metric: int = 0
    scope: str = "global"
    protocol: str = ""
    other: tuple[str, ...] = ()
    """Selectors and actions that are present but not modelled (``from``, ``tos``, ``encap``): undecidable by it."""
    mtu: int | None = None
    """``RTAX_MTU``: the path's MTU as configured for this route; None: that of the device."""
    mtu_locked: bool = False
    """No path MTU discovery: packets may be fragmented, and a smaller MTU isn't learnt."""
    advmss: int | None = None
    preference: str = ""
    """IPv6 router preference, ``low`` or ``high``; empty for medium and for IPv4."""
    nexthop_id: int | None = None
    """The nexthop object (``ip nexthop``) it uses; ``hops`` has what that stands for."""


class PolicyRule(Value, frozen=True, kw_only=True):
    """A routing policy rule (``ip rule``)."""

    family: Family
    priority: int
    action: str = "lookup"
    table: int | None = None
    src: str | None = None
    dst: str | None = None
    iif: str | None = None
    oif: str | None = None
    mark: int | None = None
    mask: int | None = None
    invert: bool = False
    suppress_prefixlength: int | None = None
    other: tuple[str, ...] = ()
    """Selectors that are present but not modelled; such a rule can't be decided."""


class Neighbour(Value, frozen=True, kw_only=True):
    """An ARP or NDP entry.  ``state`` as in ``ip neigh``: REACHABLE, STALE, PERMANENT, FAILED and so on."""

    ifindex: int
    family: Family
    address: str
    mac: str = ""
    state: str = ""
    flags: tuple[str, ...] = ()
    """``router``, ``extern_learn``, ``managed``."""


class ProxiedAddress(Value, frozen=True, kw_only=True):
    """An address that is answered for on a link (``ip neigh show proxy``) as if it were there."""

    ifindex: int
    family: Family
    address: str


class FdbEntry(Value, frozen=True, kw_only=True):
    """A forwarding entry: frames for ``mac`` leave by ``ifindex``.

    With ``master`` it is that bridge's and ``ifindex`` its port.  Without, it
    is a VXLAN device's own: they go to the tunnel endpoint ``remote``.
    """

    ifindex: int
    mac: str
    master: int | None = None
    vlan: int | None = None
    state: str = ""
    flags: tuple[str, ...] = ()
    """``extern_learn``, ``offload``, ``sticky``."""
    remote: str = ""
    vni: int | None = None
    """The VNI to use for ``remote`` where it isn't the device's own."""
    port: int | None = None
    """The UDP port of ``remote`` where it isn't the device's own."""


class Socket(Value, frozen=True, kw_only=True):
    """A listening socket.  ``address`` is ``0.0.0.0`` or ``::`` for any.

    ``v6only`` (``IPV6_V6ONLY``) decides whether one on ``::`` takes IPv4 too;
    None for an IPv4 socket and where it wasn't told.  ``ifindex`` is the link
    it is bound to (``SO_BINDTODEVICE``), if any.
    """

    proto: Literal["tcp", "udp", "sctp"]
    address: str
    port: int
    inode: int = 0
    pid: int | None = None
    process: str = ""
    v6only: bool | None = None
    ifindex: int | None = None


class ConntrackTuple(Value, frozen=True, kw_only=True):
    """One direction of a tracked connection.

    Ports are those of TCP, UDP, SCTP and DCCP (GRE's keys stand in their
    place); None where the protocol has none.  ``icmp_id``, ``icmp_type`` and
    ``icmp_code`` are ICMP's and ICMPv6's.  ``zone`` is set where the
    direction has a zone of its own.
    """

    src: str
    dst: str
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    icmp_id: int | None = None
    zone: int | None = None


class ConntrackEntry(Value, frozen=True, kw_only=True):
    """A connection as the kernel tracks it, both ways.

    ``proto`` is a name (``tcp``, ``udp``, ``icmp``, ``icmpv6`` …) or the
    protocol's number.  ``state`` is the protocol's own (``ESTABLISHED`` …),
    empty where it has none.  ``status`` holds the names of the ``IPS_*`` bits
    (``seen-reply``, ``assured``, ``src-nat``, ``dst-nat`` …); ``timeout`` is
    in seconds, None when the entry doesn't tell (one that is offloaded).
    """

    family: Family
    proto: str
    original: ConntrackTuple
    reply: ConntrackTuple
    state: str = ""
    status: tuple[str, ...] = ()
    mark: int = 0
    timeout: int | None = None
    zone: int = 0
    id: int = 0


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
    sysctls: dict[str, str] = {}
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


class PublishedPort(Value, frozen=True, kw_only=True):
    """A container's port that the engine publishes on the host."""

    host_ip: str
    host_port: int
    proto: Literal["tcp", "udp", "sctp"]
    container_port: int


class PortProxy(Value, frozen=True, kw_only=True):
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


class Endpoint(Value, frozen=True, kw_only=True):
    """What an engine says of a container's place in one network."""

    network: str
    """The network's id."""
    mac: str = ""
    addresses: tuple[str, ...] = ()
    """CIDRs, IPv4 and IPv6."""
    gateway: str = ""
    gateway6: str = ""


class Container(Value, frozen=True, kw_only=True):
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


class Subnet(Value, frozen=True, kw_only=True):
    """An address range of a network, with the gateway the engine put on the bridge."""

    cidr: str
    gateway: str = ""


class Network(Value, frozen=True, kw_only=True):
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
    options: dict[str, str] = {}


class Engine(Value, frozen=True, kw_only=True):
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
