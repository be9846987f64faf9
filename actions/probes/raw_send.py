"""Sending a packet that has its IP header already, as an ordinary socket bound to its source would.

Sources: raw(7), ip(7) and ipv6(7) for ``PKTINFO``.
"""

from __future__ import annotations

import errno
import socket
import struct

_IPPROTO_RAW = 255
_IP_PKTINFO = 8


def raw_socket(family: int) -> socket.socket:
    """Open a socket for whole packets in the calling thread's namespace (``AF_INET`` or ``AF_INET6``).

    Raises:
        PermissionError: it needs CAP_NET_RAW.
    """
    return socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _IPPROTO_RAW)


def send_raw(sock: socket.socket, data: bytes, src: str, dst: str) -> int:
    """Send a packet; returns the errno that the kernel refused it with, 0 when it took it.

    The source goes along as PKTINFO, so that routing knows it, as it would for an ordinary socket.
    """
    if sock.family == socket.AF_INET6:
        info = struct.pack("=16si", socket.inet_pton(socket.AF_INET6, src), 0)
        ancillary = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)]
    else:
        info = struct.pack("=i4s4s", 0, socket.inet_aton(src), b"\0\0\0\0")
        ancillary = [(socket.IPPROTO_IP, _IP_PKTINFO, info)]
    try:
        sock.sendmsg([data], ancillary, 0, (dst, 0))
    except OSError as error:
        if error.errno != errno.EINVAL or sock.family != socket.AF_INET6:
            return error.errno or -1
    else:
        return 0
    # IPv6 doesn't take a foreign address as PKTINFO; in the packet it does.
    try:
        sock.sendto(data, (dst, 0))
    except OSError as error:
        return error.errno or -1
    return 0
