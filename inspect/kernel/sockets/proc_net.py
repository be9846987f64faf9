"""Listening TCP and UDP sockets of the calling thread's namespace.

Read from /proc/thread-self/net: /proc/net is a link to the *process's* (the
main thread's) namespace.  The parser is pure.  Source: proc_pid_net(5).
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from dnet_tui.inspect.model import Socket

ProcNetProtocol = Literal["tcp", "udp"]
_FILES: tuple[tuple[str, ProcNetProtocol], ...] = (("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp"))
_LISTENING = {"tcp": "0A", "udp": "07"}
"""TCP_LISTEN; a UDP socket that is bound but not connected is TCP_CLOSE."""


def read_sockets() -> tuple[Socket, ...]:
    """The listening sockets, without their processes.

    Raises:
        OSError: a file is there but can't be read.  Missing ones mean that the kernel has no such protocol.
    """
    found: list[Socket] = []
    for name, proto in _FILES:
        try:
            raw = Path(f"/proc/thread-self/net/{name}").read_text("ascii", "replace")
        except FileNotFoundError:
            continue
        found.extend(parse_sockets(raw, proto))
    return tuple(found)


def parse_sockets(raw: str, proto: ProcNetProtocol) -> Iterator[Socket]:
    """The listening sockets in the text of /proc/net/tcp, tcp6, udp or udp6; a malformed line is skipped."""
    for line in raw.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != _LISTENING[proto]:
            continue
        address, _, port = fields[1].partition(":")
        try:
            yield Socket(proto=proto, address=_address(address), port=int(port, 16), inode=int(fields[9]))
        except ValueError:
            continue


def _address(digits: str) -> str:
    """An address that the kernel printed as native-endian 32-bit words in hexadecimal.

    Raises:
        ValueError: it isn't an address.
    """
    raw = bytes.fromhex(digits)
    if len(raw) not in (4, 16):
        raise ValueError(f"not an address: {digits!r}")
    if sys.byteorder == "little":
        raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
