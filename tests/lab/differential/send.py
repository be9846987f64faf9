"""Sends the probes on a built host and watches what becomes of them.  Runs inside.

One process with sockets in every namespace: a raw one to send, listeners, and
the kernel's trace.  All probes are sent at once, each with a tuple of its own.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dnet_tui.actions.probes.raw_send import raw_socket, send_raw
from dnet_tui.diagnostics.trace.trace_events import TracePoint
from dnet_tui.diagnostics.walk.later_packets import DATA
from lab.differential import trace, wire
from lab.differential.spec import (
    HOST,
    OUTSIDE,
    OUTSIDE_ADDRESS6,
    UPLINK_ADDRESS6,
    HostSpec,
    Outcome,
    Probe,
)

if TYPE_CHECKING:
    from lab.differential.host import Spaces

_QUIET = 0.12
"""Seconds without a new event after which nothing more is expected; a packet takes well under a millisecond."""
_UNTIL_ASKED_AGAIN = 1.5
"""The same for IPv6 where neighbours are forgotten: a question that is lost is repeated after a second (RFC 4861)."""
_QUIET_PROXIED = 0.4
"""The same where connections are made, which a proxy's process may have to pass on."""
_LONGEST = 4.0
SENDING = 150.0
"""Seconds until no more probes are sent; what is left then is counted as not sent."""
AT_ONCE = 150
"""Probes that are sent together; of many more the kernel would lose trace events."""
_IP_PKTINFO = 8
_IP_TRANSPARENT = 19
EXTRA_UDP = 5300
"""On an existing host, this port is made to listen in every container."""


