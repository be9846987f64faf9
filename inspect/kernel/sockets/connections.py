"""Established TCP connections of the calling thread's namespace to given ranges, by the kernel's sock_diag.

The kernel itself picks those to the ranges, so that a host's hundred thousand
others cost nothing.  The parser is pure.

Sources: sock_diag(7); linux/inet_diag.h (``inet_diag_bc_op``,
``inet_diag_hostcond``) and net/ipv4/inet_diag.c for the filter.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dnet_tui.inspect.kernel.netlink import NetlinkSocket
from dnet_tui.inspect.kernel.sockets.sock_diag import ANSWER, BY_FAMILY, NETLINK_SOCK_DIAG, REQUEST

_ESTABLISHED = 1
_BYTECODE = 1
_D_COND = 8
_OP = struct.Struct("=BBH")
_COND = struct.Struct("=BBxxi")
_ATTRIBUTE = struct.Struct("=HH")


class TcpConnection(NamedTuple):
    """A connection that a socket of this namespace has, made here or accepted."""

    port: int
    to_ip: str
    to_port: int
    inode: int


def read_connections(ranges: Iterable[str]) -> tuple[TcpConnection, ...]:
    """The established connections whose far end is in one of the ranges.

    Raises:
        OSError: the kernel has no sock_diag, or did not answer in time.
    """
    found: set[TcpConnection] = set()
    with NetlinkSocket(NETLINK_SOCK_DIAG) as sock:
        for cidr in ranges:
            net = ipaddress.ip_network(cidr, strict=False)
            family = socket.AF_INET if net.version == 4 else socket.AF_INET6
            request = REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << _ESTABLISHED)
            found.update(parse_connections(sock.dump(BY_FAMILY, request + to_range(cidr)).bodies))
    return tuple(sorted(found))


def to_range(cidr: str) -> bytes:
    """The attribute by which the kernel picks connections to a range."""
    net = ipaddress.ip_network(cidr, strict=False)
    family = socket.AF_INET if net.version == 4 else socket.AF_INET6
    condition = _COND.pack(family, net.prefixlen, -1) + net.network_address.packed
    size = _OP.size + len(condition)
    # Beyond the end by four bytes means: rejected (inet_diag_bc_run).
    program = _OP.pack(_D_COND, size, size + 4) + condition
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(program), _BYTECODE) + program


def parse_connections(bodies: Iterable[bytes]) -> Iterator[TcpConnection]:
    """The connections in the answers; what is too short or not connected is skipped."""
    for body in bodies:
        if len(body) < ANSWER.size:
            continue
        family, state, _, _, sport, dport, _, far, _, _, _, _, _, _, _, inode = ANSWER.unpack_from(body)
        if state != _ESTABLISHED or not dport or family not in (socket.AF_INET, socket.AF_INET6):
            continue
        address = socket.inet_ntop(family, far[:4] if family == socket.AF_INET else far)
        yield TcpConnection(socket.ntohs(sport), address, socket.ntohs(dport), inode)
