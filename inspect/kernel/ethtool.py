"""The second witness for a veth's peer: the driver's statistic ``peer_ifindex``.

Asked with SIOCETHTOOL in the calling thread's namespace, and only where the
kernel's first answer (IFLA_LINK with IFLA_LINK_NETNSID) isn't conclusive.
Reads only.  Source: linux/ethtool.h, drivers/net/veth.c.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946
_GSTRINGS = 0x1B
_GSTATS = 0x1D
_GSSET_INFO = 0x37
_SS_STATS = 1
_NAME = 32
"""ETH_GSTRING_LEN."""
_LIMIT = 4096
"""More statistics than any driver has; a larger number isn't believed."""


def read_peer_ifindex(name: str) -> int | None:
    """The ifindex of a veth's peer, in whatever namespace that is; None when the driver doesn't tell.

    Raises:
        OSError: the device is gone, or the kernel refused.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        (count,) = struct.unpack_from(
            "=I", _ask(sock, name, struct.pack("=IIQI", _GSSET_INFO, 0, 1 << _SS_STATS, 0)), 16
        )
        if not 0 < count <= _LIMIT:
            return None
        names = _ask(sock, name, struct.pack("=III", _GSTRINGS, _SS_STATS, count) + bytes(_NAME * count))
        values = _ask(sock, name, struct.pack("=II", _GSTATS, count) + bytes(8 * count))
    return parse_peer_ifindex(names[12:], values[8:])


def parse_peer_ifindex(names: bytes, values: bytes) -> int | None:
    """Find ``peer_ifindex`` among names of 32 bytes each and values of 8 bytes each; 0 means that there is none."""
    for index in range(min(len(names) // _NAME, len(values) // 8)):
        name = names[index * _NAME : (index + 1) * _NAME].partition(b"\0")[0]
        if name == b"peer_ifindex":
            return int(struct.unpack_from("=Q", values, index * 8)[0]) or None
    return None


def _ask(sock: socket.socket, name: str, command: bytes) -> bytes:
    """One SIOCETHTOOL: struct ifreq holds the device's name and a pointer to the command, answered in place."""
    buffer = array.array("B", command)
    request = struct.pack("16sP16x", name.encode()[:15], buffer.buffer_info()[0])
    fcntl.ioctl(sock.fileno(), _SIOCETHTOOL, request)
    return buffer.tobytes()
