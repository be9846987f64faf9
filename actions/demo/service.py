"""A listener for the disposable host's namespaces: says its name over HTTP, echoes UDP.

Standard library only, as it starts without site-packages.  Once everything
is bound it writes one line to the descriptor given by ``--ready`` and closes
it, so that whoever waits knows that connections are answered from then on.
"""

from __future__ import annotations

import argparse
import os
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from functools import partial

REQUEST_LIMIT = 4096
"""Bytes of a request that are read; one read is enough for any small GET."""

IP_PKTINFO = 8
"""As in ``linux/in.h``; Python's socket module has it only since 3.12."""

PKTINFO = struct.Struct("@i4s4s")
"""``struct in_pktinfo``: interface index, local address, destination address (ip(7))."""


def listen(kind: socket.SocketKind, port: int) -> socket.socket:
    """Return a socket bound to ``port`` on every IPv4 address; a TCP one listens."""
    sock = socket.socket(socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("0.0.0.0", port))  # noqa: S104 - published ports arrive on the namespace's own address
    if kind is socket.SOCK_STREAM:
        sock.listen(64)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    return sock


def page(name: str) -> bytes:
    """Return the HTTP response that says who answers."""
    body = f"{name}\n".encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def answer_tcp(sock: socket.socket, name: str) -> None:
    """Answer one connection; a slow or broken client is dropped after a second."""
    client, _ = sock.accept()
    with client:
        client.settimeout(1.0)
        try:
            if client.recv(REQUEST_LIMIT):
                client.sendall(page(name))
                client.shutdown(socket.SHUT_WR)
        except OSError:
            return


def answer_udp(sock: socket.socket) -> None:
    """Echo one datagram, from the address it was sent to: a namespace may own several."""
    try:
        data, ancillary, _, peer = sock.recvmsg(65535, socket.CMSG_SPACE(PKTINFO.size))
        infos = [payload for level, kind, payload in ancillary if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO)]
        _, _, address = PKTINFO.unpack(infos[0])
        source = PKTINFO.pack(0, address, bytes(4))  # ipi_spec_dst is the source address to use
        sock.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, source)], 0, peer)
    except OSError:
        return


def serve(tcp: Sequence[socket.socket], udp: Sequence[socket.socket], name: str) -> None:
    """Answer for ever, one request at a time."""
    with selectors.DefaultSelector() as selector:
        for sock in tcp:
            selector.register(sock, selectors.EVENT_READ, partial(answer_tcp, sock, name))
        for sock in udp:
            selector.register(sock, selectors.EVENT_READ, partial(answer_udp, sock))
        while True:
            for key, _ in selector.select():
                key.data()


def main(argv: Sequence[str] | None = None) -> int:
    """Bind, say ready, serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default=socket.gethostname())
    parser.add_argument("--tcp", type=int, action="append", default=[], metavar="PORT")
    parser.add_argument("--udp", type=int, action="append", default=[], metavar="PORT")
    parser.add_argument("--ready", type=int, default=None, metavar="FD")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the program in front
    tcp = [listen(socket.SOCK_STREAM, port) for port in options.tcp]
    udp = [listen(socket.SOCK_DGRAM, port) for port in options.udp]
    if options.ready is not None:
        os.write(options.ready, f"{options.name}\n".encode())
        os.close(options.ready)
    serve(tcp, udp, options.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
