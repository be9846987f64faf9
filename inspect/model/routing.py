"""The model of routing: routes of every table, policy rules, neighbours, bridge forwarding entries.  Pure data."""

from __future__ import annotations

from typing import Literal

from dnet_tui.inspect.model.links import Family, ModelStruct


class NextHop(ModelStruct, frozen=True, kw_only=True):
    """One leg of a route: a gateway, a device or both."""

    ifindex: int | None = None
    gateway: str | None = None
    weight: int = 1
    flags: tuple[str, ...] = ()


class Route(ModelStruct, frozen=True, kw_only=True):
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
    realm: int = 0
    """What ``-m realm`` may ask for; 0 for none."""


class PolicyRule(ModelStruct, frozen=True, kw_only=True):
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
    l3mdev: bool = False
    """It looks up in the table of the VRF that the packet is in (``ip rule … l3mdev``); such as are in none pass by."""
    other: tuple[str, ...] = ()
    """Selectors that are present but not modelled; such a rule can't be decided."""
    realm: int = 0


class Neighbour(ModelStruct, frozen=True, kw_only=True):
    """An ARP or NDP entry.  ``state`` as in ``ip neigh``: REACHABLE, STALE, PERMANENT, FAILED and so on."""

    ifindex: int
    family: Family
    address: str
    mac: str = ""
    state: str = ""
    flags: tuple[str, ...] = ()
    """``router``, ``extern_learn``, ``managed``."""
    protocol: str = ""
    """Who wrote it, by the names of route protocols; empty where that isn't said."""


class ProxiedAddress(ModelStruct, frozen=True, kw_only=True):
    """An address that is answered for on a link (``ip neigh show proxy``) as if it were there."""

    ifindex: int
    family: Family
    address: str


class FdbEntry(ModelStruct, frozen=True, kw_only=True):
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


class XfrmTemplate(ModelStruct, frozen=True, kw_only=True):
    """How a policy wants packets transformed.  ``optional``: it may also pass as it is (``level use``)."""

    proto: str
    """``esp``, ``ah``, ``comp`` …, or its number."""
    mode: str
    """``transport``, ``tunnel``, ``beet`` …, or its number."""
    src: str = ""
    dst: str = ""
    reqid: int = 0
    optional: bool = False


class XfrmPolicy(ModelStruct, frozen=True, kw_only=True):
    """One policy (``ip xfrm policy``).

    ``sport`` and ``dport`` are (value, mask); for ICMP its type and code.
    ``proto`` 0 is any, ``ifindex`` 0 too.  Of those that fit a packet the one
    with the lowest ``priority`` number decides.
    """

    family: Family
    direction: Literal["in", "out", "fwd"]
    action: Literal["allow", "block"] = "allow"
    priority: int = 0
    src: str
    """As a CIDR."""
    dst: str
    proto: int = 0
    sport: tuple[int, int] = (0, 0)
    dport: tuple[int, int] = (0, 0)
    ifindex: int = 0
    mark: tuple[int, int] = (0, 0)
    if_id: int = 0
    templates: tuple[XfrmTemplate, ...] = ()
    other: tuple[str, ...] = ()
    """What is there and not modelled: such a policy can't be decided by it."""
