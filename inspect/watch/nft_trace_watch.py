"""Watching nftables' trace events of one network namespace, as ``nft monitor trace`` does.

Reads a netlink socket; changes nothing.  Only packets that somebody's rule
marked (``meta nftrace set 1``) are told of.

Sources: linux/netfilter/nfnetlink.h (``NFNLGRP_NFTRACE``), netlink(7).
"""

from __future__ import annotations

import contextlib
import errno
import socket

from dnet_tui.inspect.nftables.trace_events import TraceEvent, parse_events

NETLINK_NETFILTER = 12
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_GROUP_TRACE = 9
_SO_RCVBUFFORCE = 33
_BUFFER = 4 << 20
_READ = 1 << 18
_MOST = 5000
"""Events of one reading: somebody else may be tracing everything."""


def watching(buffer: int = _BUFFER) -> socket.socket:
    """Open a non-blocking socket on the trace events of the namespace that the calling thread is in.

    Raises:
        OSError: not permitted, or a kernel without nftables.
    """
    sock = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, NETLINK_NETFILTER
    )
    try:
        with contextlib.suppress(OSError):  # without the privilege the usual size does
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
        sock.bind((0, 0))
        sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP_TRACE)
    except BaseException:
        sock.close()
        raise
    return sock


def events(sock: socket.socket) -> tuple[list[TraceEvent], bool]:
    """The events that are there now, and whether some were lost because they came too fast."""
    found: list[TraceEvent] = []
    lost = False
    while len(found) < _MOST:
        try:
            data = sock.recv(_READ)
        except BlockingIOError:
            break
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            lost = True
            continue
        found += parse_events(data)
    return found, lost
