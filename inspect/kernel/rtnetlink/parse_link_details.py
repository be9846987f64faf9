"""What only links of one kind have: IFLA_INFO_DATA → the model's details.  Pure.

Numbers are those of linux/if_link.h and linux/if_tunnel.h.  An attribute that
an older kernel doesn't send keeps the value by which that kernel acts.
"""

from __future__ import annotations

from collections.abc import Callable

from dnet_tui.inspect.kernel.netlink import attributes
from dnet_tui.inspect.kernel.netlink_values import be16, be32, ip, u8, u16, u32
from dnet_tui.inspect.model import AnyDetail, Bond, Geneve, Ipvlan, Macvlan, Netkit, Tun, Tunnel, Vlan, Vrf, Vxlan

_MACVLAN_MODES = {1: "private", 2: "vepa", 4: "bridge", 8: "passthru", 16: "source"}
_IPVLAN_MODES = {0: "l2", 1: "l3", 2: "l3s"}
_BOND_MODES = ("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb")
_TUN_TYPES = {1: "tun", 2: "tap"}
_NETKIT_POLICIES = {0: "forward", 2: "blackhole"}
_GRE_KEY = 0x2000
"""GRE_KEY, in network byte order as 16 bits: the tunnel has a key."""
PROTOCOLS = {0x8100: "802.1Q", 0x88A8: "802.1ad"}
"""VLAN protocols by EtherType."""

_Attributes = dict[int, bytes]


def parse_detail(kind: str, data: bytes) -> AnyDetail | None:
    """What a link of this kind (IFLA_INFO_KIND) has; None for kinds without, or when nothing was told."""
    build = _KINDS.get(kind)
    return build(attributes(data)) if build is not None and data else None


def _vxlan(data: _Attributes) -> Vxlan:
    return Vxlan(
        vni=u32(data.get(1)),
        remote=ip(data.get(2) or data.get(16)),
        local=ip(data.get(4) or data.get(17)),
        port=be16(data.get(15)),
        learning=bool(u8(data.get(7), 1)),
        external=bool(u8(data.get(25))),
        proxy=bool(u8(data.get(11))),
        l2miss=bool(u8(data.get(13))),
        l3miss=bool(u8(data.get(14))),
        vnifilter=bool(u8(data.get(30))),
        gbp=23 in data,
    )


def _geneve(data: _Attributes) -> Geneve:
    remote = ip(data.get(2) or data.get(7))
    return Geneve(vni=u32(data.get(1)), remote=remote, port=be16(data.get(5)), external=6 in data)


def _macvlan(data: _Attributes) -> Macvlan:
    mode = u32(data.get(1))
    return Macvlan(mode=_MACVLAN_MODES.get(mode, str(mode)))


def _ipvlan(data: _Attributes) -> Ipvlan:
    mode, flags = u16(data.get(1)), u16(data.get(2))
    flag = "private" if flags & 0x1 else "vepa" if flags & 0x2 else "bridge"
    return Ipvlan(mode=_IPVLAN_MODES.get(mode, str(mode)), flag=flag)


def _vlan(data: _Attributes) -> Vlan:
    return Vlan(vid=u16(data.get(1)), protocol=vlan_protocol(data.get(5)))


def vlan_protocol(raw: bytes | None) -> str:
    """``802.1Q`` or ``802.1ad``, the usual one where nothing is told; the EtherType's number if it is neither."""
    number = be16(raw, 0x8100)
    return PROTOCOLS.get(number, f"{number:#06x}")


def _tun(data: _Attributes) -> Tun:
    kind = u8(data.get(3))
    return Tun(
        type=_TUN_TYPES.get(kind, str(kind)),
        owner=u32(data[1]) if 1 in data else None,
        group=u32(data[2]) if 2 in data else None,
        persist=bool(u8(data.get(6))),
        multi_queue=bool(u8(data.get(7))),
        queues=u32(data[8]) + u32(data.get(9)) if 8 in data else None,
    )


def _bond(data: _Attributes) -> Bond:
    mode = u8(data.get(1))
    return Bond(
        mode=_BOND_MODES[mode] if mode < len(_BOND_MODES) else str(mode),
        active=u32(data.get(2)) or None,
        primary=u32(data.get(11)) or None,
        miimon=u32(data.get(3)),
    )


def _iptunnel(data: _Attributes) -> Tunnel:
    """IFLA_IPTUN_*: ipip, sit, ip6tnl."""
    return Tunnel(local=_end(data.get(2)), remote=_end(data.get(3)), ttl=u8(data.get(4)), external=19 in data)


def _gre(data: _Attributes) -> Tunnel:
    """IFLA_GRE_*: gre, gretap, erspan and those over IPv6."""
    return Tunnel(
        local=_end(data.get(6)),
        remote=_end(data.get(7)),
        ttl=u8(data.get(8)),
        ikey=be32(data.get(4)) if be16(data.get(2)) & _GRE_KEY else None,
        okey=be32(data.get(5)) if be16(data.get(3)) & _GRE_KEY else None,
        external=18 in data,
    )


def _vti(data: _Attributes) -> Tunnel:
    """IFLA_VTI_*.  A key of 0 is no key."""
    return Tunnel(
        local=_end(data.get(4)),
        remote=_end(data.get(5)),
        ikey=be32(data.get(2)) or None,
        okey=be32(data.get(3)) or None,
    )


def _end(raw: bytes | None) -> str:
    """A tunnel's end; the unspecified address means "any"."""
    return ip(raw) if raw is not None and any(raw) else ""


def _vrf(data: _Attributes) -> Vrf:
    return Vrf(table=u32(data.get(1)))


def _netkit(data: _Attributes) -> Netkit:
    policy, mode = u32(data.get(3)), u32(data.get(5), 1)
    return Netkit(
        mode="l3" if mode == 1 else "l2" if mode == 0 else str(mode),
        policy=_NETKIT_POLICIES.get(policy, str(policy)),
        primary=bool(u8(data.get(2))),
    )


_KINDS: dict[str, Callable[[_Attributes], AnyDetail]] = {
    "vxlan": _vxlan,
    "geneve": _geneve,
    "macvlan": _macvlan,
    "macvtap": _macvlan,
    "ipvlan": _ipvlan,
    "ipvtap": _ipvlan,
    "vlan": _vlan,
    "tun": _tun,
    "bond": _bond,
    "vrf": _vrf,
    "netkit": _netkit,
    **dict.fromkeys(("ipip", "sit", "ip6tnl"), _iptunnel),
    **dict.fromkeys(("gre", "gretap", "erspan", "ip6gre", "ip6gretap", "ip6erspan"), _gre),
    **dict.fromkeys(("vti", "vti6"), _vti),
}
