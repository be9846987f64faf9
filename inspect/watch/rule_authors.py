"""Who changed rules: the process that nftables' generation message names.

Every transaction of nftables, and so of iptables-nft too, ends with a
NFT_MSG_NEWGEN that has the process's id and name (linux/netfilter/nf_tables.h,
NFTA_GEN_PROC_PID and NFTA_GEN_PROC_NAME; net/netfilter/nf_tables_api.c,
nf_tables_fill_gen_info).  The socket's own filter lets nothing else in, so
that a transaction of thousands of rules does not push it out.  There is no
thread: messages wait in the socket until they are asked for.

iptables-legacy tells nobody who it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator

import msgspec

_NETLINK_NETFILTER = 12
_NFTABLES_GROUP = 7
_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
_SO_ATTACH_FILTER = 26
_NEWGEN = 10 << 8 | 15
"""NFNL_SUBSYS_NFTABLES and NFT_MSG_NEWGEN."""
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_GENERATION, _PID, _NAME = 1, 2, 3
_FAMILY_HEADER = 4
_MOST = 1024


class RuleAuthor(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction: the ruleset's generation after it, and the process that made it."""

    generation: int
    pid: int
    name: str


class RuleAuthors:
    """Listens in the network namespace of the thread that makes it."""

    def __init__(self) -> None:
        self.lost = False
        """Whether messages were lost since they were last asked for."""
        self._own = os.getpid()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        try:
            self._socket.setblocking(False)  # noqa: FBT003  the socket's own signature
            _attach_filter(self._socket)
            self._socket.bind((0, 0))
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _NFTABLES_GROUP)
        except OSError:
            self._socket.close()
            raise

    def take(self) -> tuple[RuleAuthor, ...]:
        """Return the transactions since this was last asked, oldest first."""
        self.lost = False
        found: list[RuleAuthor] = []
        for _ in range(_MOST):
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    break
                self.lost = True
                continue
            found += parse_generations(data)
        return tuple(found)

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._socket.close()


def parse_generations(data: bytes) -> Iterator[RuleAuthor]:
    """Yield what the generation messages in a datagram say; what is cut short ends it."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, _, _, _ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            return
        if kind == _NEWGEN:
            attributes = dict(_attributes(data[at + _HEADER.size + _FAMILY_HEADER : at + length]))
            number = attributes.get(_GENERATION, b"").rjust(4, b"\0")[:4]
            pid = attributes.get(_PID, b"").rjust(4, b"\0")[:4]
            name = attributes.get(_NAME, b"").split(b"\0")[0].decode("utf-8", "backslashreplace")
            yield RuleAuthor(generation=int.from_bytes(number), pid=int.from_bytes(pid), name=name)
        at += (length + 3) & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            return
        yield kind & 0x3FFF, data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3


def _attach_filter(sock: socket.socket) -> None:
    """Let in only messages of this kind (socket(7), SO_ATTACH_FILTER); the kernel loads fields as big-endian."""
    kind = struct.unpack("!H", struct.pack("=H", _NEWGEN))[0]
    code = struct.pack("=HBBI", 0x28, 0, 0, 4)  # ldh [4]: nlmsg_type
    code += struct.pack("=HBBI", 0x15, 0, 1, kind)  # jeq: keep, else drop
    code += struct.pack("=HBBI", 0x06, 0, 0, 0xFFFFFFFF) + struct.pack("=HBBI", 0x06, 0, 0, 0)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HL", len(code) // 8, ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