class Agent:
    """Everything that sends and listens on one host."""

    def __init__(self, spec: HostSpec, spaces: Spaces) -> None:
        self.spec = spec
        self.spaces = spaces
        self.raw: dict[str, socket.socket] = {}
        self.raw6: dict[str, socket.socket] = {}
        self.udp: list[socket.socket] = []
        self.tcp: list[socket.socket] = []
        self.owner: dict[int, str] = {}
        """The place of each listening socket, by its file descriptor."""
        self.readers: list[trace.Reader] = []
        self.clients: dict[int, Client] = {}
        self.taken: dict[int, str] = {}
        """Which socket took each datagram, by the probe's number."""
        for place in spec.places:
            with spaces.inside(place):
                self.raw[place] = raw_socket(socket.AF_INET)
                self.raw6[place] = raw_socket(socket.AF_INET6)
                self._listen(place, *_ports(spec, place))
                if spec.has_ipv6:
                    self._listen(place, *_ports(spec, place), family=socket.AF_INET6)

    def _listen(
        self,
        place: str,
        tcp: tuple[int, ...],
        udp: tuple[int, ...],
        family: int = socket.AF_INET,
        address: str = "",
        *,
        transparent: bool = False,
    ) -> None:
        for port in tcp:
            sock = _bound(family, socket.SOCK_STREAM, port, address, transparent=transparent)
            sock.listen(128)
            sock.setblocking(False)
            self.tcp.append(sock)
            self.owner[sock.fileno()] = place
        for port in udp:
            sock = _bound(family, socket.SOCK_DGRAM, port, address)
            if family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            sock.setblocking(False)
            self.udp.append(sock)
            self.owner[sock.fileno()] = place

    def listen_on_addresses(self) -> None:
        """Open the sockets that listen on one address, which steps may have added."""
        for item in self.spec.bound:
            with self.spaces.inside(item.place):
                ports: dict[str, tuple[int, ...]] = {"tcp": (), "udp": (), item.proto: (item.port,)}
                self._listen(item.place, ports["tcp"], ports["udp"], address=item.address, transparent=item.transparent)

    def meet_neighbours(self) -> None:
        """Let all neighbours learn each other's addresses, while nothing is in the way."""
        pairs = [(HOST, "203.0.113.1"), (OUTSIDE, "203.0.113.2")]
        for box in self.spec.boxes:
            for leg in box.legs:
                address = leg.address.partition("/")[0]
                bridge = next(item for item in self.spec.bridges if item.name == leg.bridge)
                pairs += [(HOST, address), (box.name, bridge.address.partition("/")[0])]
                pairs += [
                    (other.name, address)
                    for other in self.spec.boxes
                    if other is not box and any(item.bridge == leg.bridge for item in other.legs)
                ]
        for place, address in pairs:
            # The discard port: nobody listens, and nobody needs to.
            data = struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 17, 0) + b"\0\0\0\0" + socket.inet_aton(address)
            self.raw[place].sendto(data + struct.pack("!HHHH", 9, 9, 8, 0), (address, 0))
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for place, address in pairs:
            wanted[place].add(address)
        if self.spec.has_ipv6:
            self._meet_neighbours6()
        end = time.monotonic() + _LONGEST
        while any(wanted.values()) and time.monotonic() < end:
            for place in wanted:
                with self.spaces.inside(place):
                    wanted[place] -= _resolved()
            time.sleep(0.02)

    def _meet_neighbours6(self) -> None:
        """The same for IPv6, where the kernel has no file that tells who is known: so wait a little."""
        pairs = [(HOST, OUTSIDE_ADDRESS6), (OUTSIDE, UPLINK_ADDRESS6)]
        for box in self.spec.boxes:
            for leg in box.legs:
                address = leg.address6.partition("/")[0]
                bridge = next(item for item in self.spec.bridges if item.name == leg.bridge)
                pairs += [(HOST, address), (box.name, bridge.address6.partition("/")[0])]
                pairs += [
                    (other.name, address)
                    for other in self.spec.boxes
                    if other is not box and any(item.bridge == leg.bridge for item in other.legs)
                ]
        for place, address in pairs:
            with self.spaces.inside(place), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"", (address, 9))
        time.sleep(0.15)

    def start_tracing(self) -> None:
        """Open the readers, then add the trace's own table to every namespace."""
        from lab.differential.host import run  # noqa: PLC0415 - the two are halves of one program

        for place in self.spec.places:
            with self.spaces.inside(place):
                self.readers.append(trace.Reader(place))
                run(("nft", "-f", "-"), trace.ruleset())

    def stop_tracing(self) -> None:
        """Take the trace's own tables out again, for a host that is to be used on."""
        from lab.differential.host import run  # noqa: PLC0415 - as above

        for place in self.spec.places:
            with self.spaces.inside(place):
                for family in ("inet", "bridge"):
                    run(("nft", "delete", "table", family, trace.TABLE))

    def send(self, before: Callable[[Probe], None] = lambda _: None) -> tuple[Outcome, ...]:
        """Send the probes, so many at a time as the kernel's account holds, and return what became of each.

        ``before`` is called before each that is sent by itself.  Of a host that takes too
        long the rest isn't sent, and has no outcome.
        """
        end = time.monotonic() + SENDING
        many = 1 if self.spec.one_by_one else AT_ONCE
        # Apart from each other: a connection's packets may look like a probe's, by chance.
        kinds = [tuple(probe for probe in self.spec.probes if probe.connects is real) for real in (False, True)]
        return tuple(
            outcome
            for probes in kinds
            for at in range(0, len(probes), many)
            if time.monotonic() < end
            for outcome in self._send_some(probes[at : at + many], before)
        )

    def _send_some(self, probes: tuple[Probe, ...], before: Callable[[Probe], None]) -> Iterator[Outcome]:
        if self.spec.one_by_one:
            before(probes[0])
        errors: dict[int, int] = {}
        self.clients = {}
        for probe in probes:
            if probe.connects:
                with self.spaces.inside(probe.origin):
                    client = Client(probe)
                self.clients[client.fileno()] = client
            else:
                errors[probe.number] = self._send(probe)
        sights = self._watch(self._quiet(probes))
        answered = {client.probe.number: client.end() for client in self.clients.values()}
        for probe in probes:
            yield Outcome(
                probe=probe.number,
                errno=errors.get(probe.number, 0),
                sights=() if probe.connects else tuple(sights[probe.number]),
                taken=self.taken.get(probe.number, ""),
                answered=answered.get(probe.number, ""),
            )

    def _send(self, probe: Probe) -> int:
        sock = self.raw6[probe.origin] if probe.family == "ip6" else self.raw[probe.origin]
        return send_raw(sock, wire.packet(probe), probe.src, probe.dst)

    def _watch(self, quiet: float) -> dict[int, list[TracePoint]]:
        found: defaultdict[int, list[TracePoint]] = defaultdict(list)
        poller = select.poll()
        turns: dict[int, Callable[[], object]] = {}
        for reader in self.readers:
            turns |= {sock.fileno(): partial(_note, reader, found) for sock in reader.sockets}
        turns |= {sock.fileno(): partial(self._take, sock) for sock in self.udp}
        turns |= {sock.fileno(): partial(_greet, sock, self.owner[sock.fileno()]) for sock in self.tcp}
        for fd in turns:
            poller.register(fd, select.POLLIN)
        turns |= {fd: partial(self._go_on, fd, poller) for fd in self.clients}
        for fd in self.clients:
            poller.register(fd, select.POLLIN | select.POLLOUT)
        end = time.monotonic() + _LONGEST
        while time.monotonic() < end:
            ready = poller.poll(quiet * 1000)
            if not ready:
                break
            for fd, _ in ready:
                turns[fd]()
        return found

    def _quiet(self, probes: tuple[Probe, ...]) -> float:
        forgotten = any("flush" in step.argv for step in self.spec.steps)
        if forgotten and any(probe.family == "ip6" for probe in probes):
            return _UNTIL_ASKED_AGAIN
        return _QUIET_PROXIED if self.clients else _QUIET

    def _go_on(self, fd: int, poller: select.poll) -> None:
        if self.clients[fd].turn():
            poller.modify(fd, select.POLLIN)
        else:
            poller.unregister(fd)

    def _take(self, sock: socket.socket) -> None:
        address, port = sock.getsockname()[:2]
        for number in _answer(sock):
            self.taken[number] = f"{self.owner[sock.fileno()]} {address} {port}"


