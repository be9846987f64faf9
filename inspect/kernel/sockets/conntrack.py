"""Reads tracked connections of the calling thread's namespace, by ctnetlink.

A busy host has hundreds of thousands of them, so a reading is bounded: in
number, in time, and by a filter that is applied before a message is parsed.
Reads only (a dump), and only when connection tracking is loaded already:
asking would otherwise have the kernel load modules.

Needs CAP_NET_ADMIN.  Source: linux/netfilter/nfnetlink_conntrack.h,
nf_conntrack-sysctl.rst.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dnet_tui.inspect.kernel.netlink import NetlinkSocket, attribute
from dnet_tui.inspect.kernel.sockets.conntrack_parse import ConntrackFilter, parse_entry
from dnet_tui.inspect.model import ConntrackEntry

NETLINK_NETFILTER = 12
CT_GET = 1 << 8 | 1
"""NFNL_SUBSYS_CTNETLINK, IPCTNL_MSGCT_GET."""

_NESTED = 1 << 15
_TUPLE_ORIG, _FILTER, _ORIG_FLAGS = 1, 25, 1
_TUPLE_PROTO, _PROTO_NUM, _PROTO_DPORT = 2, 1, 3
_BY_PROTO_NUM, _BY_DPORT = 1 << 3, 1 << 5
"""CTA_FILTER's flags (CTA_FILTER_F_CTA_PROTO_NUM, …_DST_PORT in the kernel's nf_internals.h)."""

_UDP_MOST, _UDP_SECONDS = 2_000, 0.5
"""Bounds of a reading of one port's UDP connections."""

_SYSCTLS = Path("/proc/sys/net/netfilter")
_CLOCK_EVERY = 256
"""How many messages are taken between two looks at the clock."""


class ConntrackTable(msgspec.Struct, frozen=True, kw_only=True):
    """What a reading had.

    ``stopped`` says why it ended before all was seen, empty when it didn't.
    ``count`` and ``maximum`` are the kernel's own (``nf_conntrack_count``,
    ``nf_conntrack_max``) before the reading; None where connection tracking
    isn't loaded or they can't be read.  The table changes while it is read:
    an entry that comes or goes meanwhile may be in it or not.
    """

    entries: tuple[ConntrackEntry, ...] = ()
    stopped: str = ""
    count: int | None = None
    maximum: int | None = None


def read_conntrack(
    wanted: ConntrackFilter | None = None,
    *,
    limit: int = 10_000,
    seconds: float = 2.0,
    family: int = socket.AF_UNSPEC,
    ask: bytes = b"",
) -> ConntrackTable:
    """The wanted entries, ``limit`` of them at most, of one address family or of both.

    ``ask`` are attributes by which the kernel chooses what it tells at all; an older one ignores them.

    Raises:
        OSError: the kernel refused (PermissionError without CAP_NET_ADMIN), or did not answer in time.
        ValueError: the filter names an address that isn't one.
    """
    wanted = wanted or ConntrackFilter()
    passes = wanted.sieve()
    count, maximum = read_number("nf_conntrack_count"), read_number("nf_conntrack_max")
    if count is None and not (_SYSCTLS / "nf_conntrack_count").exists():
        return ConntrackTable(stopped="")
    found: list[ConntrackEntry] = []
    stopped = ""
    with NetlinkSocket(NETLINK_NETFILTER) as sock:
        for body in _until(sock.stream(CT_GET, bytes([family, 0, 0, 0]) + ask), time.monotonic() + seconds):
            if body is None:
                stopped = f"the time limit of {seconds:g} s was reached"
                break
            entry = parse_entry(body) if passes(body) else None
            if entry is None or not wanted.admits(entry):
                continue
            if len(found) == limit:
                stopped = f"there are more than the {limit} that were asked for"
                break
            found.append(entry)
    return ConntrackTable(entries=tuple(found), stopped=stopped, count=count, maximum=maximum)


def read_udp(port: int) -> ConntrackTable:
    """The IPv4 connections over UDP that were begun to a port; the kernel itself looks for them since Linux 5.8.

    Raises:
        OSError: the kernel refused, or did not answer in time.
    """
    ask = udp_to(port)
    wanted = ConntrackFilter(ports=(port,), protos=("udp",))
    table = read_conntrack(wanted, limit=_UDP_MOST, seconds=_UDP_SECONDS, family=socket.AF_INET, ask=ask)
    entries = tuple(entry for entry in table.entries if entry.original.dport == port)
    return msgspec.structs.replace(table, entries=entries)


def udp_to(port: int) -> bytes:
    """The attributes that ask for UDP connections with this original destination port."""
    proto = attribute(_PROTO_NUM, bytes([socket.IPPROTO_UDP])) + attribute(_PROTO_DPORT, port.to_bytes(2, "big"))
    original = attribute(_NESTED | _TUPLE_ORIG, attribute(_NESTED | _TUPLE_PROTO, proto))
    flags = attribute(_ORIG_FLAGS, (_BY_PROTO_NUM | _BY_DPORT).to_bytes(4, sys.byteorder))
    return original + attribute(_NESTED | _FILTER, flags)


def _until(bodies: Iterator[bytes], deadline: float) -> Iterator[bytes | None]:
    """The bodies, and None in their place once the time is up."""
    for index, body in enumerate(bodies):
        if index % _CLOCK_EVERY == 0 and time.monotonic() > deadline:
            yield None
            return
        yield body


def read_number(name: str) -> int | None:
    """A number below net.netfilter in the calling thread's namespace; None when it isn't there or can't be read."""
    try:
        return int((_SYSCTLS / name).read_bytes())
    except (OSError, ValueError):
        return None
