"""Marked messages between two namespaces, run by :mod:`lab.packets.correlation_judge`.

``echo ADDRESS PORT`` answers every message; ``send PROTO ADDRESS PORT COUNT
FIRST SIZE`` sends numbered ones and awaits the answers.  Each message repeats
its mark (``M00000001Q`` a question, ``…A`` its answer), so that every
fragment holds one whole mark.
"""

from __future__ import annotations

import selectors
import socket
import struct
import sys
import time

WINDOW = 16
"""Questions under way at once."""


def message(number: int, size: int, kind: bytes = b"Q") -> bytes:
    mark = b"M%08d%s" % (number, kind)
    return (mark * (size // len(mark) + 1))[: max(size, len(mark))]


def family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def echo(address: str, port: int) -> None:
    """Answer UDP and TCP until killed."""
    udp = socket.socket(family(address), socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    udp.bind((address, port))
    tcp = socket.create_server((address, port), family=family(address))
    chooser = selectors.DefaultSelector()
    chooser.register(udp, selectors.EVENT_READ)
    chooser.register(tcp, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in chooser.select():
            if key.fileobj is udp:
                data, sender = udp.recvfrom(65_000)
                udp.sendto(data.replace(b"Q", b"A"), sender)
            elif key.fileobj is tcp:
                conn, _ = tcp.accept()
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                chooser.register(conn, selectors.EVENT_READ)
            else:
                conn = key.fileobj  # type: ignore[assignment]
                data = conn.recv(65_000)
                if data:
                    conn.sendall(data.replace(b"Q", b"A"))
                else:
                    chooser.unregister(conn)
                    conn.close()


def send_udp(address: str, port: int, count: int, first: int, size: int) -> None:
    """Several sockets, one of them connected: some packets have an IP id of their own, some have 0."""
    socks = [socket.socket(family(address), socket.SOCK_DGRAM) for _ in range(4)]
    socks[0].connect((address, port))
    for sock in socks:
        sock.settimeout(0.3)
    for begin in range(0, count, WINDOW):
        numbers = range(begin, min(count, begin + WINDOW))
        for number in numbers:
            socks[number % 4].sendto(message(first + number, size), (address, port)) if number % 4 else socks[0].send(
                message(first + number, size)
            )
        for number in numbers:
            try:
                socks[number % 4].recv(65_000)
            except OSError:
                continue


def send_tcp(address: str, port: int, count: int, first: int, size: int) -> None:
    """A new connection for every 50 messages."""
    for begin in range(0, count, 50):
        with socket.create_connection((address, port), 5) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for number in range(begin, min(count, begin + 50)):
                sock.sendall(message(first + number, size))
                got = 0
                while got < size:
                    got += len(sock.recv(65_000))


def send_icmp(address: str, _: int, count: int, first: int, size: int) -> None:
    """Echo requests: the kernel answers with the same mark."""
    six = ":" in address
    proto = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
    with socket.socket(family(address), socket.SOCK_RAW, proto) as sock:
        for number in range(count):
            body = struct.pack("!BBHHH", 128 if six else 8, 0, 0, 77 + number % 3, number & 0xFFFF)
            body += message(first + number, size)
            words = struct.unpack(f"!{len(body) // 2}H", body[: len(body) // 2 * 2])
            total = sum(words) + (body[-1] << 8 if len(body) % 2 else 0)
            while total >> 16:
                total = (total & 0xFFFF) + (total >> 16)
            checked = body if six else body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]
            sock.sendto(checked, (address, 0))
            if number % WINDOW == 0:
                time.sleep(0.002)


if __name__ == "__main__":
    if sys.argv[1] == "echo":
        echo(sys.argv[2], int(sys.argv[3]))
    else:
        senders = {"udp": send_udp, "tcp": send_tcp, "icmp": send_icmp}
        senders[sys.argv[2]](sys.argv[3], *map(int, sys.argv[4:8]))
