"""rtnetlink link messages → the model's links, with bridge and port attributes, VLANs and device settings.  Pure.

Numbers are those of linux/if_link.h and linux/if_bridge.h.  A body that is
too short is skipped; an attribute that isn't known is ignored.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

import msgspec

from dnet_tui.inspect.kernel.device_settings import DeviceSettings
from dnet_tui.inspect.kernel.netlink import attributes, elements
from dnet_tui.inspect.kernel.netlink_values import flag_names, mac, s32, u8, u16, u32
from dnet_tui.inspect.kernel.rtnetlink.parse_link_details import parse_detail, vlan_protocol
from dnet_tui.inspect.model import BridgeInfo, BridgePort, Link, LinkStats, PortVlan
from dnet_tui.inspect.text.encoding import text

_IFINFO = struct.Struct("=BxHiII")
_STATS = struct.Struct("=8Q")
_VLAN_INFO = struct.Struct("=HH")
"""struct bridge_vlan_info: flags, VLAN id."""

_ARPHRD_LOOPBACK = 772
_AF_INET, _AF_INET6 = 2, 10
_LINK_FLAGS = (
    (0x1, "UP"),
    (0x2, "BROADCAST"),
    (0x8, "LOOPBACK"),
    (0x10, "POINTOPOINT"),
    (0x40, "RUNNING"),
    (0x80, "NOARP"),
    (0x100, "PROMISC"),
    (0x200, "ALLMULTI"),
    (0x400, "MASTER"),
    (0x800, "SLAVE"),
    (0x1000, "MULTICAST"),
    (0x10000, "LOWER_UP"),
    (0x20000, "DORMANT"),
)
_OPERSTATES = ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")
_PORT_STATES: tuple[Literal["disabled", "listening", "learning", "forwarding", "blocking"], ...] = (
    "disabled",
    "listening",
    "learning",
    "forwarding",
    "blocking",
)
_XDP_MODES = {1: "driver", 2: "generic", 3: "hardware", 4: "several"}
"""XDP_ATTACHED_*."""
_PVID, _UNTAGGED, _RANGE_BEGIN, _RANGE_END = 0x2, 0x4, 0x8, 0x10


class LinkTable(msgspec.Struct, frozen=True, kw_only=True):
    """What a dump of links has: the links, and by their names what the kernel keeps of each per address family."""

    links: tuple[Link, ...] = ()
    families: dict[str, bytes] = {}

    @property
    def settings(self) -> dict[str, DeviceSettings]:
        """The devices' settings by their names, taken apart only where somebody wants them."""
        return {name: _settings(raw) for name, raw in self.families.items()}


def parse_link_table(bodies: Iterable[bytes]) -> LinkTable:
    """Links in the kernel's order, and their devices' settings.  Peers aren't resolved: that needs other namespaces."""
    links: list[Link] = []
    families: dict[str, bytes] = {}
    for body in bodies:
        if len(body) < _IFINFO.size:
            continue
        link, own = _parsed(body)
        links.append(link)
        if own is not None:
            families[link.name] = own
    return LinkTable(links=tuple(links), families=families)


@lru_cache(maxsize=4096)
def _parsed(body: bytes) -> tuple[Link, bytes | None]:
    """One message, with its IFLA_AF_SPEC.  Kept: an idle link looks the same next time."""
    attrs = attributes(body, _IFINFO.size)
    return _link(body, attrs), attrs.get(26)


def _link(body: bytes, attrs: dict[int, bytes]) -> Link:
    _family, hardware, ifindex, flags, _change = _IFINFO.unpack_from(body)
    kind = slave = ""
    data = slave_data = b""
    if 18 in attrs:  # IFLA_LINKINFO
        info = attributes(attrs[18])
        kind, data = _word(info.get(1, b"")), info.get(2, b"")  # IFLA_INFO_KIND, IFLA_INFO_DATA
        slave, slave_data = _word(info.get(4, b"")), info.get(5, b"")  # IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA
    operstate = u8(attrs.get(16))
    return Link(
        ifindex=ifindex,
        name=text(attrs.get(3, b"")),
        kind="loopback" if hardware == _ARPHRD_LOOPBACK else kind,
        mac=mac(attrs.get(1)),
        mtu=u32(attrs.get(4)),
        up=bool(flags & 0x1),
        carrier=bool(flags & 0x10000),
        operstate=_OPERSTATES[operstate] if operstate < len(_OPERSTATES) else str(operstate),
        flags=_flags(flags),
        alias=text(attrs.get(20, b"")),
        master=u32(attrs.get(10)) or None,
        lower=u32(attrs[5]) if 5 in attrs else None,
        lower_nsid=s32(attrs[37]) if 37 in attrs else None,
        bridge=_bridge(attributes(data)) if kind == "bridge" else None,
        port=_port(attributes(slave_data)) if slave == "bridge" else None,
        stats=_stats(attrs.get(23, b"")),
        permanent_mac=mac(attrs.get(54)),  # IFLA_PERM_ADDRESS
        detail=parse_detail(kind, data),
        group=u32(attrs[27]) if 27 in attrs else None,  # IFLA_GROUP
        xdp=_xdp(attributes(attrs[43])) if 43 in attrs else "",  # IFLA_XDP
    )


