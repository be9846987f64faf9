"""Listening sockets of the calling thread's namespace, by the kernel's sock_diag.

Asks for the listening ones only, so a host's hundred thousand established
connections cost nothing (/proc/net/tcp lists them all), and learns what
/proc doesn't tell: IPV6_V6ONLY and the link that a socket is bound to.
The parser is pure.  As for ss(8), the kernel may load its own tcp_diag and
udp_diag modules to answer.

Sources: sock_diag(7), linux/inet_diag.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from dnet_tui.inspect.kernel.netlink import NetlinkSocket, attributes
from dnet_tui.inspect.model import Socket

SocketProtocol = Literal["tcp", "udp", "sctp"]

NETLINK_SOCK_DIAG = 4
BY_FAMILY = 20
REQUEST = struct.Struct("=BBBxI48x")
"""struct inet_diag_req_v2: family, protocol, extensions, states; an empty inet_diag_sockid asks for every one."""
ANSWER = struct.Struct("=BBBB HH16s16sIII IIIII")
"""struct inet_diag_msg: family, state, timer, retransmits; ports, addresses, ifindex, cookie; …, uid, inode."""
_V6ONLY = 11
_LISTEN, _CLOSE = 10, 7
"""TCP_LISTEN; a UDP socket that is bound but not connected is TCP_CLOSE."""

_NUMBERS: dict[SocketProtocol, tuple[int, int]] = {
    "tcp": (socket.IPPROTO_TCP, _LISTEN),
    "udp": (socket.IPPROTO_UDP, _CLOSE),
    "sctp": (socket.IPPROTO_SCTP, _LISTEN),
}


def read_listening() -> tuple[Socket, ...]:
    """The listening sockets, without their processes, sorted.

    Raises:
        OSError: the kernel has no sock_diag for one of the protocols, or did not answer in time.
    """
    found: set[Socket] = set()
    with NetlinkSocket(NETLINK_SOCK_DIAG) as sock:
        for proto, (number, state) in _NUMBERS.items():
            if proto == "sctp" and not Path("/proc/thread-self/net/sctp").exists():
                continue  # not loaded, and asking would load it
            for family in (socket.AF_INET, socket.AF_INET6):
                dump = sock.dump(BY_FAMILY, REQUEST.pack(family, number, 0, 1 << state))
                found.update(parse_listening(dump.bodies, proto))
    return tuple(sorted(found, key=lambda item: (item.proto, item.port, item.address, item.inode)))


def parse_listening(bodies: Iterable[bytes], proto: SocketProtocol) -> Iterator[Socket]:
    """The sockets in the answers of one protocol; what is too short, connected or unbound is skipped."""
    for body in bodies:
        if len(body) < ANSWER.size:
            continue
        family, state, _, _, sport, dport, source, _, ifindex, _, _, _, _, _, _, inode = ANSWER.unpack_from(body)
        port = socket.ntohs(sport)
        if family not in (socket.AF_INET, socket.AF_INET6) or state != _NUMBERS[proto][1] or dport or not port:
            continue
        v6only = attributes(body, ANSWER.size).get(_V6ONLY)
        yield Socket(
            proto=proto,
            address=socket.inet_ntop(family, source[:4] if family == socket.AF_INET else source),
            port=port,
            inode=inode,
            v6only=bool(v6only[0]) if v6only else None,
            ifindex=ifindex or None,
        )
