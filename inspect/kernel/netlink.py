"""Netlink over a bare socket: dumps and single questions.

A dump of one namespace takes about 0.2 ms this way, against some 4 ms
through pyroute2's ``IPRoute`` and 100 ms more to import that; a host has
hundreds of namespaces.  The socket belongs to the network namespace of the
thread that opens it, for good.  Nothing here changes anything: only ``GET``
messages are sent.

Sources: netlink(7), rtnetlink(7), linux/netlink.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import msgspec

_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence, port."""
_ATTRIBUTE = struct.Struct("=HH")
"""struct nlattr: length, type."""
_ERRNO = struct.Struct("=i")

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_REQUEST = 0x001
_DUMP = 0x300
_DUMP_INTERRUPTED = 0x010
_CUT_SHORT = int(socket.MSG_TRUNC)
_TYPE_MASK = 0x3FFF
"""Without NLA_F_NESTED and NLA_F_NET_BYTEORDER."""
_SO_NETNS_COOKIE = 71
_BUFFER = 1 << 16
"""The kernel makes a dump's parts no larger than half of this."""
_TIMEVAL = struct.Struct("@ll")
_TIMEOUT = 5
"""Seconds that the kernel gets for an answer."""


class Dump(msgspec.Struct, frozen=True, kw_only=True):
    """The bodies of a dump's messages.  ``torn``: the kernel's tables changed while it was made, each time."""

    bodies: tuple[bytes, ...]
    torn: bool = False


class NetlinkSocket:
    """A netlink socket in the calling thread's network namespace, by default rtnetlink's.  Use as a context manager."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        # Not settimeout(): that polls before every read.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL.pack(_TIMEOUT, 0))
        self._sequence = 0

    def __enter__(self) -> Self:
        self._socket.bind((0, 0))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def cookie(self) -> int | None:
        """The kernel's name for the socket's network namespace, never used twice; None before Linux 5.14."""
        try:
            raw = self._socket.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
        except OSError:
            return None
        return int.from_bytes(raw, sys.byteorder)

    def dump(self, kind: int, payload: bytes, *, tries: int = 3) -> Dump:
        """Ask for a whole table; a dump torn by a change is asked for again, ``tries`` times in all.

        Raises:
            OSError: the kernel refused, or did not answer in time.
        """
        for attempt in range(1, tries + 1):
            bodies, torn = self._dump_once(kind, payload)
            if not torn or attempt == tries:
                break
        return Dump(bodies=tuple(bodies), torn=torn)

    def _dump_once(self, kind: int, payload: bytes) -> tuple[list[bytes], bool]:
        sequence = self._send(kind, _REQUEST | _DUMP, payload)
        bodies: list[bytes] = []
        take, unpack, size = bodies.append, _HEADER.unpack_from, _HEADER.size
        all_flags = 0
        while True:
            data = self._receive_part()
            offset, end = 0, len(data)
            # As messages() does, but without a generator: this is the busiest loop of a snapshot.
            while offset + size <= end:
                length, code, flags, number, _port = unpack(data, offset)
                if length < size or offset + length > end:
                    break
                if number == sequence:
                    all_flags |= flags
                    if code in (_NLMSG_DONE, _NLMSG_ERROR):
                        _raise_refusal(data[offset + size : offset + length])
                        if code == _NLMSG_DONE:
                            return bodies, bool(all_flags & _DUMP_INTERRUPTED)
                    take(data[offset + size : offset + length])
                offset += (length + 3) & ~3

    def stream(self, kind: int, payload: bytes) -> Iterator[bytes]:
        """Ask for a whole table and yield its messages' bodies as they come, for tables too large to hold.

        Who stops early closes the socket: the rest of the answer is still under way.

        Raises:
            OSError: the kernel refused, or did not answer in time.
        """
        sequence = self._send(kind, _REQUEST | _DUMP, payload)
        while True:
            for code, _flags, body in self._receive(sequence):
                if code == _NLMSG_DONE:
                    return
                yield body

    def ask(self, kind: int, payload: bytes) -> bytes:
        """Ask one question and return the body of its answer.

        Raises:
            OSError: the kernel refused, or did not answer in time.
        """
        sequence = self._send(kind, _REQUEST, payload)
        while True:
            for _code, _flags, body in self._receive(sequence):
                return body

    def _send(self, kind: int, flags: int, payload: bytes) -> int:
        self._sequence += 1
        header = _HEADER.pack(_HEADER.size + len(payload), kind, flags, self._sequence, 0)
        self._socket.send(header + payload)
        return self._sequence

    def _receive(self, sequence: int) -> Iterator[tuple[int, int, bytes]]:
        for code, message_flags, number, body in messages(self._receive_part()):
            if number != sequence:
                continue
            if code in (_NLMSG_ERROR, _NLMSG_DONE):
                _raise_refusal(body)
            yield code, message_flags, body

    def _receive_part(self) -> bytes:
        """What the kernel sends in one go: one message or several."""
        try:
            data, _, flags, _ = self._socket.recvmsg(_BUFFER)
        except BlockingIOError:
            raise TimeoutError(errno.ETIMEDOUT, "the kernel did not answer in time") from None
        if flags & _CUT_SHORT:
            raise OSError("a netlink answer was cut short")
        return data


def _raise_refusal(body: bytes) -> None:
    """Raise the error that a closing or an error message tells of, if any."""
    if len(body) >= _ERRNO.size:
        (status,) = _ERRNO.unpack_from(body)
        if status < 0:
            raise OSError(-status, os.strerror(-status))


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Split what was received into messages: type, flags, sequence number, body."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, code, flags, sequence, _port = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return
        yield code, flags, sequence, data[offset + _HEADER.size : offset + length]
        offset += (length + 3) & ~3


def attributes(body: bytes, offset: int = 0) -> dict[int, bytes]:
    """The attributes of a message by their number; of one that repeats, the last.  Stops at a malformed one."""
    found: dict[int, bytes] = {}
    end = len(body)
    unpack = _ATTRIBUTE.unpack_from
    while offset + 4 <= end:
        length, kind = unpack(body, offset)
        if length < 4 or offset + length > end:
            break
        found[kind & _TYPE_MASK] = body[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def elements(body: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """The attributes of a message one by one, for those that repeat.  Stops at a malformed one."""
    while offset + 4 <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        if length < 4 or offset + length > len(body):
            return
        yield kind & _TYPE_MASK, body[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded as the kernel wants it."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + b"\0" * (-length % 4)
