"""The model of interfaces: links, what is special about their kinds, bridge ports, addresses.  Pure data."""

from __future__ import annotations

from typing import Literal

import msgspec

Family = Literal["ip", "ip6"]
"""``ip`` is IPv4, ``ip6`` IPv6, as nftables names them."""


class ModelStruct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of every value in the model: immutable and compared by content.

    Values only hold values, so no cycle can form and the garbage collector
    needn't look at them: a big host's snapshot has half a million.
    """


class LinkRef(ModelStruct, frozen=True, kw_only=True):
    """A link's id: ifindexes repeat across namespaces, so both parts are needed."""

    namespace: str
    ifindex: int


class BridgeInfo(ModelStruct, frozen=True, kw_only=True):
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


class PortVlan(ModelStruct, frozen=True, kw_only=True):
    """A VLAN, or a range of them, that a bridge port (or the bridge itself) carries.

    ``pvid``: frames without a tag belong to it; ``untagged``: its frames leave without a tag.
    ``last`` is the range's end, equal to ``vid`` for a single one.
    """

    vid: int
    last: int
    pvid: bool = False
    untagged: bool = False


class BridgePort(ModelStruct, frozen=True, kw_only=True):
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


class LinkStats(ModelStruct, frozen=True, kw_only=True):
    """Interface counters (``IFLA_STATS64``)."""

    rx_packets: int = 0
    rx_bytes: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_packets: int = 0
    tx_bytes: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0


class LinkDetail(ModelStruct, frozen=True, kw_only=True, tag_field="of"):
    """Base of what only links of one kind have (``IFLA_INFO_DATA``).  Empty text and None mean "not set"."""


class Vxlan(LinkDetail, frozen=True, kw_only=True, tag="vxlan"):
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


class Geneve(LinkDetail, frozen=True, kw_only=True, tag="geneve"):
    """A GENEVE tunnel; the fields mean what they mean for :class:`Vxlan`."""

    vni: int = 0
    remote: str = ""
    port: int = 0
    external: bool = False


class Macvlan(LinkDetail, frozen=True, kw_only=True, tag="macvlan"):
    """A macvlan or macvtap; its parent is the link's ``peer``.

    Modes: ``private``, ``vepa``, ``bridge``, ``passthru``, ``source``.  None
    of them lets it talk to the parent's own host.
    """

    mode: str = ""


class Ipvlan(LinkDetail, frozen=True, kw_only=True, tag="ipvlan"):
    """An ipvlan or ipvtap; its parent is the link's ``peer``.  ``mode``: ``l2``, ``l3``, ``l3s``."""

    mode: str = ""
    flag: str = "bridge"
    """``bridge``, ``private`` or ``vepa``: whether its siblings can be reached."""


class Vlan(LinkDetail, frozen=True, kw_only=True, tag="vlan"):
    """A VLAN device; the link it lies on is the link's ``peer``."""

    vid: int = 0
    protocol: str = "802.1Q"


class Tun(LinkDetail, frozen=True, kw_only=True, tag="tun"):
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


class Bond(LinkDetail, frozen=True, kw_only=True, tag="bond"):
    """A bond; its slaves are the links whose ``master`` it is."""

    mode: str = ""
    active: int | None = None
    """The ifindex of the slave in use (active-backup, tlb, alb)."""
    primary: int | None = None
    miimon: int = 0
    """Milliseconds between looks at the slaves' carrier; 0: never looked."""


class Tunnel(LinkDetail, frozen=True, kw_only=True, tag="tunnel"):
    """An IP tunnel: ipip, sit, gre, gretap, vti, erspan and their IPv6 kin (ip6tnl, ip6gre, …)."""

    local: str = ""
    remote: str = ""
    ttl: int = 0
    """0: inherited from the packet inside."""
    ikey: int | None = None
    okey: int | None = None
    external: bool = False


class Vrf(LinkDetail, frozen=True, kw_only=True, tag="vrf"):
    """A VRF: the links whose ``master`` it is route by ``table``."""

    table: int = 0


class Netkit(LinkDetail, frozen=True, kw_only=True, tag="netkit"):
    """A netkit pair's end.  ``policy`` is what happens without a BPF program: ``forward`` or ``blackhole``."""

    mode: str = ""
    """``l2`` or ``l3``."""
    policy: str = ""
    primary: bool = False


AnyDetail = Vxlan | Geneve | Macvlan | Ipvlan | Vlan | Tun | Bond | Tunnel | Vrf | Netkit


OUT_OF_SIGHT = "its peer is in a namespace that could not be seen"
"""How a pair's end says so in its ``peer_note``; the rest of the note tells more."""


class Link(ModelStruct, frozen=True, kw_only=True):
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
    underlay: str = ""
    """The namespace in which a tunnel's outer packets travel; empty: its own.  See ``UNDERLAY_UNSEEN``."""
    bridge: BridgeInfo | None = None
    port: BridgePort | None = None
    stats: LinkStats = LinkStats()
    permanent_mac: str = ""
    """The address burnt into the device; empty for a virtual one."""
    detail: AnyDetail | None = None
    """What only links of its kind have; None for kinds without (veth, dummy, wireguard, ifb …)."""
    group: int | None = None
    """The number of its group (``IFLA_GROUP``); None where it wasn't told."""
    vlans: tuple[PortVlan, ...] = ()
    """The VLANs it carries as a bridge port, or as a bridge; read only where a bridge filters by VLAN."""
    xdp: str = ""
    """The XDP program that sees first what it receives, as ``driver id 12``; empty for none."""

    @property
    def leads_out_of_sight(self) -> bool:
        """Whether it is one end of a pair whose other end is in a namespace that wasn't read."""
        return self.peer is None and self.peer_note.startswith(OUT_OF_SIGHT)


PAIRS = frozenset({"veth", "netkit"})
"""Kinds of which two make a pair: what the one sends the other receives."""

UNDERLAY_UNSEEN = "?"
"""A link's ``underlay`` where that is a namespace that wasn't read."""

TUNNELS = frozenset(
    {
        *("vxlan", "geneve", "gretap", "ip6gretap", "erspan", "ip6erspan", "wireguard"),
        *("ipip", "sit", "gre", "ip6tnl", "ip6gre", "vti", "vti6"),
    }
)
"""Kinds whose packets travel inside of others, in the namespace where the link was made."""


class WireGuardPeer(ModelStruct, frozen=True, kw_only=True):
    """A peer of a WireGuard interface.  ``allowed`` are CIDRs: what is sent to it, and what may come from it."""

    key: str
    """Its public key, in base64."""
    endpoint: str = ""
    """Its address; empty where none is known: then nothing can be sent to it before it has sent something."""
    port: int = 0
    allowed: tuple[str, ...] = ()
    handshake: int = 0
    """Seconds since the epoch of the last handshake; 0: there was none."""


class WireGuardDevice(ModelStruct, frozen=True, kw_only=True):
    """What a WireGuard interface is set to.  Its private key, and keys shared with peers, are never read."""

    ifindex: int
    key: str = ""
    """Its own public key; empty where none is set."""
    port: int = 0
    """The UDP port it listens on."""
    mark: int = 0
    """The firewall mark of its outer packets."""
    peers: tuple[WireGuardPeer, ...] = ()


class Address(ModelStruct, frozen=True, kw_only=True):
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
