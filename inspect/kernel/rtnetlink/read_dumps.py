"""Reads links, addresses, routes, rules, neighbours and FDB of the calling thread's namespace.

Every function takes a :class:`NetlinkSocket` that was opened inside the
namespace and returns raw message bodies for :mod:`dnet_tui.inspect.kernel.rtnetlink.parse_addresses`.
Only questions are asked; the kernel itself may give a namespace its number
(nsid) when a link into it is listed, as it does for ``ip link``.

Sources: rtnetlink(7), linux/rtnetlink.h, linux/net_namespace.h.
"""

from __future__ import annotations

import struct

from dnet_tui.inspect.kernel.netlink import Dump, NetlinkSocket, attribute, attributes

_GETLINK = 18
_GETADDR = 22
_GETROUTE = 26
_GETNEIGH = 30
_GETRULE = 34
_GETNSID = 90
_AF_BRIDGE = 7
_IFLA_EXT_MASK = 29
_BRVLAN_COMPRESSED = 1 << 2
"""RTEXT_FILTER_BRVLAN_COMPRESSED: tell the VLANs, ranges as two entries."""
_PROXY = 0x08
"""NTF_PROXY."""
_NETNSA_NSID = 1
_NETNSA_FD = 3

_HEADER_SIZES = {_GETLINK: 16, _GETADDR: 8, _GETROUTE: 12, _GETNEIGH: 12, _GETRULE: 12}
"""Sizes of ifinfomsg, ifaddrmsg, rtmsg, ndmsg and fib_rule_hdr."""


def _dump(sock: NetlinkSocket, kind: int, family: int = 0) -> Dump:
    """Dump a table for one address family; 0 (AF_UNSPEC) means every family."""
    return sock.dump(kind, bytes([family]) + b"\0" * (_HEADER_SIZES[kind] - 1))


def read_links(sock: NetlinkSocket) -> Dump:
    """All the links (RTM_GETLINK)."""
    return _dump(sock, _GETLINK)


def read_addresses(sock: NetlinkSocket) -> Dump:
    """All the addresses, IPv4 and IPv6 (RTM_GETADDR)."""
    return _dump(sock, _GETADDR)


def read_routes(sock: NetlinkSocket) -> Dump:
    """The routes of all tables (RTM_GETROUTE)."""
    return _dump(sock, _GETROUTE)


def read_rules(sock: NetlinkSocket) -> Dump:
    """The routing policy rules (RTM_GETRULE)."""
    return _dump(sock, _GETRULE)


def read_neighbours(sock: NetlinkSocket) -> Dump:
    """The ARP and NDP entries (RTM_GETNEIGH)."""
    return _dump(sock, _GETNEIGH)


def read_proxied(sock: NetlinkSocket) -> Dump:
    """The addresses answered for on a link (RTM_GETNEIGH with NTF_PROXY), which the dump above leaves out."""
    return sock.dump(_GETNEIGH, struct.pack("=BxxxiHBB", 0, 0, 0, _PROXY, 0))


def read_vlans(sock: NetlinkSocket) -> Dump:
    """The VLANs of bridges and their ports (RTM_GETLINK of AF_BRIDGE)."""
    header = bytes([_AF_BRIDGE]) + b"\0" * (_HEADER_SIZES[_GETLINK] - 1)
    return sock.dump(_GETLINK, header + attribute(_IFLA_EXT_MASK, struct.pack("=I", _BRVLAN_COMPRESSED)))


def read_fdb(sock: NetlinkSocket) -> Dump:
    """The bridges' forwarding entries (RTM_GETNEIGH of AF_BRIDGE)."""
    return _dump(sock, _GETNEIGH, _AF_BRIDGE)


def read_nsid(sock: NetlinkSocket, fd: int) -> int | None:
    """The number by which the socket's namespace knows the namespace ``fd``; None when it has none.

    Raises:
        OSError: the kernel refused.
    """
    payload = b"\0\0\0\0" + attribute(_NETNSA_FD, struct.pack("=i", fd))
    raw = attributes(sock.ask(_GETNSID, payload), 4).get(_NETNSA_NSID)
    if raw is None or len(raw) != 4:
        return None
    nsid = int(struct.unpack("=i", raw)[0])
    return nsid if nsid >= 0 else None
