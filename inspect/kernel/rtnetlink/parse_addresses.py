"""rtnetlink message bodies → the model's addresses, neighbours and FDB.  Pure.

Numbers are those of linux/if_addr.h and neighbour.h.  A body that is too
short is skipped; an attribute that isn't known is ignored.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache

from dnet_tui.inspect.kernel.netlink import attributes
from dnet_tui.inspect.kernel.netlink_values import be16, family_of, flag_names, ip, mac, u8, u16, u32
from dnet_tui.inspect.model import Address, FdbEntry, Neighbour, ProxiedAddress

_IFADDR = struct.Struct("=BBBBI")
_NDMSG = struct.Struct("=BxxxiHBB")

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
PROTOCOLS = {
    0: "",
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    9: "ra",
    11: "zebra",
    12: "bird",
    16: "dhcp",
    18: "keepalived",
    42: "babel",
    186: "bgp",
    188: "ospf",
}
"""RTPROT_*, of routes and neighbours."""
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
_SELF, _PROXY = 0x02, 0x08
"""NTF_SELF, NTF_PROXY."""
_NEIGHBOUR_FLAGS = ((0x80, "router"), (0x10, "extern_learn"))
_FDB_FLAGS = ((0x10, "extern_learn"), (0x20, "offload"), (0x40, "sticky"))
_MANAGED = 0x1
"""NTF_EXT_MANAGED."""


def parse_addresses(bodies: Iterable[bytes]) -> tuple[Address, ...]:
    """IPv4 and IPv6 addresses; of a point-to-point link the local end."""
    return tuple(address for body in bodies if (address := _address(body)) is not None)


@lru_cache(maxsize=8192)
def _address(body: bytes) -> Address | None:
    """One message.  Kept, because the next look at the same host mostly finds the same ones."""
    if len(body) < _IFADDR.size:
        return None
    number, prefixlen, short_flags, scope, ifindex = _IFADDR.unpack_from(body)
    family = family_of(number)
    attrs = attributes(body, _IFADDR.size)
    local, other = ip(attrs.get(2)), ip(attrs.get(1))  # IFA_LOCAL, IFA_ADDRESS
    if family is None or not (local or other):
        return None
    flags = u32(attrs[8]) if 8 in attrs else short_flags  # IFA_FLAGS has more bits than the header
    first = ("secondary" if family == "ip" else "temporary",) if flags & 0x1 else ()
    return Address(
        ifindex=ifindex,
        family=family,
        address=local or other,
        prefixlen=prefixlen,
        scope=SCOPES.get(scope, str(scope)),
        flags=first + flag_names(flags, _ADDRESS_FLAGS),
        peer=other if local and local != other else "",
    )


def parse_neighbours(bodies: Iterable[bytes]) -> tuple[Neighbour, ...]:
    """ARP and NDP entries; like ``ip neigh`` without the multicast and loopback ones (NOARP) and the unused."""
    return tuple(_neighbours(bodies))


def _neighbours(bodies: Iterable[bytes]) -> Iterator[Neighbour]:
    for body in bodies:
        if len(body) < _NDMSG.size:
            continue
        number, ifindex, state, flags, _kind = _NDMSG.unpack_from(body)
        if not state or state & _NOARP or flags & _PROXY:
            continue
        family = family_of(number)
        attrs = attributes(body, _NDMSG.size)
        address = ip(attrs.get(1))  # NDA_DST
        if family is None or not address:
            continue
        managed = ("managed",) if u32(attrs.get(15)) & _MANAGED else ()  # NDA_FLAGS_EXT
        origin = u8(attrs.get(12))  # NDA_PROTOCOL
        yield Neighbour(
            ifindex=ifindex,
            family=family,
            address=address,
            mac=mac(attrs.get(2)),  # NDA_LLADDR
            state=_NEIGHBOUR_STATES.get(state, hex(state)),
            flags=flag_names(flags, _NEIGHBOUR_FLAGS) + managed,
            protocol=PROTOCOLS.get(origin, str(origin)),
        )


def parse_proxied(bodies: Iterable[bytes]) -> tuple[ProxiedAddress, ...]:
    """The addresses that are answered for (``ip neigh show proxy``)."""
    return tuple(_proxied(bodies))


def _proxied(bodies: Iterable[bytes]) -> Iterator[ProxiedAddress]:
    for body in bodies:
        if len(body) < _NDMSG.size:
            continue
        number, ifindex, _state, flags, _kind = _NDMSG.unpack_from(body)
        family = family_of(number)
        address = ip(attributes(body, _NDMSG.size).get(1)) if flags & _PROXY else ""
        if family is not None and address:
            yield ProxiedAddress(ifindex=ifindex, family=family, address=address)


def parse_fdb(bodies: Iterable[bytes]) -> tuple[FdbEntry, ...]:
    """The entries of bridges, and the remotes of VXLAN devices; a device's own multicast filters are left out.

    ``state`` is ``permanent`` (a port's own address), ``static`` or ``dynamic`` (learnt).
    """
    return tuple(_fdb(bodies))


def _fdb(bodies: Iterable[bytes]) -> Iterator[FdbEntry]:
    for body in bodies:
        if len(body) < _NDMSG.size:
            continue
        _number, ifindex, state, flags, _kind = _NDMSG.unpack_from(body)
        attrs = attributes(body, _NDMSG.size)
        address = mac(attrs.get(2))
        remote = ip(attrs.get(1)) if flags & _SELF else ""  # NDA_DST
        if not address or (9 not in attrs and not remote):  # NDA_MASTER
            continue
        yield FdbEntry(
            ifindex=ifindex,
            mac=address,
            master=u32(attrs[9]) if 9 in attrs and not remote else None,
            vlan=u16(attrs[5]) if 5 in attrs else None,  # NDA_VLAN
            state="permanent" if state & _PERMANENT else "static" if state & _NOARP else "dynamic",
            flags=flag_names(flags, _FDB_FLAGS),
            remote=remote,
            vni=u32(attrs[7]) if remote and 7 in attrs else None,  # NDA_VNI
            port=be16(attrs[6]) if remote and 6 in attrs else None,  # NDA_PORT
        )
