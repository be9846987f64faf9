"""Sends one probe from the namespace it runs in and prints how it went.  Standard library only.

Usage: ``prober.py PROTO ADDRESS PORT LIMIT EXPECT SPORT``.  It prints ``ok``,
``refused``, ``timeout`` or ``unreachable``, or ``wrong`` and what came instead
of the expected content.  LIMIT is in seconds.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
import time

UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EPERM)
PORT_UNREACHABLE = (3, 3)
"""ICMP type and code, as iptables' REJECT sends it by default (RFC 792)."""

PORT_UNREACHABLE6 = (1, 4)
"""The same of ICMPv6 (RFC 4443)."""


def tcp(address: str, port: int, limit: float, expect: str) -> str:
    """Ask over HTTP who is there."""
    with socket.create_connection((address, port), timeout=limit) as sock:
        sock.sendall(b"GET /hostname HTTP/1.0\r\n\r\n")
        answer = b""
        while chunk := sock.recv(4096):
            answer += chunk
    body = answer.partition(b"\r\n\r\n")[2].decode(errors="replace").strip()
    return "ok" if body == expect else f"wrong {answer!r}"


def udp(address: str, port: int, limit: float, sport: str) -> str:
    """Expect an echo."""
    token = os.urandom(8)
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(limit)
        if sport != "0":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", int(sport)))
        sock.connect((address, port))
        sock.send(token)
        answer = sock.recv(4096)
    return "ok" if answer == token else f"wrong {answer!r}"


def dns(address: str, port: int, limit: float, name: str) -> str:
    """Ask a name server for an IPv4 address (RFC 1035); ``refused`` when it answers without one."""
    number = os.urandom(2)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = labels + b"\0" + struct.pack("!HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(limit)
        sock.connect((address, port))
        sock.send(number + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + question)
        answer = sock.recv(4096)
    if answer[:2] != number or not answer[2] & 0x80:
        return f"wrong {answer!r}"
    return "ok" if not answer[3] & 15 and answer[6:8] != bytes(2) else "refused"


def icmp(address: str, _: int, limit: float, __: str) -> str:
    """Ping, and understand the errors that come instead of the reply."""
    if ":" in address:
        return icmp6(address, limit)
    ident, token = int.from_bytes(os.urandom(2), "big"), os.urandom(16)
    body = struct.pack("!HH", ident, 1) + token
    request = struct.pack("!BBH", 8, 0, checksum(b"\x08\x00\x00\x00" + body)) + body
    deadline = time.monotonic() + limit
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.sendto(request, (address, 0))
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            packet = sock.recv(4096)
            reply = packet[(packet[0] & 15) * 4 :]
            if reply[0] == 0 and reply[4:] == body:
                return "ok"
            if reply[0] == 3 and reply[-len(body) :][:4] == body[:4]:
                return "refused" if (reply[0], reply[1]) == PORT_UNREACHABLE else "unreachable"
    raise TimeoutError


def icmp6(address: str, limit: float) -> str:
    """The same over IPv6, where the kernel reckons the checksum and keeps the IP header (RFC 3542)."""
    body = os.urandom(2) + struct.pack("!H", 1) + os.urandom(16)
    deadline = time.monotonic() + limit
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        sock.sendto(struct.pack("!BBH", 128, 0, 0) + body, (address, 0))
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            reply = sock.recv(4096)
            if reply[0] == 129 and reply[4:] == body:
                return "ok"
            if reply[0] == 1 and reply[-len(body) :] == body:
                return "refused" if (reply[0], reply[1]) == PORT_UNREACHABLE6 else "unreachable"
    raise TimeoutError


def checksum(data: bytes) -> int:
    """Return the Internet checksum of an even number of bytes (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - ((total + (total >> 16)) & 0xFFFF)


def main() -> int:
    """Probe once and say the result in one line."""
    proto, address, port, limit, expect, sport = sys.argv[1:7]
    expect = sport if proto == "udp" else expect
    try:
        print({"tcp": tcp, "udp": udp, "icmp": icmp, "dns": dns}[proto](address, int(port), float(limit), expect))
    except TimeoutError:
        print("timeout")
    except ConnectionError:
        print("refused")
    except OSError as error:
        if error.errno not in UNREACHABLE:
            raise
        print("unreachable")
    return 0


if __name__ == "__main__":
    sys.exit(main())