def _note(reader: trace.Reader, found: dict[int, list[TracePoint]]) -> None:
    for number, sight in reader.read():
        found[number].append(sight)


class Client:
    """A real connection of a place, made in the thread's namespace; it asks by HTTP for who is there."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self._end = ""
        self._asked = False
        self._heard = b""
        self._sock = socket.socket(socket.AF_INET6 if probe.family == "ip6" else socket.AF_INET)
        self._sock.setblocking(False)
        # Of an earlier run nothing may be in the way.
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
        try:
            self._sock.bind((probe.src, probe.sport))
            self._refused(self._sock.connect_ex((probe.dst, probe.dport)))
        except OSError as error:
            self._refused(error.errno or 0)

    def fileno(self) -> int:
        """The socket's."""
        return self._sock.fileno()

    def _refused(self, number: int) -> None:
        if number not in {0, errno.EINPROGRESS}:
            self._end = failed_as(number)

    def turn(self) -> bool:
        """Go on after an event; False when there is nothing more to come."""
        if self._end:
            return False
        try:
            if not self._asked:
                number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number:
                    self._refused(number)
                    return False
                self._sock.sendall(_padded("GET /hostname HTTP/1.0", ""))
                self._asked = True
                return True
            while data := self._sock.recv(4096):
                self._heard += data
        except BlockingIOError:
            return True
        except OSError:
            if not self._heard:
                self._end = "closed"
            return False
        self._end = "" if self._heard else "closed"
        return False

    def end(self) -> str:
        """What became of it."""
        with self._sock:
            said = self._heard.decode(errors="replace").split()
        return self._end or (said[-1] if said else "")


def failed_as(number: int) -> str:
    """What a connection's error says: a reset of one that was open already is no refusal (tcp_reset)."""
    return {errno.ECONNREFUSED: "refused", errno.ECONNRESET: "closed", errno.EPIPE: "closed"}.get(number, "unreachable")


def _greet(sock: socket.socket, place: str) -> None:
    """Answer whoever has connected and asks with the name of the place."""
    with contextlib.suppress(BlockingIOError):
        while True:
            client, _ = sock.accept()
            threading.Thread(target=_serve, args=(client, place), daemon=True).start()


def _serve(client: socket.socket, place: str) -> None:
    with client, contextlib.suppress(OSError):
        client.settimeout(_LONGEST)
        if client.recv(4096):
            client.sendall(_padded("HTTP/1.0 200 OK", f"{place}\n"))
            client.recv(4096)  # it doesn't close: data that is sent once more together with FIN may fare otherwise


def _padded(first: str, body: str) -> bytes:
    """A message of HTTP with as many bytes as the walk takes for a packet with data."""
    head, tail = f"{first}\r\nX-Padding: ", f"\r\n\r\n{body}"
    return f"{head}{'x' * (DATA - len(head) - len(tail))}{tail}".encode()


def _resolved() -> set[str]:
    """The neighbours of this namespace whose MAC is known (flag ATF_COM)."""
    lines = Path("/proc/thread-self/net/arp").read_text("ascii").splitlines()[1:]
    words = [line.split() for line in lines]
    return {item[0] for item in words if int(item[2], 16) & 0x2}


def _ports(spec: HostSpec, place: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if spec.existing:
        return (), (() if place in {HOST, OUTSIDE} else (EXTRA_UDP,))
    if place == HOST:
        return spec.tcp, spec.udp
    if place == OUTSIDE:
        return (80, 443), (53,)
    extra = next((item for item in spec.extras if item.name == place), None)
    if extra is not None:
        return extra.tcp, extra.udp
    box = next(item for item in spec.boxes if item.name == place)
    return box.tcp, box.udp


def _bound(family: int, kind: int, port: int, address: str = "", *, transparent: bool = False) -> socket.socket:
    """A socket that is bound to a port of every address of one family, or of one."""
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if transparent:
        sock.setsockopt(socket.SOL_IP, _IP_TRANSPARENT, 1)
    sock.bind((address, port))
    return sock


def _answer(sock: socket.socket) -> Iterator[int]:
    """Answer every waiting datagram from the address it was sent to; yields the probes that they are of."""
    while True:
        try:
            data, ancillary, _, sender = sock.recvmsg(2048, socket.CMSG_SPACE(20))
        except OSError:
            return  # no more, or an ICMP error for an earlier answer
        words = wire.answer(data)
        if words is not None:
            yield int.from_bytes(words[4:8], "big")
        for level, kind, info in ancillary:
            local = _source_of(level, kind, info)
            if words is None or local is None:
                continue
            try:
                sock.sendmsg([words], [local], 0, sender)
            except OSError:
                continue  # the way back is blocked right here; the trace shows it


def _source_of(level: int, kind: int, info: bytes) -> tuple[int, int, bytes] | None:
    """The ancillary data that sends from the address a datagram was sent to."""
    if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
        return level, kind, struct.pack("=i4s4s", 0, info[8:12], b"\0\0\0\0")
    if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
        return level, kind, info[:16] + struct.pack("=i", 0)
    return None
