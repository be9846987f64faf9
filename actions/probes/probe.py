"""Probes: one small packet from inside a namespace, and what came of it.

Each probe runs in a thread of its own that joins the network namespace; the
caller's thread never moves.  A probe sends nothing beyond what its name says:
one SYN, one echo request, one datagram.

Sources: icmp(7), RFC 792, RFC 4443, ip(7).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Callable
from enum import StrEnum

import msgspec

from dnet_tui.inspect.kernel.netns import NamespaceGoneError, NsHandle, run_in

DEFAULT_LIMIT = 1.0
"""Seconds a probe waits for its answer."""

_ECHO = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
"""ICMP types of echo request and reply."""

_UNREACHABLE = {socket.AF_INET: 3, socket.AF_INET6: 1}


class ProbeOutcome(StrEnum):
    """How a probe ended."""

    OK = "ok"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """A probe's result: ``seconds`` it took, ``note`` says more where there is more to say.

    ``sent`` is False when no packet left: the namespace could not be entered,
    or there was no permission for the socket.
    """

    outcome: ProbeOutcome
    seconds: float
    note: str = ""
    sent: bool = True
    sport: int = 0
    """The source port of a TCP connection that was made; 0 for others."""


class _NoSocketError(OSError):
    """The socket could not be had, so nothing was sent."""


def tcp_connect(
    address: str, port: int, *, limit: float = DEFAULT_LIMIT, inside: NsHandle | None = None, hops: int | None = None
) -> Probe:
    """Open a TCP connection and close it at once.  ``hops``: how many routers it may pass at the most."""
    ports: list[int] = []

    def attempt() -> None:
        with _opened(_family(address), socket.SOCK_STREAM, hops=hops) as sock:
            sock.settimeout(limit)
            sock.connect((address, port))
            ports.append(sock.getsockname()[1])

    return msgspec.structs.replace(_timed(attempt, inside), sport=ports[0] if ports else 0)


def ping(
    address: str, *, limit: float = DEFAULT_LIMIT, inside: NsHandle | None = None, hops: int | None = None
) -> Probe:
    """Send one ICMP echo request and wait for its reply.  ``hops`` as in :func:`tcp_connect`."""
    return _timed(lambda: _echo(address, limit, hops), inside)


def dns_query(
    address: str,
    port: int,
    name: str,
    *,
    limit: float = DEFAULT_LIMIT,
    inside: NsHandle | None = None,
    hops: int | None = None,
) -> Probe:
    """Ask a name server for an address, and wait for any datagram from there that has the query's number.

    The query does not ask for recursion, so that nobody further off is asked.
    ``hops`` as in :func:`tcp_connect`.
    """
    number = int.from_bytes(os.urandom(2))

    def attempt() -> None:
        with _opened(_family(address), socket.SOCK_DGRAM, hops=hops) as sock:
            sock.connect((address, port))
            sock.settimeout(limit)
            sock.send(dns_question(number, name))
            end = time.monotonic() + limit
            while (left := end - time.monotonic()) > 0:
                sock.settimeout(left)
                if sock.recv(65535)[:2] == number.to_bytes(2):
                    return
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    return _timed(attempt, inside)


def dns_question(number: int, name: str) -> bytes:
    """Return a DNS query for a name's IPv4 address (RFC 1035, 4.1), recursion not desired."""
    labels = [label.encode("ascii", "replace")[:63] for label in name.split(".") if label]
    question = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return struct.pack("!HHHHHH", number, 0, 1, 0, 0, 0) + question + struct.pack("!HH", 1, 1)


def _timed(attempt: Callable[[], None], inside: NsHandle | None) -> Probe:
    def clocked() -> Probe:
        start = time.monotonic()
        try:
            attempt()
        except _NoSocketError as error:
            note = f"no socket for it: {error.strerror or error}"
            return Probe(outcome=ProbeOutcome.UNREACHABLE, seconds=0.0, note=note, sent=False)
        except OSError as error:
            return Probe(outcome=_outcome(error), seconds=time.monotonic() - start, note=error.strerror or str(error))
        return Probe(outcome=ProbeOutcome.OK, seconds=time.monotonic() - start)

    if inside is None:
        return clocked()
    try:
        return run_in(inside, clocked)
    except (NamespaceGoneError, OSError) as error:
        note = f"the namespace could not be entered: {error}"
        return Probe(outcome=ProbeOutcome.UNREACHABLE, seconds=0.0, note=note, sent=False)


def _outcome(error: OSError) -> ProbeOutcome:
    if isinstance(error, TimeoutError) and error.errno in (None, errno.ETIMEDOUT):
        return ProbeOutcome.TIMEOUT
    return ProbeOutcome.REFUSED if isinstance(error, ConnectionRefusedError) else ProbeOutcome.UNREACHABLE


def _echo(address: str, limit: float, hops: int | None) -> None:
    family = _family(address)
    request, reply = _ECHO[family]
    # Never the number of an earlier ping: conntrack would treat it as that one was treated, as before a repair.
    number = int.from_bytes(os.urandom(2))
    token = os.urandom(16)  # tells our echo from any other's, whatever number the kernel gives a ping socket
    with _icmp_socket(family, hops) as sock:
        sock.settimeout(limit)
        sock.connect((address, 0))
        sock.send(echo_request(request, number, token, checksummed=family == socket.AF_INET))
        end = time.monotonic() + limit
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            data = sock.recv(2048)
            if family == socket.AF_INET and sock.type == socket.SOCK_RAW:
                data = data[(data[0] & 0x0F) * 4 :]  # raw IPv4 sockets see the IP header
            if data[:1] == bytes([reply]) and data[8:24] == token:
                return
            if data[:1] == bytes([_UNREACHABLE[family]]) and token in data:
                raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


def echo_request(kind: int, number: int, payload: bytes, *, checksummed: bool) -> bytes:
    """Return an ICMP echo request, sequence 1; the kernel fills in ICMPv6's checksum itself (RFC 3542)."""
    head = struct.pack("!BBHHH", kind, 0, 0, number, 1)
    total = internet_checksum(head + payload) if checksummed else 0
    return struct.pack("!BBHHH", kind, 0, total, number, 1) + payload


def internet_checksum(data: bytes) -> int:
    """Return the ones' complement sum of 16-bit words (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(padded[at : at + 2]) for at in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _icmp_socket(family: socket.AddressFamily, hops: int | None) -> socket.socket:
    """Open a raw socket, or without the privilege a ping socket (``net.ipv4.ping_group_range``)."""
    proto = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    try:
        return _opened(family, socket.SOCK_RAW, proto, hops=hops)
    except _NoSocketError:
        return _opened(family, socket.SOCK_DGRAM, proto, hops=hops)


def _opened(
    family: socket.AddressFamily, kind: socket.SocketKind, proto: int = 0, *, hops: int | None = None
) -> socket.socket:
    """Open a socket whose packets pass at most ``hops`` routers; each of them takes one from the TTL."""
    try:
        sock = socket.socket(family, kind, proto)
    except OSError as error:
        raise _NoSocketError(error.errno, error.strerror) from None
    if hops is not None:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops + 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops + 1)
    return sock


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
