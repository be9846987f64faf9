"""How many IPsec policies the calling thread's namespace has: with any, packets may go another way than routes say.

One question to NETLINK_XFRM; needs CAP_NET_ADMIN.  Changes nothing.
Source: linux/xfrm.h (XFRM_MSG_GETSPDINFO, struct xfrmu_spdinfo).
"""

from __future__ import annotations

import errno
import struct

from dnet_tui.inspect.kernel.netlink import NetlinkSocket, attributes

_NETLINK_XFRM = 6
_GET_SPD_INFO = 0x25
_SPD_INFO = 1
_COUNTS = struct.Struct("=3I")
"""The beginning of struct xfrmu_spdinfo: in, out, forward; then those of single sockets."""
_NOT_IN_KERNEL = frozenset({errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.ECONNREFUSED})
"""What a kernel without XFRM answers: then there are no policies."""


def read_policy_count() -> int:
    """The number of policies, in all directions.

    Raises:
        OSError: the kernel refused, or did not answer in time.
    """
    try:
        with NetlinkSocket(_NETLINK_XFRM) as sock:
            return parse_policy_count(sock.ask(_GET_SPD_INFO, b"\0\0\0\0"))
    except OSError as error:
        if error.errno in _NOT_IN_KERNEL:
            return 0
        raise


def parse_policy_count(body: bytes) -> int:
    """Read one XFRM_MSG_NEWSPDINFO.

    Raises:
        OSError: it doesn't tell.
    """
    counts = attributes(body, 4).get(_SPD_INFO, b"")
    if len(counts) < _COUNTS.size:
        raise OSError("the kernel's answer doesn't tell the number of policies")
    return sum(_COUNTS.unpack_from(counts))
