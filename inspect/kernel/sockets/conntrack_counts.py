"""Reads what connection tracking of the calling thread's namespace has counted, by ctnetlink.

Asked only where connection tracking is loaded already, and answered with one
small message per processor.  Needs CAP_NET_ADMIN.

Source: linux/netfilter/nfnetlink_conntrack.h (IPCTNL_MSG_CT_GET_STATS_CPU,
enum ctattr_stats_cpu); /proc/net/stat/nf_conntrack has the same where the
kernel is built with it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from dnet_tui.inspect.kernel.netlink import NetlinkSocket, attributes
from dnet_tui.inspect.kernel.sockets.conntrack import NETLINK_NETFILTER, read_number
from dnet_tui.inspect.model import ConntrackCounts

_GET_STATS_CPU = 1 << 8 | 4
"""NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS_CPU."""

_HEADER = 4
_FIELDS = {"invalid": 4, "insert_failed": 9, "drop": 10, "early_drop": 11}
"""CTA_STATS_*: numbers of 32 bits in network byte order."""


def read_counts() -> ConntrackCounts | None:
    """The sums over all processors; None where connection tracking isn't loaded.

    Raises:
        OSError: the kernel refused, or did not answer in time.
    """
    if read_number("nf_conntrack_count") is None:
        return None
    with NetlinkSocket(NETLINK_NETFILTER) as sock:
        return parse_counts(sock.dump(_GET_STATS_CPU, bytes([socket.AF_UNSPEC, 0, 0, 0])).bodies)


def parse_counts(bodies: Iterable[bytes]) -> ConntrackCounts:
    """The sums over the messages of all processors; what a kernel doesn't count is 0."""
    sums = dict.fromkeys(_FIELDS, 0)
    for body in bodies:
        found = attributes(body, _HEADER)
        for name, number in _FIELDS.items():
            sums[name] += int.from_bytes(found.get(number, b""), "big")
    return ConntrackCounts(**sums)
