"""rtnetlink message bodies → the model's links, addresses, routes, rules, neighbours and FDB.  Pure.

Numbers are those of linux/if_link.h, rtnetlink.h, fib_rules.h and neighbour.h.
A body that is too short is skipped; an attribute that isn't known is ignored,
except for a routing rule's, where it might decide: there it is kept as
``other`` and makes that rule undecidable.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Literal

from dnet_tui.inspect.legible import text
from dnet_tui.inspect.model import Address, BridgeInfo, BridgePort, FdbEntry, Link, LinkStats, Neighbour
from dnet_tui.inspect.netlink import attributes
from dnet_tui.inspect.octets import family_of, flag_names, ip, s32, u8, u16, u32

_IFINFO = struct.Struct("=BxHiII")
_IFADDR = struct.Struct("=BBBBI")
_NDMSG = struct.Struct("=BxxxiHBB")
_STATS = struct.Struct("=8Q")

_ARPHRD_LOOPBACK = 772
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
_ADDRESS_FLAGS = (
    (0x2, "nodad"),
    (0x4, "optimistic"),
    (0x8, "dadfailed"),
    (0x20, "deprecated"),
    (0x40, "tentative"),
    (0x80, "permanent"),
    (0x100, "mngtmpaddr"),
    (0x200, "noprefixroute"),
    (0x400, "autojoin"),
    (0x800, "stable-privacy"),
)
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
"""rtnetlink's address and route scopes."""
_NEIGHBOUR_STATES = {
    0x01: "INCOMPLETE",
    0x02: "REACHABLE",
    0x04: "STALE",
    0x08: "DELAY",
    0x10: "PROBE",
    0x20: "FAILED",
    0x40: "NOARP",
    0x80: "PERMANENT",
}
_NOARP = 0x40
_PERMANENT = 0x80


def parse_links(bodies: Iterable[bytes]) -> tuple[Link, ...]:
    """Links in the kernel's order.  Peers aren't resolved here: that needs the other namespaces."""
    return tuple(_link(body) for body in bodies if len(body) >= _IFINFO.size)


def _link(body: bytes) -> Link:
    _family, hardware, ifindex, flags, _change = _IFINFO.unpack_from(body)
    attrs = attributes(body, _IFINFO.size)
    info = attributes(attrs.get(18, b""))  # IFLA_LINKINFO
    kind = text(info.get(1, b""))  # IFLA_INFO_KIND
    is_port = text(info.get(4, b"")) == "bridge"  # IFLA_INFO_SLAVE_KIND
    operstate = u8(attrs.get(16))
    return Link(
        ifindex=ifindex,
        name=text(attrs.get(3, b"")),
        kind="loopback" if hardware == _ARPHRD_LOOPBACK else kind,
        mac=_mac(attrs.get(1)),
        mtu=u32(attrs.get(4)),
        up=bool(flags & 0x1),
        carrier=bool(flags & 0x10000),
        operstate=_OPERSTATES[operstate] if operstate < len(_OPERSTATES) else str(operstate),
        flags=flag_names(flags, _LINK_FLAGS),
        alias=text(attrs.get(20, b"")),
        master=u32(attrs.get(10)) or None,
        lower=u32(attrs[5]) if 5 in attrs else None,
        lower_nsid=s32(attrs[37]) if 37 in attrs else None,
        bridge=_bridge(attributes(info.get(2, b""))) if kind == "bridge" else None,
        port=_port(attributes(info.get(5, b""))) if is_port else None,
        stats=_stats(attrs.get(23, b"")),
    )


def _mac(raw: bytes | None) -> str:
    """An Ethernet address; empty for the other lengths that tunnels use."""
    return raw.hex(":") if raw is not None and len(raw) == 6 else ""


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
        ageing_time=u32(data.get(4)),
    )


def _port(data: dict[int, bytes]) -> BridgePort:
    """IFLA_BRPORT_*.  A flag that an old kernel doesn't tell has its harmless value, which that kernel acts by."""
    state = u8(data.get(1), 255)
    return BridgePort(
        state=_PORT_STATES[state] if state < len(_PORT_STATES) else "unknown",
        hairpin=bool(u8(data.get(4))),
        guard=bool(u8(data.get(5))),
        learning=bool(u8(data.get(8), 1)),
        flood=bool(u8(data.get(9), 1)),
        multicast_flood=bool(u8(data.get(27), 1)),
        broadcast_flood=bool(u8(data.get(30), 1)),
        isolated=bool(u8(data.get(33))),
    )


def parse_addresses(bodies: Iterable[bytes]) -> tuple[Address, ...]:
    """IPv4 and IPv6 addresses; of a point-to-point link the local end."""
    return tuple(_addresses(bodies))


def _addresses(bodies: Iterable[bytes]) -> Iterator[Address]:
    for body in bodies:
        if len(body) < _IFADDR.size:
            continue
        number, prefixlen, short_flags, scope, ifindex = _IFADDR.unpack_from(body)
        family = family_of(number)
        attrs = attributes(body, _IFADDR.size)
        address = ip(attrs.get(2) or attrs.get(1))  # IFA_LOCAL, IFA_ADDRESS
        if family is None or not address:
            continue
        flags = u32(attrs[8]) if 8 in attrs else short_flags  # IFA_FLAGS has more bits than the header
        first = ("secondary" if family == "ip" else "temporary",) if flags & 0x1 else ()
        yield Address(
            ifindex=ifindex,
            family=family,
            address=address,
            prefixlen=prefixlen,
            scope=SCOPES.get(scope, str(scope)),
            flags=first + flag_names(flags, _ADDRESS_FLAGS),
        )


def parse_neighbours(bodies: Iterable[bytes]) -> tuple[Neighbour, ...]:
    """ARP and NDP entries; like ``ip neigh`` without the multicast and loopback ones (NOARP) and the unused."""
    return tuple(_neighbours(bodies))


def _neighbours(bodies: Iterable[bytes]) -> Iterator[Neighbour]:
    for body in bodies:
        if len(body) < _NDMSG.size:
            continue
        number, ifindex, state, _flags, _kind = _NDMSG.unpack_from(body)
        family = family_of(number)
        attrs = attributes(body, _NDMSG.size)
        address = ip(attrs.get(1))  # NDA_DST
        if family is None or not address or not state or state & _NOARP:
            continue
        yield Neighbour(
            ifindex=ifindex,
            family=family,
            address=address,
            mac=_mac(attrs.get(2)),  # NDA_LLADDR
            state=_NEIGHBOUR_STATES.get(state, hex(state)),
        )


def parse_fdb(bodies: Iterable[bytes]) -> tuple[FdbEntry, ...]:
    """The entries of bridges (those with a master); a device's own multicast filters are left out.

    ``state`` is ``permanent`` (a port's own address), ``static`` or ``dynamic`` (learnt).
    """
    return tuple(_fdb(bodies))


def _fdb(bodies: Iterable[bytes]) -> Iterator[FdbEntry]:
    for body in bodies:
        if len(body) < _NDMSG.size:
            continue
        _number, ifindex, state, _flags, _kind = _NDMSG.unpack_from(body)
        attrs = attributes(body, _NDMSG.size)
        mac = _mac(attrs.get(2))
        if not mac or 9 not in attrs:  # NDA_MASTER
            continue
        yield FdbEntry(
            ifindex=ifindex,
            mac=mac,
            master=u32(attrs[9]),
            vlan=u16(attrs[5]) if 5 in attrs else None,  # NDA_VLAN
            state="permanent" if state & _PERMANENT else "static" if state & _NOARP else "dynamic",
        )