def _xdp(attached: dict[int, bytes]) -> str:
    """IFLA_XDP_*: how a program is attached, and its id."""
    mode = u8(attached.get(2))  # IFLA_XDP_ATTACHED
    if not mode:
        return ""
    # One program's id, or those of the driver, of the generic hook and of the hardware.
    ids = [str(u32(attached[kind])) for kind in ((4,) if 4 in attached else (5, 6, 7)) if kind in attached]
    return " ".join((_XDP_MODES.get(mode, str(mode)), *(f"id {one}" for one in ids)))


@lru_cache(maxsize=256)
def _flags(flags: int) -> tuple[str, ...]:
    return flag_names(flags, _LINK_FLAGS)


@lru_cache(maxsize=256)
def _word(raw: bytes) -> str:
    """A kind's name; there are few, so they are kept."""
    return text(raw)


def _stats(raw: bytes) -> LinkStats:
    """The beginning of struct rtnl_link_stats64."""
    if len(raw) < _STATS.size:
        return LinkStats()
    rx, tx, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped = _STATS.unpack_from(raw)
    return LinkStats(
        rx_packets=rx,
        rx_bytes=rx_bytes,
        rx_errors=rx_errors,
        rx_dropped=rx_dropped,
        tx_packets=tx,
        tx_bytes=tx_bytes,
        tx_errors=tx_errors,
        tx_dropped=tx_dropped,
    )


def _bridge(data: dict[int, bytes]) -> BridgeInfo:
    """IFLA_BR_*."""
    return BridgeInfo(
        stp=bool(u32(data.get(5))),
        vlan_filtering=bool(u8(data.get(7))),
        nf_call_iptables=bool(u8(data.get(36))),
        nf_call_ip6tables=bool(u8(data.get(37))),
        nf_call_arptables=bool(u8(data.get(38))),
        group_fwd_mask=u16(data.get(9)),
        ageing_time=u32(data.get(4), 30000),
        forward_delay=u32(data.get(1), 1500),
        vlan_protocol=vlan_protocol(data.get(8)),
        vlan_default_pvid=u16(data.get(39), 1),
        mcast_snooping=bool(u8(data.get(23), 1)),
        mcast_querier=bool(u8(data.get(25))),
    )


def _port(data: dict[int, bytes]) -> BridgePort:
    """IFLA_BRPORT_*.  A flag that an old kernel doesn't tell has its harmless value, which that kernel acts by."""
    state = u8(data.get(1), 255)
    return BridgePort(
        state=_PORT_STATES[state] if state < len(_PORT_STATES) else "unknown",
        hairpin=bool(u8(data.get(4))),
        guard=bool(u8(data.get(5))),
        root_block=bool(u8(data.get(6))),
        fast_leave=bool(u8(data.get(7))),
        learning=bool(u8(data.get(8), 1)),
        flood=bool(u8(data.get(9), 1)),
        proxy_arp=bool(u8(data.get(10))),
        proxy_arp_wifi=bool(u8(data.get(12))),
        multicast_flood=bool(u8(data.get(27), 1)),
        multicast_to_unicast=bool(u8(data.get(28))),
        vlan_tunnel=bool(u8(data.get(29))),
        broadcast_flood=bool(u8(data.get(30), 1)),
        neigh_suppress=bool(u8(data.get(32))),
        isolated=bool(u8(data.get(33))),
        backup_port=u32(data.get(34)) or None,
        locked=bool(u8(data.get(39))),
    )


@lru_cache(maxsize=4096)
def _settings(raw: bytes) -> DeviceSettings:
    """IFLA_AF_SPEC: per family, IFLA_INET_CONF and IFLA_INET6_CONF."""
    families = attributes(raw)
    return DeviceSettings(
        ip=attributes(families.get(_AF_INET, b"")).get(1, b""),
        ip6=attributes(families.get(_AF_INET6, b"")).get(2, b""),
    )


def parse_vlans(bodies: Iterable[bytes]) -> dict[int, tuple[PortVlan, ...]]:
    """The VLANs that each bridge and port carries, by ifindex, from a dump of AF_BRIDGE with RTEXT_FILTER_BRVLAN*."""
    found: dict[int, tuple[PortVlan, ...]] = {}
    for body in bodies:
        if len(body) < _IFINFO.size:
            continue
        spec = attributes(body, _IFINFO.size).get(26)  # IFLA_AF_SPEC
        if spec:
            found[_IFINFO.unpack_from(body)[2]] = tuple(_vlans(spec))
    return found


def _vlans(spec: bytes) -> Iterator[PortVlan]:
    """IFLA_BRIDGE_VLAN_INFO repeats; a range is one entry that begins it and one that ends it."""
    begun: int | None = None
    for kind, value in elements(spec):
        if kind != 2 or len(value) != _VLAN_INFO.size:
            continue
        flags, vid = _VLAN_INFO.unpack(value)
        if flags & _RANGE_BEGIN:
            begun = vid
            continue
        first = begun if flags & _RANGE_END and begun is not None else vid
        begun = None
        yield PortVlan(vid=first, last=vid, pvid=bool(flags & _PVID), untagged=bool(flags & _UNTAGGED))
