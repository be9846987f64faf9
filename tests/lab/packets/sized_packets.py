"""Sends packets of given sizes, and hears them: run by the machine's Python in a network namespace, alone.

``hear``: prints a line once it listens, then one JSON list of the numbers that
arrived, once the last packet (number 0, short) has.  ``send``: takes a JSON
list of [number, protocol, size, df] on stdin and prints the numbers that the
sender's own kernel refused.  ``df``: true, false, or null for a socket left as
it is made; TCP packets are made by hand, with the bit set unless it is false.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time

PORT = 5353
PATIENCE = 30.0
_MARK = b"dnet"
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _IPV6_HDRINCL = 10, 23, 36
_DONT, _DO = 0, 2


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    total += data[-1] << 8 if len(data) % 2 else 0
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def payload(number: int, length: int) -> bytes:
    return (_MARK + struct.pack("!H", number)).ljust(length, b".")


def syn(source: str, target: str, data: bytes, *, df: bool) -> bytes:
    """A SYN with data behind it, with its IP header."""
    six = ":" in target
    family = socket.AF_INET6 if six else socket.AF_INET
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, target)
    length = 20 + len(data)
    pseudo = ends + (struct.pack("!IHBB", length, 0, 0, 6) if six else struct.pack("!BBH", 0, 6, length))
    header = struct.pack("!HHIIBBH", 40000, PORT, 1000, 0, 5 << 4, 2, 64240)
    tcp = header + struct.pack("!HH", checksum(pseudo + header + bytes(4) + data), 0) + data
    if six:
        return struct.pack("!IHBB", 6 << 28, length, 6, 64) + ends + tcp
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000 if df else 0, 64, 6, 0) + ends + tcp


def send(target: str, probes: list[tuple[int, str, int, bool | None]]) -> list[int]:
    """The numbers of those that were refused here."""
    return [number for number, proto, size, df in probes if not _sent(target, number, proto, size, df)]


def _sent(target: str, number: int, proto: str, size: int, df: bool | None) -> bool:
    six = ":" in target
    family = socket.AF_INET6 if six else socket.AF_INET
    head = 40 if six else 20
    kind, protocol = {
        "udp": (socket.SOCK_DGRAM, 0),
        "icmp": (socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP),
        "tcp": (socket.SOCK_RAW, socket.IPPROTO_RAW),
    }[proto]
    with socket.socket(family, kind, protocol) as sock:
        sock.connect((target, PORT if proto == "udp" else 0))
        if df is not None and proto != "tcp":
            level, option = (socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER) if six else (socket.IPPROTO_IP, _IP_MTU_DISCOVER)
            sock.setsockopt(level, option, _DO if df else _DONT)
        if proto == "udp":
            data = payload(number, size - head - 8)
        elif proto == "icmp":
            body = payload(number, size - head - 8)
            first = struct.pack("!BBHHH", 128 if six else 8, 0, 0, 7, number)
            data = first[:2] + struct.pack("!H", 0 if six else checksum(first + body)) + first[4:] + body
        else:
            if six:
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
            data = syn(sock.getsockname()[0], target, payload(number, size - head - 20), df=df is not False)
        try:
            sock.send(data)
        except OSError:
            return False
    return True


def hear(family: int) -> list[int]:
    """The numbers that arrive, until the last."""
    six = family == socket.AF_INET6
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind(("::" if six else "0.0.0.0", PORT))  # noqa: S104
    icmp = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    tcp = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
    print("listening", flush=True)
    heard: set[int] = set()
    end = time.monotonic() + PATIENCE
    while 0 not in heard and time.monotonic() < end:
        for sock in select.select([udp, icmp, tcp], [], [], 0.5)[0]:
            data = sock.recv(70000)
            at = data.find(_MARK)
            if at >= 0 and not (sock is icmp and data[0 if six else 20] not in {8, 128}):
                heard.add(struct.unpack("!H", data[at + 4 : at + 6])[0])
    # What came together with the last one may still be unread.
    for sock in (udp, icmp, tcp):
        sock.setblocking(False)
        try:
            while True:
                data = sock.recv(70000)
                at = data.find(_MARK)
                if at >= 0 and not (sock is icmp and data[0 if six else 20] not in {8, 128}):
                    heard.add(struct.unpack("!H", data[at + 4 : at + 6])[0])
        except BlockingIOError:
            continue
    return sorted(heard)


if __name__ == "__main__":
    if sys.argv[1] == "send":
        print(json.dumps(send(sys.argv[2], json.load(sys.stdin))))
    else:
        print(json.dumps(hear(socket.AF_INET6 if sys.argv[2] == "6" else socket.AF_INET)))
